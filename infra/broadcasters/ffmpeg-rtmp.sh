#!/usr/bin/env bash
# ffmpeg, AAC by RTMP, with a title.
# usage: infra/broadcasters/ffmpeg-rtmp.sh [SCENE...]
set -euo pipefail
program=ffmpeg-rtmp
# shellcheck source-path=SCRIPTDIR source=stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

prepare() { need ffmpeg; }

configure() { key=$1; }

title='Lighthouse - Grüße'

launch() {
  start ffmpeg -hide_banner -nostdin -v warning -re -i "$sound" -c:a aac -b:a 128k -metadata title="$title" \
    -f flv "rtmp://127.0.0.1:$rtmp_port/live/$key" >"$tmp/program.log" 2>&1
  pid=$!
}

stays_away=yes # it ends when the connection does, and says so

goodbye() { kill -INT "$pid"; }

play "$@"
