# What else people keep in images: openssl, jq, bc, compressors, file, patch.
cd /tmp; seq 1 20000 > n
for c in gzip bzip2 xz 'zstd -q'; do $c -k -c n > n.c; $c -d -c < n.c | cmp - n && echo $c; done
openssl dgst -sha512 n; openssl enc -aes-256-cbc -pbkdf2 -k k -nosalt -in n | openssl enc -d -aes-256-cbc -pbkdf2 -k k -nosalt | cmp - n && echo same
openssl genpkey -algorithm ed25519 -out k 2> /dev/null && openssl pkey -in k -pubout -out p && openssl pkeyutl -sign -inkey k -rawin -in /etc/hosts -out s && openssl pkeyutl -verify -pubin -inkey p -rawin -in /etc/hosts -sigfile s
openssl req -x509 -newkey rsa:2048 -nodes -keyout r.key -out r.crt -days 2 -subj /CN=x 2> /dev/null; openssl x509 -in r.crt -noout -subject
openssl s_server -accept 127.0.0.1:8084 -key r.key -cert r.crt -www > /dev/null 2>&1 & p=$!
for i in $(seq 100); do curl -sk https://127.0.0.1:8084/ | grep -o 'Cipher *: TLS.*' | head -n 1 | grep . && break; sleep 0.1; done; kill $p; wait $p; echo $?
echo '{"a":[1,2,{"b":"x"}],"c":null}' | jq -c '.a | map(numbers * 2), (.. | strings), keys?' ; echo '[3,1,2]' | jq -r 'sort | @csv'; jq -n '[limit(5; repeat(1))] | add'
echo '2^200; scale=30; 4*a(1); e(1)' | bc -l; printf 'a\nb\n' > x; printf 'a\nc\n' > y; diff -u x y | patch -s x && cat x; file -b /usr/bin/gcc-14 | cut -d, -f1-3; file -b n.c
