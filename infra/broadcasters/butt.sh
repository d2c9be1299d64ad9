#!/usr/bin/env bash
# BUTT (broadcast using this tool): Opus to Icecast, and a title.
# usage: infra/broadcasters/butt.sh [SCENE...]
set -euo pipefail
program=butt
# shellcheck source-path=SCRIPTDIR source=stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

configure() {
  cat >"$HOME/.asoundrc" <<ASOUND
pcm.!default { type pulse }
ctl.!default { type pulse }
ASOUND
  cat >"$HOME/.buttrc" <<INI
#This is a configuration file for butt (broadcast using this tool)

[main]
server = Longwave
srv_ent = Longwave
icy = 
icy_ent = 
num_of_srv = 1
num_of_icy = 0
song_update = 0
song_path = 
connect_at_startup = 1
force_reconnecting = 0
log_file = $HOME/butt.log
gain = 1.0
check_for_update = 0
start_agent = 0
minimize_to_tray = 0

[audio]
device = 0
device2 = -1
dev_remember = 1
dev_name = default [ALSA]
samplerate = 48000
bitrate = 128
channel = 2
left_ch = 1
right_ch = 2
codec = ${CODEC:-opus}
resample_mode = 0
silence_level = 50.0
signal_level = 50.0
disable_dithering = 0
buffer_ms = 50

[Longwave]
address = 127.0.0.1
port = $port
password = $1
type = 1
tls = 0
cert_hash = 
mount = ice/talk
usr = source
INI
}

launch() {
  start butt -p "$((port + 2))" >"$tmp/butt.log" 2>&1
  pid=$!
}

prepare() {
  need butt Xvfb openbox xdotool import pulseaudio paplay
  start_screen
  start_card
}

title='Lighthouse - Grüße'
announce() { butt -p "$((port + 2))" -u "$title" >/dev/null; }

# The stop button.
goodbye() { xdotool mousemove --window "$(window '^Connected to')" 77 164 click 1; }

play "$@"
