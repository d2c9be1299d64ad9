#!/usr/bin/env bash
# GStreamer's rtmp2sink, AAC by RTMP.
# usage: infra/broadcasters/gst-rtmp.sh [SCENE...]
set -euo pipefail
program=gst-rtmp
# shellcheck source-path=SCRIPTDIR source=stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

prepare() { need gst-launch-1.0; }

configure() { key=$1; }

launch() {
  start gst-launch-1.0 -e filesrc location="$sound" ! flacparse ! flacdec ! audioconvert ! avenc_aac bitrate=128000 ! aacparse ! \
    flvmux streamable=true ! rtmp2sink sync=true location="rtmp://127.0.0.1:$rtmp_port/live/$key" >"$tmp/program.log" 2>&1
  pid=$!
}

stays_away=yes # it ends when the connection does, and says so

goodbye() { kill -INT "$pid"; }

play "$@"
