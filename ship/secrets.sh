#!/bin/sh
# Make the secrets of ship/compose.yaml that nobody has to remember, where they are not there yet.
# Only the address of your node is yours to write: ship/secrets/ETH_RPC.
set -eu
umask 077
folder="$(dirname "$0")/secrets"
mkdir -p "$folder"
chmod 0700 "$folder"

make() {
    [ -s "$folder/$1" ] || openssl rand -hex 32 >"$folder/$1"
}

make web-token
make postgres-password
make grafana-password
[ -s "$folder/UNDERKEEL_DATABASE" ] ||
    printf 'postgresql+psycopg://underkeel:%s@postgres:5432/underkeel\n' \
        "$(cat "$folder/postgres-password")" >"$folder/UNDERKEEL_DATABASE"
[ -e "$folder/ETH_RPC" ] || : >"$folder/ETH_RPC"

# Containers read them as users of their own; on this machine the folder keeps everybody else out.
chmod 0444 "$folder"/*
[ -s "$folder/ETH_RPC" ] || echo "write your node's URL into $folder/ETH_RPC" >&2
