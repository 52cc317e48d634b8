#!/bin/sh
# Opens one message with the `jose` command of Debian: open.sh KEY SIGNERS RECIPIENT NOW < message. KEY is the service's
# private JWK, SIGNERS our public JWK Set, NOW a time in UTC (2026-01-31T09:00:00Z). Prints the CloudEvent, or ends with 1.
set -eu
key=$1 signers=$2 recipient=$3 now=$4
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
tr -d '\n' > "$dir/jwe"

# One member of a protected header: header FILE MEMBER. The command itself takes whatever algorithm a header names.
header() {
    cut -d. -f1 "$1" | tr -d '\n' | jose b64 dec -i- | jose fmt -j- -Og "$2" -Su-
}
refuse() {
    echo "refused: $1" >&2
    exit 1
}

[ "$(header "$dir/jwe" alg)" = ECDH-ES+A256KW ] || refuse 'alg'
[ "$(header "$dir/jwe" enc)" = A256GCM ] || refuse 'enc'
jose jwe dec -i "$dir/jwe" -k "$key" > "$dir/jws"
[ "$(header "$dir/jws" alg)" = ES256 ] || refuse 'alg of the signature'
jose jws ver -i "$dir/jws" -k "$signers" -O "$dir/event"
attribute() {
    jose fmt -j "$dir/event" -Og "$1" -Su-
}
[ "$(attribute recipient)" = "$recipient" ] || refuse 'addressed to somebody else'
# Times in UTC of one form sort as texts.
expires=$(attribute expirytime)
[ "$(printf '%s\n%s\n' "$now" "$expires" | LC_ALL=C sort | head -n 1)" != "$expires" ] || refuse 'expired'
cat "$dir/event"
