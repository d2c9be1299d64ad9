#!/usr/bin/env bash
# Measures what Longwave promises, in three quarters of an hour: `make bench`.
#
#   infra/bench/run.sh                  everything
#   infra/bench/run.sh -only waiting    one group; -h names them
#
# The table goes to standard output, progress to standard error, and the figures
# with their circumstances to bench/ as JSON.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export GOFLAGS=${GOFLAGS:--tags=nolibopusfile}
mkdir -p bin bench
go build -o bin/longwave ./cmd/longwave
go build -o bin/bench ./infra/bench
go build -o bin/bursts ./infra/bench/acoustic/bursts
exec bin/bench "$@"
