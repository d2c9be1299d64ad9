#!/usr/bin/env bash
# Puts a conversation on the air, as `make run` does: starts Longwave, and sends
# the bundled interview to its Icecast input, over and over, as a broadcaster's
# software would. Ctrl-C ends both.
#
#   PORT=8080         where to listen
#   PROFILE=low       fast, low, calm or plain: how far behind listeners are
#   DATA=./data       what is kept: the secret and the segments
#   METRICS=127.0.0.1:9464   the operator's listener
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

port=${PORT:-8080}
profile=${PROFILE:-low}
data=${DATA:-./data}
metrics=${METRICS:-127.0.0.1:9464}
station='talk'
address=http://localhost:$port/$station/

say() { printf 'demo: %s\n' "$*" >&2; }

# start runs a program in the background, out of reach of the terminal's Ctrl-C
# (the end is ours to order), and takes it along should this script be killed.
start() { setpriv --pdeathsig TERM setsid "$@" </dev/null & }

# Processes of ours, empty while they do not run.
server='' push=''

# end stops the sound, then the server, which finishes what it has begun.
end() {
  trap - EXIT
  trap 'kill -KILL $server $push 2>/dev/null' INT TERM
  [ -z "$push" ] || kill "$push" 2>/dev/null || :
  if [ -n "$server" ] && kill -INT "$server" 2>/dev/null; then
    say "ending"
    wait "$server" || :
  fi
  rm -rf "$tmp"
}

alive() { kill -0 "$1" 2>/dev/null; }

# nap waits, and a signal cuts it short.
nap() { sleep "$1" & wait $! || :; }

await_ready() {
  local tries=100
  while ((tries-- > 0)); do
    nap 0.2
    alive "$server" || return 1
    curl -fsS -m 2 -o "$tmp/ready" "http://127.0.0.1:$port/readyz" 2>"$tmp/why" && return
  done
  say "not ready after 20 s: $(head -n 1 "$tmp/ready" "$tmp/why" 2>/dev/null)"
  return 1
}

# The token goes to ffmpeg in a file, not on its command line where ps shows it.
push_conversation() {
  start ffmpeg -hide_banner -nostdin -v error \
    -re -stream_loop -1 -i infra/demo/conversation.ogg \
    -c:a libopus -b:a 64k -page_duration 20000 -content_type audio/ogg \
    -fpre "$tmp/icecast.ffpreset" -f ogg "icecast://127.0.0.1:$port/ice/$station"
  push=$!
}

# Asked before ours is there to answer.
if curl -s -m 2 -o /dev/null "http://127.0.0.1:$port/"; then
  say "port $port is taken by another program: end that one or choose another: make run PORT=8081"
  exit 2
fi
tmp=$(mktemp -d)
chmod 700 "$tmp"
trap end EXIT
trap 'exit 0' INT TERM

start bin/longwave serve --listen ":$port" --data "$data" --profile "$profile" --metrics "$metrics"
server=$!
await_ready || {
  wait "$server" || exit $?
  exit 1
}
bin/longwave token --data "$data" --station "$station" --role speaker --name Demo --expires 24h |
  sed 's/^/password=/' >"$tmp/icecast.ffpreset"
say "on the air: open $address"

while alive "$server"; do
  push_conversation
  wait -n "$server" "$push" || :
  alive "$server" || break
  say "the conversation was cut off, again in a second"
  nap 1
done
wait "$server"
