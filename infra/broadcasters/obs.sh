#!/usr/bin/env bash
# OBS Studio: AAC by RTMP, and a small picture that is thrown away.
# usage: infra/broadcasters/obs.sh [SCENE...]
set -euo pipefail
program=obs
# shellcheck source-path=SCRIPTDIR source=stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

configure() {
  local config=$HOME/.config/obs-studio
  mkdir -p "$config/basic/profiles/Radio" "$config/basic/scenes"
  cat >"$config/global.ini" <<INI
[General]
FirstRun=true
LastVersion=486539266
EnableAutoUpdates=false
InfoIncrement=1
Pre19Defaults=false
Pre21Defaults=false
Pre23Defaults=false
Pre24.1Defaults=false
[Basic]
Profile=Radio
ProfileDir=Radio
SceneCollection=Radio
SceneCollectionFile=Radio
ConfigOnNewProfile=false
[BasicWindow]
SysTrayEnabled=false
WarnBeforeStartingStream=false
WarnBeforeStoppingStream=false
INI
  cat >"$config/basic/profiles/Radio/basic.ini" <<INI
[General]
Name=Radio
[Output]
Mode=Simple
Reconnect=true
RetryDelay=2
MaxRetries=25
[SimpleOutput]
StreamEncoder=x264
VBitrate=100
ABitrate=160
Preset=ultrafast
[Video]
BaseCX=320
BaseCY=180
OutputCX=320
OutputCY=180
FPSType=1
FPSInt=5
[Audio]
SampleRate=48000
ChannelSetup=Stereo
INI
  cat >"$config/basic/profiles/Radio/service.json" <<JSON
{"type": "rtmp_custom", "settings": {"server": "rtmp://127.0.0.1:$rtmp_port/live", "key": "$1", "use_auth": false}}
JSON
  cat >"$config/basic/scenes/Radio.json" <<JSON
{"name": "Radio", "current_scene": "Studio", "current_program_scene": "Studio", "scene_order": [{"name": "Studio"}],
 "sources": [
  {"id": "ffmpeg_source", "name": "Microphone", "mixers": 255, "volume": 1.0, "enabled": true, "muted": false,
   "settings": {"local_file": "$sound", "looping": true, "is_local_file": true, "restart_on_activate": false, "close_when_inactive": false}},
  {"id": "scene", "name": "Studio", "enabled": true,
   "settings": {"id_counter": 1, "custom_size": false, "items": [{"name": "Microphone", "id": 1, "visible": true,
     "pos": {"x": 0.0, "y": 0.0}, "scale": {"x": 1.0, "y": 1.0}, "bounds": {"x": 0.0, "y": 0.0}}]}}]}
JSON
}

launch() {
  start obs --startstreaming --disable-updater --multi --collection Radio --profile Radio >"$tmp/obs.log" 2>&1
  pid=$!
}

prepare() {
  need obs Xvfb openbox xdotool import
  start_screen
}

# The button "Stop Streaming" is the first of the controls.
goodbye() {
  local w
  w=$(window '^OBS ')
  xdotool mousemove --window "$w" 980 537 click 1
}

play "$@"
