# Coreutils, findutils, tar and gzip over trees and streams.
cd /tmp || exit 9
seq 1 20000 | awk '{ print ($1 * 7919) % 20011, $1 }' > numbers
sort -n numbers | sha256sum
sort -k2,2nr -s numbers | head -n 3
sort -u -k1,1n numbers | wc -l
cut -d' ' -f1 numbers | paste -s -d+ | fold -w 60 | tail -n 1
join <(sort numbers | head -n 50) <(sort numbers | head -n 50 | tr ' ' ' ') | md5sum
comm -12 <(seq 1 10) <(seq 5 15) | tr '\n' ' '; echo
split -l 3000 numbers part. && cat part.* | cmp - numbers && ls part.* | wc -l
tac numbers | tail -n 1; shuf -i 1-100 | sort -n | tail -n 1
nl -ba numbers | sed -n 2p; expand -t 4 <(printf 'a\tb\n'); od -An -tx1 -c <(printf 'xyz\n')
mkdir -p tree/a/b tree/c; for i in $(seq 1 50); do echo "file $i" > tree/a/$i; cp tree/a/$i tree/a/b/$((i * 2)); done
mkfifo tree/fifo; ln -s ../a/1 tree/c/link; ln tree/a/1 tree/c/hard; chmod 700 tree/c; touch -d '2020-02-03 04:05:06 UTC' tree/a/2
find tree -type f -name '*1*' | sort | xargs -n 5 echo | head -n 4
find tree -type f -print0 | xargs -0 sha256sum | sort | sha256sum
find tree -type f -size -2 -newer tree/a/2 -exec basename {} \; | sort -n | tail -n 2
find tree -type l -printf '%p -> %l\n'; find tree -links 2 -type f | sort; du -s --apparent-size tree/a | cut -f2
tar -C tree -cf t.tar . && tar -tf t.tar | sort | head -n 5 && mkdir out && tar -C out -xf t.tar
diff -r --no-dereference <(cd tree && find . | sort) <(cd out && find . | sort) && echo same names
diff -r tree/a out/a && echo same files; stat -c '%n %a %F %y' out/c out/a/2 out/fifo | sed 's/ [0-9:. -]*+0000$//;s/ 2.*//'
stat -c '%Y %h' out/a/2; stat -c %h out/c/hard
gzip -k numbers && gunzip -c numbers.gz | cmp - numbers && gzip -l numbers.gz | wc -l
tar -czf t.tgz tree && tar -xzOf t.tgz tree/a/7
dd if=/dev/zero of=zeros bs=4096 count=100 status=none && wc -c < zeros && sha1sum zeros && truncate -s 1G sparse && stat -c '%s %b' sparse
dd if=numbers bs=1 skip=10 count=20 status=none | od -c | head -n 2; head -c 100 numbers | base64 -w 0; echo; b2sum < numbers; cksum numbers
cp -a tree copy && diff -r --no-dereference tree/a copy/a && echo copied; mv copy moved && rm -rf moved && ls -d moved 2>&1
date -u -d @1700000000 +%FT%TZ; printf '%5.2f|%-6s|%06d|%x\n' 3.14159 ab 42 255; numfmt --to=iec 123456789; factor 1234567890 18446744073709551557
expr 7 \* 6; test 3 -gt 2 && echo yes; dirname /a/b/c; realpath -m /a/../b/./c; basename x.tar .tar; seq -s, 1 5; echo {a..e}{1..2}
env -i A=1 B=2 env | sort; nice -n 5 nice; id -un; whoami; uname -sm; tty; stdbuf -o0 echo unbuffered; tsort <(echo a b b c)
sleep 0.01; sync; mktemp -u /tmp/XXXXXX | wc -c; printf 'b\na\n' | tee /dev/stderr 2>/dev/null | sort; ls -la /dev/null | cut -c1-10
wc /etc/passwd | awk '{ print $1, $2, $3 }'; ls -l --time-style=+%s out/a/2 | cut -d' ' -f 1,2,3,4,5,6
chown 1000:1000 out/a/3; stat -c '%u %g' out/a/3; chmod u+s,o-r out/a/3; stat -c %A out/a/3; install -m 751 -d new/dir; stat -c %a new/dir
ls --color=never -C -w 40 tree/a | head -n 3; ls -1 tree; pr -h title -l 20 <(seq 3) | wc -l; csplit -s numbers 100 && wc -l xx00 | cut -d' ' -f1
