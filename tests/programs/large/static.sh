# Programs written in Go and in Rust.
cd /tmp; mkdir -p tree/{a,b}/{c,d}; for f in tree/*/*; do seq 1 500 > $f/n; echo "needle in $f" >> $f/n; done; touch tree/a/.hidden
rg --sort path -n needle tree; rg -c '^4[0-9]2$' tree | sort; rg -o --no-filename '\b(3\d)3\b' tree/a/c/n; rg --sort path -l 'need(le)' -g '*/c/*' tree; rg absent tree; echo $?
rg -j4 --stats -q needle tree | sed -n '/matches/p; /files searched/p'
fd n tree | sort; fd -H -t f hidden tree; fd . tree -t d -x echo dir {} | sort; fd -e none; echo $?
ls /usr/bin | fzf --filter 'grp' | sort | head -n 5; seq 1 2000 | fzf -f '^19 9$'; echo no | fzf -f yes; echo $?
mkdir site; for i in 1 2 3; do echo "page $i" > site/$i.txt; done; seq 1 100000 > site/big
caddy validate --config /dev/stdin --adapter caddyfile <<< ':8081' > /dev/null 2>&1; echo $?
HOME=/tmp caddy file-server --listen 127.0.0.1:8081 --root /tmp/site > /tmp/log 2>&1 & pid=$!
for i in $(seq 200); do curl -sf 127.0.0.1:8081/1.txt && break; sleep 0.1; done
for i in 1 2 3; do curl -s 127.0.0.1:8081/$i.txt & done | sort
curl -s 127.0.0.1:8081/big | sha256sum; curl -s -r 0-9 127.0.0.1:8081/big; curl -s -o /dev/null -w '%{http_code}\n' 127.0.0.1:8081/none
kill -TERM $pid; wait $pid; echo $?
