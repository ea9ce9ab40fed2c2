# What people do in a working folder, with tools that the host and the guest have alike.
set -e
umask 022
mkdir -p src/sub
for i in 1 2 3 4 5 6 7 8 9; do printf 'line %s\n' $i > src/sub/$i; done
printf '#!/bin/sh\necho run\n' > src/tool
chmod 755 src/tool
./src/tool
ln src/tool src/hard
ln -s sub/1 src/soft
ln -s /no/where src/dangling
touch -d '2001-02-03 04:05:06' src/sub/3
cp -a src copy
mv copy/sub/9 copy/nine
mv copy/sub copy/bus
tar cf t.tar src
mkdir out
tar xf t.tar -C out
rm t.tar
dd if=/dev/zero of=block bs=1024 count=70 2> /dev/null
printf middle | dd of=block bs=1 seek=40000 conv=notrunc 2> /dev/null
printf 'first\n' > log
printf 'second\n' >> log
sed -i 's/first/FIRST/' log
truncate -s 100000 sparse
chmod 2711 out
chmod 600 log
mkdir many
i=0
while [ $i -lt 300 ]; do : > many/$i; i=$((i + 1)); done
mkdir -p many/a/b/c/d/e
rm -rf many
(exec 3> open; rm open; printf 'gone' >&3)
find . | sort
cat log src/soft
wc -c block sparse
test -e src/dangling || echo dangling
rmdir src 2> /dev/null || echo 'not empty'
