# nginx with a master and workers, and busybox httpd with a CGI program.
mkdir -p /tmp/w/cgi-bin; cd /tmp; echo index > w/index.html; seq 1 50000 > w/big
cat > n.conf <<'X'
daemon off; user root; worker_processes 2; pid /tmp/n.pid; error_log /tmp/n.log;
events { worker_connections 64; }
http { access_log off; gzip on; gzip_types *; server { listen 127.0.0.1:8082; listen unix:/tmp/n.sock; root /tmp/w;
  location /p/ { proxy_pass http://127.0.0.1:8083/; } location /r { return 302 /; } location /e { return 418 "tea\n"; } } }
X
printf '#!/bin/sh\necho "Content-Type: text/plain"\necho\necho "$REQUEST_METHOD $QUERY_STRING"\ncat\n' > w/cgi-bin/c; chmod 755 w/cgi-bin/c
busybox httpd -f -p 127.0.0.1:8083 -h /tmp/w & b=$!
nginx -t -c /tmp/n.conf 2>&1 | tail -n 1
nginx -c /tmp/n.conf & n=$!
for i in $(seq 100); do curl -sf 127.0.0.1:8082/ && break; sleep 0.1; done
curl -s --unix-socket /tmp/n.sock http://x/; curl -s 127.0.0.1:8082/big | sha256sum; curl -s --compressed 127.0.0.1:8082/big | sha256sum
curl -s -o /dev/null -w '%{http_code} %{redirect_url}\n' 127.0.0.1:8082/r; curl -s 127.0.0.1:8082/e; curl -s -r 5-9 127.0.0.1:8082/big | od -c
curl -s 127.0.0.1:8083/index.html; curl -s -d 'body' '127.0.0.1:8083/cgi-bin/c?q=1'; echo; curl -s -d 'body' '127.0.0.1:8082/p/cgi-bin/c?q=2'; echo
for i in 1 2 3 4 5 6 7 8; do curl -s 127.0.0.1:8082/big | sha256sum & done | sort | uniq -c | sed 's/^ *//'
nginx -c /tmp/n.conf -s reload; sleep 1; curl -s 127.0.0.1:8082/; nginx -c /tmp/n.conf -s quit; wait $n; echo $?
kill $b; wait $b; echo $?
