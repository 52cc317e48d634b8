#!/bin/sh
# Installs priorityd on a fresh Debian 12 that systemd runs, by the words of deploy/operating.md, and has it work as a service:
# unit.sh PRIORITYD. Needs root, and of Debian debootstrap, util-linux and iproute2. The machine is a folder below target/ with
# namespaces of its own for processes, mounts, network and control groups; the kernel is this one's, and its settings are kept.
set -eu
program=$(realpath "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
dir="${CARGO_TARGET_DIR:-$root/target}/unit"
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
machine="$dir/machine"

if [ ! -e "$dir/base.done" ]; then
    rm -rf "$dir/base"
    debootstrap --variant=minbase --include=systemd,dbus,ca-certificates,openssl,zlib1g bookworm "$dir/base" http://deb.debian.org/debian > "$dir/debootstrap.log"
    touch "$dir/base.done"
fi
rm -rf "$machine"
cp -a "$dir/base" "$machine"
mkdir -p "$machine/src/target/release" "$machine/usr/share/bash-completion/completions"
cp -r "$root/deploy" "$machine/src/"
cp "$program" "$machine/src/target/release/priorityd"

# Blocks of the guide: of the installation the first, of the ceremony all up to the start of the service.
blocks() {
    awk -v heading="## $1" -v last="$2" '
        /^## / { here = ($0 == heading) }
        here && /^```sh$/ { open = 1; next }
        open && /^```$/ { open = 0; if (seen) exit; next }
        open { print; if ($0 ~ last) seen = 1 }
    ' "$root/deploy/operating.md"
}
{
    echo 'set -eux; cd /src'
    # It was built already.
    blocks Install 'completions bash' | grep -v '^cargo build'
    echo 'cd /etc/priorityd'
    blocks 'Key ceremony' 'systemctl enable'
} > "$machine/src/install.sh"
[ "$(grep -c 'systemctl enable --now\|install -m 755\|agreement sign' "$machine/src/install.sh")" = 3 ]

cat > "$machine/src/work.sh" <<'INNER'
set -eux
priorityd='/usr/bin/priorityd'
config='--config /etc/priorityd/priorityd.toml'
ready() {
    turns=0
    until $priorityd healthcheck $config; do
        turns=$((turns + 1))
        [ "$turns" -lt 60 ]
        sleep 1
    done
}
is() {
    systemctl show priorityd --property "$1" | grep -x "$1=$2"
}
logged() {
    turns=0
    until journalctl --no-pager --output cat --unit priorityd | grep "$1"; do
        turns=$((turns + 1))
        [ "$turns" -lt 60 ]
        sleep 1
    done
}
ready
setpriv --reuid=priorityd --regid=priorityd --clear-groups $priorityd check $config
# The ring as it lies is root's alone, and the signer's private key nobody else's.
for secret in /etc/priorityd/keys/vault.1.jwk.json /etc/priorityd/signers/ig_lead.jwk.json; do
    if setpriv --reuid=priorityd --regid=priorityd --clear-groups cat "$secret" > /dev/null; then exit 1; fi
done
systemctl reload priorityd
logged 'another level of the logs counts'
# What kills it is not the end of it.
systemctl kill --signal=KILL priorityd
until is NRestarts 1; do sleep 1; done
ready
systemctl stop priorityd
is Result success && is ExecMainStatus 0 && is ActiveState inactive
# A fault of the configuration is for a person: it is not started again and again.
sed -i 's/^log_level = .*/log_level = "loud"/' /etc/priorityd/priorityd.toml
if ! systemctl start priorityd; then :; fi
until is ActiveState failed; do sleep 1; done
is ExecMainStatus 78
INNER

cat > "$dir/boot.sh" <<'INNER'
set -eu
cd "$1"
mount --bind . .
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in run tmp dev; do mount -t tmpfs tmpfs "$folder"; done
for device in null zero full random urandom tty; do cp -a "/dev/$device" dev/; done
mkdir dev/pts dev/shm
mount -t devpts devpts dev/pts
ln -s pts/ptmx dev/ptmx
ip link set lo up
mkdir -p old
pivot_root . old
umount --lazy old
# As a manager of containers leaves it: what a unit's own namespace mounts is seen.
mount --make-rshared /
exec env -i container=unit PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target
INNER
unshare --pid --fork --kill-child --mount --propagation private --uts --ipc --net --cgroup sh "$dir/boot.sh" "$machine" > "$dir/boot.log" 2>&1 &
booted=$!
trap 'kill -KILL "$booted" 2> "$dir/end.log" || true' EXIT
inside() {
    read -r first < "/proc/$booted/task/$booted/children"
    nsenter --target "$first" --all "$@"
}
turns=0
until inside systemctl is-active multi-user.target > "$dir/wait.log" 2>&1; do
    turns=$((turns + 1))
    if [ "$turns" -gt 60 ]; then
        cat "$dir/boot.log" "$dir/wait.log" >&2
        exit 1
    fi
    sleep 1
done
for script in install work; do
    if ! inside bash "/src/$script.sh" > "$dir/$script.log" 2>&1; then
        tail -n 40 "$dir/$script.log" >&2
        inside journalctl --no-pager --output cat --unit priorityd >&2
        exit 1
    fi
done
echo "unit: installed by the guide, started by systemd, reloaded, killed and back, stopped with 0, and refused a bad configuration once"
