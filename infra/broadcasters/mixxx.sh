#!/usr/bin/env bash
# Mixxx: MP3 to Icecast by libshout.
# usage: infra/broadcasters/mixxx.sh [SCENE...]
set -euo pipefail
program=mixxx
# shellcheck source-path=SCRIPTDIR source=stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

configure() {
  local d=$HOME/mixxx
  mkdir -p "$d/broadcast_profiles"
  cat >"$HOME/.asoundrc" <<ASOUND
pcm.!default { type pulse }
ctl.!default { type pulse }
ASOUND
  cat >"$d/mixxx.cfg" <<INI
[Config]
Version 2.3.3
Path /usr/share/mixxx/
Locale en_US
ResizableSkin Shade

[Keyboard]
Enabled 1

[Waveform]
WaveformType 0
OverviewType 0
FrameRate 1

[Shoutcast]
enabled 0

[ReplayGain]
ReplayGainEnabled 0

[Master]
headMix -1
keylock_engine 0

[Controls]
RateDir 0
INI
  cat >"$d/soundconfig.xml" <<XML
<!DOCTYPE SoundManagerConfig>
<SoundManagerConfig api="ALSA" samplerate="48000" latency="6" sync_buffers="2" force_network_clock="0" deck_count="2">
 <SoundDevice name="default" portAudioIndex="0" alsaHwDevice="">
  <output type="Master" index="0" channel="0" channel_count="2"/>
 </SoundDevice>
</SoundManagerConfig>
XML
  cat >"$d/broadcast_profiles/Longwave.bcp.xml" <<XML
<!DOCTYPE broadcastprofile>
<BroadcastProfile>
    <SecureCredentialsStorage>0</SecureCredentialsStorage>
    <Enabled>1</Enabled>
    <Host>127.0.0.1</Host>
    <Port>$port</Port>
    <Servertype>Icecast2</Servertype>
    <Login>source</Login>
    <Password>$1</Password>
    <EnableReconnect>1</EnableReconnect>
    <ReconnectPeriod>5</ReconnectPeriod>
    <LimitReconnects>1</LimitReconnects>
    <MaximumRetries>10</MaximumRetries>
    <NoDelayFirstReconnect>1</NoDelayFirstReconnect>
    <ReconnectFirstDelay>0</ReconnectFirstDelay>
    <Mountpoint>/ice/talk</Mountpoint>
    <StreamName>Mixxx</StreamName>
    <StreamPublic>0</StreamPublic>
    <Format>${CODEC:-MP3}</Format>
    <Bitrate>128</Bitrate>
    <Channels>2</Channels>
    <EnableMetadata>0</EnableMetadata>
    <MetadataCharset>UTF-8</MetadataCharset>
    <MetadataFormat>\$artist - \$title</MetadataFormat>
    <OggDynamicUpdate>0</OggDynamicUpdate>
</BroadcastProfile>
XML
}

launch() {
  mkdir -p "$HOME/Music"
  start mixxx --settingsPath "$HOME/mixxx/" "$sound" >"$tmp/mixxx.log" 2>&1
  pid=$!
  if [ ! -e "$tmp/asked" ]; then # only the first start asks where the music is
    window '^Choose music library directory$' >/dev/null
    sleep 1
    xdotool key Return
    touch "$tmp/asked"
  fi
  await 180 plays >/dev/null || { # opening its sound card is nearly the last that it does
    verdict no "has not opened its sound card after 3 minutes"
    shot stuck
    return 1
  }
  sleep 12
  press l      # plays the second deck, into which it loads what it was started with
  press ctrl+l # "Enable Live Broadcasting"
}

plays() { [ "$(pactl list short sink-inputs | wc -l)" -ge 2 ]; }

press() {
  xdotool windowfocus --sync "$(window 'Mixxx$')"
  sleep 0.5
  xdotool key --clearmodifiers "$1"
  sleep 1
}

prepare() {
  need mixxx Xvfb openbox xdotool import pulseaudio paplay
  start_screen
  start_card
}

title=sound # there is no artist

goodbye() { press ctrl+l; }

play "$@"
