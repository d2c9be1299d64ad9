#!/usr/bin/env bash
# All programs of this folder, one after the other: about 45 minutes. Ends with 1 when
# anything was wrong or a program is missing.
# usage: infra/broadcasters/all.sh
set -uo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
failed=0
for script in "$here"/*.sh; do
  case ${script##*/} in all.sh | stage.sh) continue ;; esac
  timeout 1200 "$script" || failed=1
done
exit "$failed"
