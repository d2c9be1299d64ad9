#!/usr/bin/env bash
# GStreamer's shout2send, Opus to Icecast by libshout.
# usage: infra/broadcasters/gst-icecast.sh [SCENE...]
set -euo pipefail
program=gst-icecast
# shellcheck source-path=SCRIPTDIR source=stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

prepare() { need gst-launch-1.0; }

configure() { key=$1; }

launch() {
  start gst-launch-1.0 -e filesrc location="$sound" ! flacparse ! flacdec ! audioconvert ! opusenc bitrate=96000 ! oggmux max-delay=40000000 ! \
    shout2send ip=127.0.0.1 port="$port" username=source password="$key" mount=/ice/talk >"$tmp/program.log" 2>&1
  pid=$!
}

stays_away=yes # it ends when the connection does, and says so

goodbye() { kill -INT "$pid"; }

play "$@"
