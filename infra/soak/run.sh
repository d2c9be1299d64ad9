#!/usr/bin/env bash
# A long evening without people: a station with two feeds of one group, of which
# the one on air is killed and comes back again and again, and a strict listener.
# Says every minute what the server takes, and at the end what was wrong.
#
#   FOR=1h            how long (s, m or h)
#   PORT=8090         where to listen; RTMP, SRT and the figures take the next ones
#   PROFILE=low       fast, low, calm or plain
#   EVERY=60          seconds between figures
#
# Exit 1 when the listener found something wrong, a segment is missing, a figure that
# must stay 0 did not, an error was logged, or memory, goroutines or files grew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

length=${FOR:-1h}
port=${PORT:-8090}
every=${EVERY:-60}
station='talk'
tmp=$(mktemp -d)
wrong=0
server='' ears='' main='' spare=''

say() { printf 'soak: %s\n' "$*" >&2; }
fail() {
  wrong=1
  say "WRONG: $*"
}

end() {
  trap - EXIT
  local pid
  for pid in $main $spare $ears $server; do kill "$pid" 2>/dev/null || :; done
  [ -z "$server" ] || wait "$server" || :
  if [ "$wrong" = 0 ]; then rm -rf "$tmp"; else say "what was written is in $tmp"; fi
}
trap end EXIT
trap 'exit 130' INT TERM

cat >"$tmp/longwave.yaml" <<END
listen: "127.0.0.1:$port"
public: http://localhost:$port
rtmp: {listen: "127.0.0.1:$((port + 1))"}
srt: {listen: "127.0.0.1:$((port + 2))"}
rtc: {listen: "127.0.0.1:$((port + 3))"}
metrics: 127.0.0.1:$((port + 4))
data: $tmp/data
secret_file: $tmp/data/secret.key
stations:
  - name: $station
    profile: ${PROFILE:-low}
END

# feed NAME PRIORITY CLOCK ENCODING... sends the bundled interview, with a clock that is
# a little wrong as clocks are.
feed() {
  local name=$1 priority=$2 clock=$3
  shift 3
  if [ ! -e "$tmp/$name.ffpreset" ]; then
    bin/longwave token --config "$tmp/longwave.yaml" --name "$name" --feed --group main --priority "$priority" --expires 168h |
      sed 's/^/password=/' >"$tmp/$name.ffpreset"
  fi
  ffmpeg -hide_banner -nostdin -v error -readrate "$clock" -stream_loop -1 -i infra/demo/conversation.ogg \
    "$@" -fpre "$tmp/$name.ffpreset" "icecast://127.0.0.1:$port/ice/$station" 2>>"$tmp/$name.log" &
}
main_feed() {
  feed main 0 1.0002 -c:a libopus -b:a 96k -page_duration 20000 -content_type audio/ogg -f ogg
  main=$!
}
spare_feed() {
  feed spare 1 0.9999 -c:a libmp3lame -b:a 128k -content_type audio/mpeg -f mp3
  spare=$!
}

metric() { awk -v name="longwave_$1" 'index($1, name) == 1 { sum += $2 } END { printf "%.0f", sum }' "$tmp/metrics"; }
kib() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$server/status"; }
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$server/stat"; }

# sample adds a line: minute, RSS in KiB, goroutines, files, CPU %, lanes, store in KiB.
sample() {
  curl -fsS -m 10 -o "$tmp/metrics" "http://127.0.0.1:$((port + 4))/metrics" || return 0
  local files=(/proc/"$server"/fd/*) now
  now=$(ticks)
  printf '%d\t%d\t%d\t%d\t%.1f\t%d\t%d\n' "$((SECONDS / 60))" "$(kib VmRSS)" \
    "$(awk '$1 == "go_goroutines" { print $2 }' "$tmp/metrics")" "${#files[@]}" \
    "$(awk -v d=$((now - before)) -v hz="$(getconf CLK_TCK)" -v s="$every" 'BEGIN { print 100 * d / hz / s }')" \
    "$(metric mix_lanes)" "$(du -sk "$tmp/data" | cut -f 1)" | tee -a "$tmp/samples"
  before=$now
}

# flat COLUMN NAME MORE: the median of the last third is at most MORE over that of the
# second, for the first is warming up.
flat() {
  local lines third from to
  lines=$(wc -l <"$tmp/samples")
  third=$((lines / 3))
  [ "$third" -gt 0 ] || return 0
  from=$(sed -n "$((third + 1)),$((2 * third))p" "$tmp/samples" | cut -f "$1" | sort -n | sed -n "$(((third + 1) / 2))p")
  to=$(tail -n "$third" "$tmp/samples" | cut -f "$1" | sort -n | sed -n "$(((third + 1) / 2))p")
  say "$2: $from, then $to"
  [ "$to" -le $((from + $3)) ] || fail "$2 grew"
}

judge() {
  local name dir first last have
  for name in mix_faulty_frames_total push_failures_total push_lost_objects_total; do
    [ "$(metric "$name")" = 0 ] || fail "$name is $(metric "$name")"
  done
  if grep level=ERROR "$tmp/log" >&2; then fail "errors in the log"; fi
  say "$(grep -c level=WARN "$tmp/log" || :) warnings in the log"
  if grep 'the programme is late' "$tmp/log" >&2; then say "this machine was too busy at times: what was late may be its doing"; fi
  for dir in "$tmp/data/store/$station"/*/; do
    have=$(find "$dir" -name '[0-9]*.m4s' | wc -l)
    first=$(find "$dir" -name '[0-9]*.m4s' -printf '%f\n' | sort | sed -n '1s/\..*//p')
    last=$(find "$dir" -name '[0-9]*.m4s' -printf '%f\n' | sort | sed -n '$s/\..*//p')
    [ "$have" = $((last - first + 1)) ] || fail "$(basename "$dir"): $have segments from $first to $last"
  done
  flat 2 'RSS in KiB' 16384
  flat 3 goroutines 12
  flat 4 'open files' 8
}

# In a session of its own, so that it need not share what its session may use of the
# machine with the feeds and the listener.
setsid bin/longwave serve --config "$tmp/longwave.yaml" >"$tmp/out" 2>"$tmp/log" </dev/null &
server=$!
for _ in {1..100}; do
  curl -fsS -m 2 -o "$tmp/ready" "http://127.0.0.1:$port/readyz" 2>"$tmp/why" && break
  kill -0 "$server" 2>/dev/null || {
    fail "the server ended: $(tail -n 1 "$tmp/log")"
    exit 1
  }
  sleep 0.2
done
main_feed
spare_feed
sleep 3
say "on the air for $length: http://localhost:$port/$station/"
bin/longwave listen "http://localhost:$port/$station/" --for "$length" -q >"$tmp/heard" 2>&1 &
ears=$!

before=$(ticks)
printf 'minute\tRSS\troutines\tfiles\tCPU%%\tlanes\tstore\n'
for ((n = 1; ; n++)); do
  sleep "$every"
  sample
  kill -0 "$ears" 2>/dev/null || break
  kill -0 "$server" 2>/dev/null || {
    fail "the server ended"
    break
  }
  if ((n % 3 == 1)); then
    kill -KILL "$main"
    wait "$main" 2>/dev/null || :
  elif ((n % 3 == 2)); then
    main_feed
  fi
done
wait "$ears" || fail "the listener was not content"
ears=''
cat "$tmp/heard" >&2
kill "$main" "$spare" 2>/dev/null || :
main='' spare=''
kill "$server"
wait "$server" || fail "the server ended with $?"
server=''
judge
[ "$wrong" = 0 ]
