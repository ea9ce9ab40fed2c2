#!/bin/sh
# images.sh ROOTFS DIR: makes images of busybox with Debian's tools in DIR, one a form. ROOTFS is a folder with a static
# busybox for riscv64. Nothing is fetched, and nothing outside DIR is written.
set -eu
rootfs=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
export SOURCE_DATE_EPOCH=1767225600 TMPDIR="$dir/work" XDG_RUNTIME_DIR="$dir/work" HOME="$dir/work"
mkdir -p "$dir/work"
cd "$dir/work"

# A root file system.
mkdir -p root/bin root/etc root/tmp root/data/old
cp "$rootfs/usr/bin/busybox" root/bin/busybox
for name in sh ls cat env id pwd echo true find sort stat readlink printf; do ln -s busybox root/bin/$name; done
printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n' > root/etc/passwd
printf 'root:x:0:\napp:x:1000:\nstaff:x:50:app\n' > root/etc/group
echo below > root/data/old/below
echo gone > root/data/gone
echo stays > root/data/stays
mkdir -p upper/data/old
echo above > upper/data/old/above
ln upper/data/old/above upper/data/old/link

# umoci: layers with an opaque folder, a whiteout and a hard link; gzip.
umoci init --layout "$dir/layout"
umoci new --image "$dir/layout:test"
umoci insert --image "$dir/layout:test" root / > /dev/null
umoci insert --image "$dir/layout:test" --whiteout /data/gone
umoci insert --image "$dir/layout:test" --opaque upper/data/old /data/old > /dev/null
umoci config --image "$dir/layout:test" --architecture riscv64 --os linux \
    --config.entrypoint /bin/sh --config.entrypoint -c --config.cmd 'echo "$GREETING"; id; pwd; env | sort' \
    --config.env GREETING=hello --config.env PATH=/bin --config.user app:staff --config.workingdir /srv/app

# skopeo: the same in every other form.
copy() { skopeo --insecure-policy copy --quiet "$@"; }
copy oci:"$dir/layout":test docker-archive:"$dir/docker.tar":friscy/test:1
copy oci:"$dir/layout":test oci-archive:"$dir/oci.tar":test
copy --dest-compress-format zstd --dest-compress oci:"$dir/layout":test oci:"$dir/zstd":test
gzip -k -n "$dir/oci.tar"

# The form of docker 25 and later: a layout that has docker's manifest, too.
mkdir both
tar -C both -xf "$dir/oci.tar"
manifest=$(sed -n 's/.*"digest":"sha256:\([0-9a-f]*\)".*/\1/p' both/index.json)
config=$(jq -r .config.digest both/blobs/sha256/$manifest | tr : /)
jq -c --arg config "blobs/$config" \
    '[{Config: $config, RepoTags: ["friscy/test:1"], Layers: [.layers[].digest | "blobs/" + sub(":"; "/")]}]' \
    both/blobs/sha256/$manifest > both/manifest.json
tar -C both -cf "$dir/both.tar" .

# buildah: what a Dockerfile would make, as docker saves it and as OCI.
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah="buildah --root $dir/work/storage --runroot $dir/work/run"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' > policy.json
container=$($buildah from --arch riscv64 scratch)
$buildah copy --quiet "$container" root / > /dev/null
$buildah config --arch riscv64 --os linux --cmd '["echo","from buildah"]' --entrypoint '[]' "$container"
$buildah commit --quiet --signature-policy policy.json "$container" oci-archive:"$dir/buildah.tar" > /dev/null
$buildah config --arch amd64 "$container"
$buildah commit --quiet --signature-policy policy.json "$container" docker-archive:"$dir/amd64.tar":amd64 > /dev/null
$buildah rm "$container" > /dev/null

# A plain root file system.
tar -C root -cf "$dir/root.tar" .
gzip -k -n "$dir/root.tar"
zstd -q -k "$dir/root.tar"
mv root "$dir/root"
cd "$dir"
chmod -R u+w work
rm -rf work
