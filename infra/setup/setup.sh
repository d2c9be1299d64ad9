#!/usr/bin/env bash
# Brings a fresh Debian or Ubuntu machine to where Longwave can be built:
#
#   infra/setup/setup.sh run     what `make run` needs
#   infra/setup/setup.sh test    that, and what `make test` and `make bench` need
#   infra/setup/setup.sh firefox that, and what `make firefox` needs
#
# It looks first and installs only what is missing, one line a thing. When all
# is there it says nothing and takes a fraction of a second.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
what=${1:-}
cd "$root"

# One reason a line:
run_packages=(
  gcc libc6-dev pkg-config # cgo
  libopus-dev              # Opus, linked
  libopusfile-dev          # only for a plain `go build` without -tags=nolibopusfile
  libavcodec-dev           # AAC, linked
  libavutil-dev            # AAC, linked
  ffmpeg                   # decodes what is not Opus; pushes the demo
  ca-certificates curl     # Go modules over TLS; waiting for readiness
)
test_packages=(
  chromium             # plays the page
  liquidsoap           # pushes to the Icecast input, as radio stations do
  ezstream             # the same through libshout
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav # send SRT
  espeak-ng sox        # make speech and tones
  mpv                  # plays what knows no content steering
  wrk                  # load, for the benchmark
  iproute2 nftables    # networks of namespaces: NAT, firewalls, lost packets
  coturn               # a TURN server in such a network
  varnish haproxy trafficserver nginx # caches before a node, as a CDN's
  prometheus           # promtool judges the alerts
  systemd              # systemd-analyze reads the units
  shellcheck           # reads the scripts
)
firefox_packages=(
  firefox-esr                 # the other engine, in the studio
  pulseaudio pulseaudio-utils # its microphone and loudspeaker
)

say() { printf 'set-up: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# missing prints those of its arguments that dpkg does not know as installed.
missing() {
  local have
  have=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p') || :
  printf '%s\n' "$@" | grep -vxF -e "${have:-none}" || :
}

# as_root runs a command as root, by sudo where we are not.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

may_be_root() {
  [ "$(id -u)" -eq 0 ] && return 0
  command -v sudo >/dev/null || return 1
  sudo -n true 2>/dev/null || [ -t 0 ] # sudo may ask where there is a terminal
}

apt_install() {
  local log=$root/bin/setup-apt.log opts=(-y -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3)
  mkdir -p "$root/bin"
  may_be_root || die "missing packages and no root: run as root: apt-get install -y --no-install-recommends $*"
  say "apt packages: $*"
  quiet_services "$@"
  {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update "${opts[@]}" &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${opts[@]}" --no-install-recommends "$@"
  } >"$log" 2>&1 </dev/null || {
    tail -n 5 "$log" >&2
    services_off "$@"
    die "apt-get failed, the whole story is in bin/setup-apt.log"
  }
  services_off "$@"
}

# services prints the units that installing these packages would start and enable. The
# tests start such programs by themselves, so nothing is to run afterwards that did not
# before.
services() {
  local p
  [ -d /run/systemd/system ] || return 0
  for p in "$@"; do
    case $p in
      coturn | haproxy | trafficserver | nginx | prometheus) echo "$p.service" ;;
      varnish) echo varnish.service varnishncsa.service | tr ' ' '\n' ;;
    esac
  done
}

# quiet_services keeps them from being started by their installation.
quiet_services() {
  local unit
  for unit in $(services "$@"); do
    as_root systemctl --quiet mask --runtime "$unit" || :
  done
}

# services_off leaves them as programs that somebody may enable.
services_off() {
  local unit
  for unit in $(services "$@"); do
    as_root systemctl --quiet unmask --runtime "$unit" || :
    as_root systemctl --quiet disable --now "$unit" 2>/dev/null || continue
    say "$unit is there for the tests alone: it does not run and does not start by itself"
  done
}

check_go() {
  local want version
  want=$(sed -n 's/^go \([0-9.]*\).*/\1/p' go.mod)
  command -v go >/dev/null ||
    die "Go $want or newer is needed and there is none: install it from https://go.dev/doc/install and put it on the PATH"
  # In the module's folder an older Go fetches the one that go.mod names, unless
  # it is forbidden to.
  version=$(go env GOVERSION 2>&1) ||
    die "Go $want or newer is needed ($version): install it from https://go.dev/doc/install"
}

node_major() { { node --version 2>/dev/null || echo v0; } | sed 's/^v\([0-9]*\).*/\1/'; }

# node_packages prints the packages that bring Node.js 20 and npm, nothing when
# they are there. It fails with a line when this system's own Node.js is older.
node_packages() {
  if [ "$(node_major)" -ge 20 ] && command -v npm >/dev/null; then return; fi
  local found candidate
  found=$(node --version 2>/dev/null || echo none)
  candidate=$(apt-cache policy nodejs 2>/dev/null | sed -n 's/.*Candidate: \(\([0-9]*\):\)\{0,1\}\([0-9]*\).*/\3/p')
  if [ "$found" = none ] && [ "${candidate:-0}" -ge 20 ]; then
    echo nodejs npm
    return
  fi
  die "Node.js 20 or newer with npm is needed (found: $found, packaged here: ${candidate:-none}): install it from https://nodejs.org/en/download"
}

# drivable OWN NAME...: a browser that a test can drive, OWN or the first of the
# names that is there. A snap cannot be: it sees neither the tests' temporary
# folders nor their pipes.
drivable() {
  local own=$1 c
  shift
  [ -n "$own" ] && [ -x "$own" ] && return 0
  for c in "$@"; do
    c=$(command -v "$c") || continue
    case $(readlink -f "$c") in /snap/* | */snap) continue ;; esac
    grep -qI 'exec /snap/' "$c" && continue # Ubuntu's firefox is a script that starts the snap
    return 0
  done
  return 1
}

chromium_ok() { drivable "${CHROMIUM:-}" chromium google-chrome-stable google-chrome; }
firefox_ok() { drivable "${FIREFOX:-}" firefox-esr firefox; }

distribution() { sed -n 's/^ID=//p' /etc/os-release 2>/dev/null | tr -d '"'; }

check_browsers() {
  [ "$(distribution)" = ubuntu ] || return 0 # Debian's packages are in the list
  chromium_ok ||
    die "Ubuntu has Chromium only as a snap, which tests cannot drive: install Google Chrome's .deb from https://www.google.com/chrome/ or set CHROMIUM to a browser of your own"
  [ "$what" != firefox ] || firefox_ok ||
    die "Ubuntu has Firefox only as a snap, which tests cannot drive: install Mozilla's .deb (https://support.mozilla.org/kb/install-firefox-linux) or set FIREFOX to a browser of your own"
}

# wanted_packages prints the packages of this set that are to be looked for.
wanted_packages() {
  printf '%s\n' "${run_packages[@]}"
  [ "$what" != run ] || return 0
  [ "$what" = firefox ] && test_packages+=("${firefox_packages[@]}")
  local p
  for p in "${test_packages[@]}"; do
    [ "$p" = chromium ] && chromium_ok && continue
    [ "$p" = firefox-esr ] && firefox_ok && continue
    echo "$p"
  done
  node_packages | tr ' ' '\n'
}

packages() {
  local wanted lack
  command -v dpkg-query >/dev/null || {
    if pkg-config --exists opus libavcodec libavutil 2>/dev/null && command -v ffmpeg >/dev/null; then return; fi
    die "no apt here: install the C libraries opus, libavcodec and libavutil with pkg-config, and ffmpeg, by hand"
  }
  wanted=$(wanted_packages)
  # shellcheck disable=SC2086 # one word a package
  lack=$(missing $wanted)
  # shellcheck disable=SC2086
  [ -z "$lack" ] || apt_install $lack
  pkg-config --atleast-version=59.37 libavcodec ||
    die "libavcodec 59.37 (FFmpeg 5.1) or newer is needed: Debian 12 and Ubuntu 23.04 are the first that have it"
}

# once NAME FILE MESSAGE COMMAND... runs the command unless it was run for the
# same bytes of FILE before.
once() {
  local stamp=$root/bin/.setup/$1 file=$2 message=$3 sum
  shift 3
  sum=$(sha256sum <"$file")
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && return
  say "$message"
  "$@"
  mkdir -p "${stamp%/*}"
  printf '%s\n' "$sum" >"$stamp"
}

# folders_with FILE prints the folders of the project that hold such a file.
folders_with() {
  find . -name node_modules -prune -o -path ./.git -prune -o -path ./bin -prune -o -name "$1" -printf '%h\n' | sort
}

go_modules() {
  local d
  for d in $(folders_with go.sum); do
    [ "$what" = run ] && [ "$d" != . ] && continue
    once "go-modules${d//\//-}" "$d/go.sum" "Go modules of $d" go_download "$d"
  done
}

go_download() {
  env -C "$1" go mod download || die "the Go modules of $1 cannot be had, see the line above: is there a way to GOPROXY ($(go env GOPROXY))?"
}

npm_packages() {
  local d log=$root/bin/setup-npm.log
  for d in $(folders_with package-lock.json); do
    [ -d "$d/node_modules" ] || rm -f "bin/.setup/npm${d//\//-}"
    once "npm${d//\//-}" "$d/package-lock.json" "npm packages of $d" npm_ci "$d" "$log"
  done
}

npm_ci() {
  mkdir -p "$root/bin"
  env -C "$1" npm ci --no-audit --no-fund --loglevel=error >"$2" 2>&1 </dev/null || {
    tail -n 5 "$2" >&2
    die "npm ci failed in $1, the whole story is in bin/setup-npm.log"
  }
}

main() {
  case $what in
  run | test | firefox) ;;
  *) die "usage: infra/setup/setup.sh run|test|firefox" ;;
  esac
  check_go
  [ "$what" = run ] || check_browsers
  packages
  go_modules
  [ "$what" = run ] || npm_packages
}

main
