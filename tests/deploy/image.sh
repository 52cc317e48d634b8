#!/bin/sh
# Builds the image of deploy/Dockerfile and runs it, locked as the manifests lock it. Needs root, and of Debian buildah, podman,
# runc and debootstrap.
#
#   image.sh PRIORITYD    begins after the stages that compile, from a fresh Debian 12 that holds the program given
#   image.sh              every stage, from a fresh Debian 12 with gcc and rustup's toolchain of the version that the file
#                         names, in place of the registry's image: an hour of processor time, so for a release
#
# IMAGE_BUILD_OPTIONS goes to buildah: --env=CARGO_PROFILE_RELEASE_OPT_LEVEL=0 compiles in a third of the time.
#
# What is tested is what is shipped: assembling, the user, the read-only root, the check.
#
# Storage is under target/ and nowhere else; where this machine can run no container, the same image runs in a chroot.
set -eu
program=${1:+$(realpath "$1")}
root=$(cd "$(dirname "$0")/../.." && pwd)
dir="${CARGO_TARGET_DIR:-$root/target}/image"
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work="$dir/work"
export STORAGE_DRIVER="${STORAGE_DRIVER:-vfs}"
store() {
    tool=$1
    shift
    "$tool" --root "$dir/storage" --runroot "$dir/run" "$@"
}
clean() {
    store podman rm --all --force --time 0 > "$dir/clean.log" 2>&1 || true
    store buildah rm --all >> "$dir/clean.log" 2>&1 || true
    rm -rf "$work" "$dir/storage" "$dir/run" "$dir/chroot"
}
trap clean EXIT
clean
mkdir -p "$work"

# A base: base NAME PACKAGES PROGRAM… has those in it, or where folders are named, what they hold, under /usr/local.
base() {
    name=$1 packages=$2
    shift 2
    if [ ! -e "$dir/$name.done" ]; then
        rm -rf "${dir:?}/$name"
        debootstrap --variant=minbase --include="$packages" bookworm "$dir/$name" http://deb.debian.org/debian > "$dir/debootstrap.log"
        touch "$dir/$name.done"
    fi
    cp -r "$@" "$dir/$name/usr/local/"
    # Whom this machine trusts: it may reach the registry of crates through a proxy of its own.
    cp /etc/ssl/certs/ca-certificates.crt "$dir/$name/etc/ssl/certs/"
    from=$(store buildah from scratch)
    store buildah add --quiet "$from" "$dir/$name" / > "$dir/add.log"
    store buildah commit --quiet "$from" "localhost/$name" > "$dir/commit.log"
    store buildah rm "$from" > "$dir/rm.log"
}
if [ -n "$program" ]; then
    mkdir "$work/bin"
    cp "$program" "$work/bin/priorityd"
    base assemble ca-certificates,zlib1g "$work/bin"
    replaced=ASSEMBLE_FROM=localhost/assemble
else
    rust=$(sed -n 's/^ARG RUST=.*:\([0-9.]*\)-bookworm.*/\1/p' "$root/deploy/Dockerfile")
    toolchain=$(rustc "+$rust" --print sysroot)
    base rust ca-certificates,gcc,g++,libc6-dev,make,perl,zlib1g-dev "$toolchain/bin" "$toolchain/lib"
    replaced=RUST=localhost/rust
fi
# shellcheck disable=SC2086 # the words are meant to be parted
store buildah build --quiet --isolation chroot --format docker --build-arg "$replaced" ${IMAGE_BUILD_OPTIONS-} \
    --ignorefile "$root/deploy/Dockerfile.dockerignore" --file "$root/deploy/Dockerfile" --tag localhost/priorityd "$root" > "$dir/build.log"

# It holds nothing but what it needs.
mount=$(store buildah from localhost/priorityd)
tree=$(store buildah mount "$mount")
if [ -n "$(find "$tree" -name '*sh' -path '*bin*')" ] || [ -n "$(find "$tree" -perm /6000)" ]; then
    echo "image: there is a shell or a set-user-id file in it" >&2
    exit 1
fi
[ "$(store buildah inspect --format '{{.OCIv1.Config.User}}' "$mount")" = 65532:65532 ]
du -sh "$tree" | cut -f1 > "$dir/size"
rm -rf "$dir/chroot"
cp -a "$tree" "$dir/chroot"
# What was built is what makes the keys.
cp "$tree/usr/bin/priorityd" "$work/priorityd"
program="$work/priorityd"
store buildah umount "$mount" > "$dir/umount.log"
store buildah rm "$mount" >> "$dir/umount.log"

# A deployment as deploy/compose/prepare would make it, on the embedded log.
mkdir "$work/etc" "$work/data"
cd "$work/etc"
cp -r "$root/deploy/agreement.toml" "$root/deploy/policies" .
sed 's|^path = .*|path = "/var/lib/priorityd/priorityd.sqlite"|; s|^# metrics_listen|metrics_listen|' "$root/deploy/priorityd.toml" > priorityd.toml
"$program" keys new all --scope portsmouth > "$work/keys.log"
"$program" keys new agreement --party ig_lead --out signers >> "$work/keys.log"
"$program" agreement sign --key signers/ig_lead.jwk.json >> "$work/keys.log"
rm signers/ig_lead.jwk.json
chown -R 65532:65532 "$work/etc" "$work/data"
chmod 700 "$work/data"

# Waits for what is asked to be so.
wait_for() {
    turns=0
    until "$@" > "$dir/wait.log" 2>&1; do
        turns=$((turns + 1))
        if [ "$turns" -gt 60 ]; then
            cat "$dir/wait.log" "$dir"/daemon.log >&2
            return 1
        fi
        sleep 1
    done
}
ready() {
    in_image /usr/bin/priorityd healthcheck --config /etc/priorityd/priorityd.toml
}
check() {
    wait_for ready
    in_image /usr/bin/priorityd check --config /etc/priorityd/priorityd.toml > "$dir/check.log"
    # The root cannot be written, not even where the user could otherwise.
    if in_image /usr/bin/priorityd manual --out /run/priorityd/man > "$dir/write.log" 2>&1; then
        echo "image: its root can be written" >&2
        exit 1
    fi
}

locked="--read-only --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges --network none --pids-limit 128"
limits="--ulimit nofile=4096:4096 --ulimit nproc=4096:4096"
mounts="--volume $work/etc:/etc/priorityd:ro --volume $work/data:/var/lib/priorityd"
container() {
    # shellcheck disable=SC2086 # the words are meant to be parted
    store podman --cgroup-manager cgroupfs --runtime runc run --detach --name hub $locked $limits $mounts localhost/priorityd
}
if container > "$dir/daemon.log" 2>&1; then
    in_image() {
        store podman --cgroup-manager cgroupfs --runtime runc exec hub "$@"
    }
    check
    # As an engine asks by the image's own HEALTHCHECK.
    store podman --cgroup-manager cgroupfs --runtime runc healthcheck run hub
    store podman --cgroup-manager cgroupfs --runtime runc stop --time 30 hub > "$dir/stop.log"
    [ "$(store podman inspect --format '{{.State.ExitCode}}' hub)" = 0 ]
    echo "image: built, ran locked in a container, was healthy, ended with 0; $(cat "$dir/size")"
else
    # No container here: the same root read-only, the same user, no capability, and no network but loopback.
    echo "image: no container runs here: $(tail -n 1 "$dir/daemon.log")"
    cat > "$work/enter" <<'INNER'
set -eu
mount --bind "$1" "$1"
mount --bind "$2/etc" "$1/etc/priorityd"
mount --bind "$2/data" "$1/var/lib/priorityd"
mount -o remount,bind,ro "$1"
ip link set lo up
exec python3 "$2/chroot.py" "$1" /usr/bin/priorityd run --config /etc/priorityd/priorityd.toml
INNER
    cat > "$work/chroot.py" <<'INNER'
import os, sys
# The root first: changing it takes a capability that is gone after the user.
os.chroot(sys.argv[1])
os.chdir("/etc/priorityd")
os.setgroups([])
os.setgid(65532)
os.setuid(65532)
os.execv(sys.argv[2], sys.argv[2:])
INNER
    unshare --mount --net sh "$work/enter" "$dir/chroot" "$work" 2> "$dir/daemon.log" &
    daemon=$!
    in_image() {
        nsenter --target "$daemon" --mount --net python3 "$work/chroot.py" "$dir/chroot" "$@"
    }
    check
    kill -TERM "$daemon"
    wait "$daemon"
    echo "image: built, ran locked in a chroot, was healthy, ended with 0; $(cat "$dir/size")"
fi
