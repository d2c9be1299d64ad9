# shellcheck shell=bash
# What the scripts of this folder share: a node, a screen, a sound card that is
# none, the sound that is sent, and the scenes that every program plays through.
# It is read by them, not run.
#
# A program's script sets
#
#   program     its name, for what is printed
#   title       what listeners are told the sound is called; empty: nothing
#   stays_away  yes when it ends with the node and does not come back
#
# and defines
#
#   prepare           what it needs: a screen, a sound card
#   configure TOKEN   writes its settings into $HOME, for this token
#   launch            starts it, sending at once, and sets pid
#   goodbye           ends the sending by its own button
#   announce          optional: what is to be done when it is on air
#
# and calls play "$@".
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
longwave=$root/bin/longwave
for_seconds=${FOR:-240}
port=${PORT:-28080}
rtmp_port=${RTMP_PORT:-21935}
srt_port=${SRT_PORT:-28890}
station='talk'
program=${program:-}
patience=60
pid=
node=
failed=0

say() { printf '%-10s %s\n' "$program" "$*"; }

# verdict OK WORDS... says how something went.
verdict() {
  local ok=$1
  shift
  if [ "$ok" = yes ]; then say "good   $*"; else
    say "WRONG  $*"
    failed=1
  fi
}

# start runs a program in the background and takes it along should this script end.
start() { setpriv --pdeathsig KILL setsid "$@" </dev/null & prefer $!; }

# prefer gives a session of its own more of a machine that others use too, where
# PRIORITY asks for it (-20 to 19, as nice).
prefer() {
  [ -n "${PRIORITY:-}" ] || return 0
  sleep 0.1 # it has its session by now
  echo "$PRIORITY" >"/proc/$1/autogroup" 2>/dev/null || :
}

# await SECONDS COMMAND... waits until the command succeeds, and prints after how long.
await() {
  local limit=$1 began=${EPOCHREALTIME/./}
  shift
  until "$@" >/dev/null 2>&1; do
    [ $((${EPOCHREALTIME/./} - began)) -lt $((limit * 1000000)) ] || return 1
    sleep 0.2
  done
  awk -v us=$((${EPOCHREALTIME/./} - began)) 'BEGIN { printf "%.1f s\n", us / 1e6 }'
}

need() {
  local c
  for c in "$@"; do
    command -v "$c" >/dev/null || {
      echo "$program: $c is missing: see infra/broadcasters/README.md" >&2
      exit 1
    }
  done
}

# ---- the node

node_log() { cat "$tmp"/node*.log; }
lines() { node_log | grep -cE -e "$1" || :; }
more_than() { [ "$(lines "$2")" -gt "$1" ]; }

start_node() {
  start "$longwave" serve --config "$tmp/longwave.yaml" >>"$tmp/node.out" 2>>"$tmp/node.log"
  node=$!
  await 30 curl -fsS -m 2 -o /dev/null "http://127.0.0.1:$port/readyz" >/dev/null || {
    tail -n 5 "$tmp/node.log" >&2
    exit 1
  }
}

stop_node() {
  kill "$node" 2>/dev/null || :
  wait "$node" || :
}

token() { "$longwave" token --config "$tmp/longwave.yaml" --station "$station" --expires 6h "$@"; }

# api PATH asks the studio's API as a host.
api() { curl -fsS -m 5 -H "Authorization: Bearer $host" "http://127.0.0.1:$port/api/v1/stations/$station$1"; }

# ---- the screen and the sound card

start_screen() {
  exec {fd}<> <(:)
  start Xvfb -displayfd "$fd" -screen 0 1600x1000x24 -nolisten tcp 2>"$tmp/xvfb.log"
  local number
  read -r -t 20 -u "$fd" number
  export DISPLAY=:$number LIBGL_ALWAYS_SOFTWARE=1 QT_QPA_PLATFORM=xcb
  start openbox >"$tmp/openbox.log" 2>&1
  start dbus-daemon --session --nofork --address="unix:path=$tmp/bus" >"$tmp/dbus.log" 2>&1
  export DBUS_SESSION_BUS_ADDRESS=unix:path=$tmp/bus
}

# start_card makes a PulseAudio whose only microphone hears the sound file.
start_card() {
  export PULSE_SERVER=unix:$tmp/pulse.socket
  cat >"$tmp/pulse.pa" <<CARD
load-module module-native-protocol-unix socket=$tmp/pulse.socket auth-anonymous=1
load-module module-null-sink sink_name=studio rate=48000 sink_properties=device.description=Studio
load-module module-null-sink sink_name=speakers rate=48000 sink_properties=device.description=Speakers
load-module module-remap-source source_name=microphone master=studio.monitor source_properties=device.description=Microphone
set-default-source microphone
set-default-sink speakers
CARD
  start pulseaudio -n --daemonize=no --exit-idle-time=-1 --use-pid-file=no --disable-shm --realtime=no --log-level=warn -F "$tmp/pulse.pa" >"$tmp/pulse.log" 2>&1
  await 20 pactl info >/dev/null
  start paplay --device=studio --client-name=broadcast "$sound" >"$tmp/paplay.log" 2>&1
}

# shot NAME keeps a picture of the screen.
shot() { [ -z "${DISPLAY:-}" ] || import -window root "$shots/$program-$1.png" 2>/dev/null || :; }

# window NAME waits for a window and prints its number.
window() { await 60 xdotool search --onlyvisible --name "$1" >/dev/null && xdotool search --onlyvisible --name "$1" | tail -n 1; }

# ---- the sound

# Speech, and above it a tone that is never to be missed: 6 kHz at -32 dBFS; both
# together -18 LUFS.
make_sound() {
  sound=$tmp/sound.flac
  local words="This is the studio. One, two, three, four, five, six, seven, eight, nine, ten. We talk about a lighthouse, and nobody is to miss a word of it."
  espeak-ng -v en -s 150 -w "$tmp/words.wav" "$words"
  ffmpeg -hide_banner -nostdin -v error -stream_loop -1 -i "$tmp/words.wav" -f lavfi -i sine=f=6000:r=48000 -filter_complex \
    "[0]aresample=48000,lowpass=f=3500,lowpass=f=3500,aformat=channel_layouts=mono[v];[1]volume=-14dB,aformat=channel_layouts=mono[t];[v][t]amix=inputs=2:normalize=0,asplit[l][r];[l][r]join=inputs=2:channel_layout=stereo" \
    -t 900 -c:a flac -sample_fmt s16 "$sound"
}

# hear SECONDS FILE records the programme.
hear() {
  ffmpeg -hide_banner -nostdin -v error -y -live_start_index -1 -i "http://127.0.0.1:$port/$station/aac-96/live.m3u8" -t "$1" -c:a pcm_s16le "$2" 2>"$tmp/hear.log"
}

# judge_sound FILE says for how long the tone was not there, how loud it all was, and
# how much of it there is.
judge_sound() {
  ffmpeg -hide_banner -nostdin -v error -i "$1" \
    -af "bandpass=f=6000:width_type=h:w=100,asetnsamples=960,astats=metadata=1:reset=1:measure_perchannel=none,ametadata=print:key=lavfi.astats.Overall.RMS_level:file=-" \
    -f null - | awk -F'[:= ]+' '/pts_time/ { t = $NF } /RMS_level/ { print t, $NF }' >"$tmp/tone"
  local median loudness
  median=$(awk '{ print $2 }' "$tmp/tone" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')
  loudness=$(ffmpeg -hide_banner -nostdin -i "$1" -af ebur128 -f null - 2>&1 | sed -n 's/^ *I: *\([-0-9.]*\) LUFS/\1/p' | tail -n 1)
  awk -v m="$median" -v l="$loudness" '
    function close_gap() { if (gap > 0.03) { n++; where = where sprintf(" %.2f s at %.1f", gap, begin) } gap = 0 }
    $2 < m - 6 || $2 == "-inf" { if (!gap) begin = $1; gap += 0.02; next }
    { close_gap() }
    END {
      close_gap()
      printf "%d gaps%s; tone %.1f dBFS, loudness %s LUFS, %.0f s\n", n, n ? " (" where " )" : "", m, l, NR * 0.02
      exit !(n == 0 && m > -38 && m < -33 && l > -19.5 && l < -16.5)
    }' "$tmp/tone"
}

# ---- the scenes

begin() {
  need ffmpeg espeak-ng curl jq "$longwave"
  if curl -s -m 2 -o /dev/null "http://127.0.0.1:$port/"; then
    echo "$program: port $port is taken: choose others with PORT, RTMP_PORT and SRT_PORT, below 32768" >&2
    exit 2
  fi
  tmp=$(mktemp -d)
  chmod 700 "$tmp"
  trap end EXIT
  trap 'exit 1' INT TERM
  shots=${SHOTS:-$root/bin/broadcasters}
  mkdir -p "$shots"
  mkdir -m 700 "$tmp/home" "$tmp/run"
  export HOME=$tmp/home XDG_RUNTIME_DIR=$tmp/run
  unset DISPLAY XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME
  cat >"$tmp/longwave.yaml" <<NODE
listen: "127.0.0.1:$port"
metrics: "127.0.0.1:$((port + 1))"
data: $tmp/data
rtc: {listen: "off"}
rtmp: {listen: "127.0.0.1:$rtmp_port"}
srt: {listen: "127.0.0.1:$srt_port"}
NODE
  make_sound
  start_node
  speaker=$(token --role speaker --name "$program")
  host=$(token --role host --name check)
}

# end takes everything along and keeps the node's log.
end() {
  trap - EXIT
  cp "$tmp/node.log" "$shots/$program-node.log" 2>/dev/null || :
  local p
  for p in $(jobs -p); do kill -KILL -- "-$p" 2>/dev/null || kill -KILL "$p" 2>/dev/null || :; done
  wait 2>/dev/null || :
  rm -rf "$tmp"
}

# on_air waits until one more source than before is on a lane.
on_air() { await "$1" more_than "$2" 'msg="source on a lane"'; }
sources() { lines 'msg="source on a lane"'; }

# last_words prints what the node said of the last source, from the message on.
last_words() { node_log | grep -E 'msg="?source (refused|ended|lost)' | tail -n 1 | sed 's/^[^ ]* //'; }

gone() { lines 'msg="?source (refused|ended|lost)'; }

# own_words prints what a program without a window says is wrong.
own_words() {
  [ -s "$tmp/program.log" ] || return 0
  grep -iE 'error|fail|refus|denied|token|lost|broken' "$tmp/program.log" | tail -n 2 | cut -c1-250 | sed "s/^/$(printf '%-10s   it says: ' "$program")/" || :
}

finish() { kill -KILL -- "-$pid" 2>/dev/null || :; wait "$pid" 2>/dev/null || :; }

scene_sound() {
  local before took said ok=yes
  before=$(sources)
  configure "$speaker"
  launch
  took=$(on_air "$patience" "$before") || {
    verdict no "is not on air after $patience s: $(last_words)"
    shot not-on-air
    return 1
  }
  say "on air after $took"
  if declare -F announce >/dev/null; then announce; fi
  sleep 8 # the hold leaves, whoever listens is at the live edge
  "$longwave" listen --for "${for_seconds}s" --decode --quiet "http://127.0.0.1:$port/$station/index.m3u8" >"$tmp/listen.txt" 2>&1 &
  local listener=$!
  hear "$for_seconds" "$tmp/heard.wav"
  wait "$listener" || ok=no
  shot on-air
  cp "$tmp/listen.txt" "$shots/$program-listen.txt"
  verdict "$ok" "strict listener, $for_seconds s: $(tail -n 1 "$tmp/listen.txt")"
  ok=yes
  said=$(judge_sound "$tmp/heard.wav") || ok=no
  [ "$ok" = yes ] || cp "$tmp/heard.wav" "$shots/$program-heard.wav"
  verdict "$ok" "sound: $said"
  scene_title
}

# scene_title compares the title that listeners are told with $title.
scene_title() {
  local got
  got=$(curl -fsS -m 5 "http://127.0.0.1:$port/$station/aac-96/live.m3u8" | sed -n 's/.*CLASS="longwave.title".*X-TITLE="\([^"]*\)".*/\1/p' | tail -n 1)
  if [ "${title:-}" = "$got" ]; then verdict yes "title \"$got\""; else verdict no "title \"$got\", want \"${title:-}\""; fi
}

# scene_kill: kill -9, and the same program again.
scene_kill() {
  local before took seats
  before=$(gone)
  finish
  took=$(await 30 more_than "$before" 'msg="?source (refused|ended|lost)') || took="never"
  say "kill -9, told after $took: $(last_words)"
  before=$(sources)
  launch
  took=$(on_air "$patience" "$before") || took=
  sleep 4
  seats=$(api "" | jq -c '[.speakers[] | [.name, .connected, .on_air]]')
  if [ -n "$took" ] && [ "$seats" = "[[\"$program\",true,true]]" ]; then verdict yes "started again, on air after $took, in its own seat"; else
    verdict no "started again: on air after '$took', seats $seats"
  fi
}

# scene_restart: the node goes and comes back; nobody touches the program.
scene_restart() {
  local before took
  before=$(sources)
  stop_node
  sleep 3
  shot node-gone
  own_words
  start_node
  if took=$(on_air 90 "$before"); then verdict yes "node restarted: back by itself after $took"; else
    shot node-back
    verdict "${stays_away:-no}" "node restarted: not back by itself after 90 s"
  fi
}

# scene_wrong: a token that is not ours.
scene_wrong() {
  local before
  finish
  before=$(lines 'msg="source refused')
  configure "wrong-token-wrong-token-wrong-token"
  launch
  if await "$patience" more_than "$before" 'msg="?source refused' >/dev/null; then
    verdict yes "wrong token: $(last_words)"
  else
    verdict no "wrong token: the node says nothing"
  fi
  sleep 4
  shot wrong-token
  own_words
  node_log | grep -q wrong-token && verdict no "the log shows the token"
  finish
}

# scene_goodbye: stopped by its own button.
scene_goodbye() {
  local before
  before=$(sources)
  configure "$speaker"
  launch
  on_air "$patience" "$before" >/dev/null || {
    verdict no "not on air again after a wrong token: $(last_words)"
    return
  }
  sleep 3
  before=$(lines 'msg="source ended".*result=ended')
  goodbye
  if await 15 more_than "$before" 'msg="source ended".*result=ended' >/dev/null; then verdict yes "stopped: $(last_words)"; else
    verdict no "stopped by its button: $(last_words)"
  fi
  shot stopped
}

# play [SCENE...] plays all scenes, or those named.
play() {
  begin
  prepare
  local scene
  [ $# -gt 0 ] || set -- sound kill restart wrong goodbye
  for scene in "$@"; do "scene_$scene" || break; done
  [ "$failed" -eq 0 ]
}
