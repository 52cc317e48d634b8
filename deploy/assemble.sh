#!/bin/sh
# Makes the root of an image that holds one program: assemble.sh PROGRAM ROOT.
set -eu
program=$1 root=$2
[ -f /etc/ssl/certs/ca-certificates.crt ] || { echo "assemble: install ca-certificates first" >&2; exit 1; }
mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/etc/priorityd" "$root/var/lib/priorityd" "$root/run/priorityd"
cp "$program" "$root/usr/bin/priorityd"
# Every library that the loader names, at the place where it looks for it, and the loader itself.
ldd "$program" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
printf 'priorityd:x:65532:65532::/var/lib/priorityd:/sbin/nologin\n' > "$root/etc/passwd"
printf 'priorityd:x:65532:\n' > "$root/etc/group"
# What the daemon writes, where it writes at all.
chown -R 65532:65532 "$root/var/lib/priorityd" "$root/run/priorityd"
chmod 700 "$root/var/lib/priorityd" "$root/run/priorityd"
