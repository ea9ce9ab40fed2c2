#!/bin/sh
# Runs a command in a root file system on Linux with qemu-user, through binfmt_misc: the referee of the conformance tests.
# What it writes is lost. usage: referee.sh ROOTFS-FOLDER CMD ARG…   (as root; REFEREE_USER=UID:GID runs it as another)
set -e
if [ "$1" != --inside ]; then
    exec unshare --mount --pid --fork --uts --ipc --kill-child sh "$0" --inside "$@"
fi
root=$(realpath "$2")
shift 2
hostname friscy
# A folder of this mount namespace alone, where the root file system is not.
case $root in /mnt/*) work=/tmp ;; *) work=/mnt ;; esac
mount -t tmpfs friscy-referee "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay friscy-referee -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/work" "$work/root"
mount -t proc proc "$work/root/proc"
mount --rbind /dev "$work/root/dev"
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 friscy-referee "$work/root/dev/shm"
cd /
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOSTNAME=friscy HOME=/root \
    chroot --userspec="${REFEREE_USER:-0:0}" "$work/root" "$@"
