#!/bin/bash
# costs.sh FRISCY ROOTFS.tar: what docs/limits.md says of costs, measured. Times are of the least disturbed round.
set -e
friscy=$1 rootfs=$2 here=$(dirname "$0") dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export FRISCY_CACHE=$dir/cache

# The value that N runs of a command print at least.
least() {
    local n=$1
    shift
    for _ in $(seq "$n"); do "$@"; done | sort -n | head -n 1
}

cp "$rootfs" "$dir/image.tar"
head -c 130000000 /dev/urandom > "$dir/ballast"
tar -C "$dir" -rf "$dir/image.tar" ./ballast
"$friscy" run "$dir/image.tar" true
elapsed() {
    local begin=$EPOCHREALTIME
    "$friscy" run "$dir/image.tar" true
    local end=$EPOCHREALTIME
    echo "$(((${end/./} - ${begin/./}) / 100))" | sed 's/.$/.& ms/'
}
echo "second run of true, image of $(($(stat -c %s "$dir/image.tar") / 1000000)) MB: $(least 21 elapsed)"
"$friscy" run "$dir/image.tar" sleep 2 &
sleep 1
echo "memory of its own: $(awk '/RssAnon|RssShmem/ { sum += $2 } END { print sum }' /proc/$!/status) KB"
wait

riscv64-linux-gnu-gcc -O1 -static -o "$dir/rounds" "$here/rounds.c"
riscv64-linux-gnu-gcc -O1 -static -w -pthread -fno-optimize-sibling-calls -o "$dir/bombs" "$here/bombs.c"
inside() { "$friscy" run -v "$dir/rounds:/rounds:ro" "$rootfs" /rounds "$@"; }
echo "fork, exec and wait, static: $(least 7 inside /rounds 200)"
echo "fork, exec and wait, dynamic: $(least 7 inside /bin/true 200)"

# What friscy takes most of while a guest runs.
peak() {
    local pid memory=0 fds=0 maps=0 now begin=$EPOCHREALTIME
    "$friscy" run --memory 1g "$dir/bombs" "$1" > "$dir/out" &
    pid=$!
    while kill -0 "$pid" 2> /dev/null; do
        now=$(awk '/RssAnon|RssShmem/ { sum += $2 } END { print sum + 0 }' "/proc/$pid/status" 2> /dev/null || true)
        memory=$((now > memory ? now : memory))
        now=$(ls "/proc/$pid/fd" 2> /dev/null | wc -l || true)
        fds=$((now > fds ? now : fds))
        now=$(cat "/proc/$pid/maps" 2> /dev/null | wc -l || true)
        maps=$((now > maps ? now : maps))
        sleep 0.02
    done
    wait "$pid"
    now=$EPOCHREALTIME
    now=$(((${now/./} - ${begin/./}) / 1000))
    echo "$1 ($(head -n 1 "$dir/out")): $now ms, $((memory / 1024)) MB, $fds descriptors, $maps mappings"
}
peak many
peak fork
peak threads
