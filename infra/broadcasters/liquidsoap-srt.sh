#!/usr/bin/env bash
# liquidsoap's output.url, AAC in MPEG-TS by SRT (Debian's has no output.srt).
# usage: infra/broadcasters/liquidsoap-srt.sh [SCENE...]
set -euo pipefail
program=liquidsoap-srt
# shellcheck source-path=SCRIPTDIR source=stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

prepare() { need liquidsoap; }

configure() {
  cat >"$HOME/srt.liq" <<LIQ
settings.init.allow_root.set(true)
settings.log.stdout.set(true)
settings.frame.audio.samplerate.set(48000)
output.url(url="srt://127.0.0.1:$srt_port?streamid=$1", fallible=true, restart_delay=2.,
  %ffmpeg(format="mpegts", %audio(codec="aac", b="128k", ar=48000, channels=2)), single("$sound"))
LIQ
}

launch() {
  start liquidsoap "$HOME/srt.liq" >"$tmp/program.log" 2>&1
  pid=$!
}

goodbye() { kill -INT "$pid"; }

play "$@"
