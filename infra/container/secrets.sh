#!/usr/bin/env bash
# Makes what compose.yaml keeps secret, once: infra/container/secrets, which only you can enter and git does not take.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
mkdir -p secrets
chmod 700 secrets
random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
[ -e secrets/longwave.secret ] || random 32 >secrets/longwave.secret
if [ ! -e secrets/bucket.env ]; then
  id=longwave$(random 4) key=$(random 20)
  printf '%s\n' "AWS_ACCESS_KEY_ID=$id" "AWS_SECRET_ACCESS_KEY=$key" \
    "LONGWAVE_S3_ACCESS_KEY=$id" "LONGWAVE_S3_SECRET_KEY=$key" >secrets/bucket.env
fi
# The nodes have a user of their own, to whom a file of the folder is handed in.
chmod 644 secrets/longwave.secret
