# A server in the background and its client: types, transactions, scripts, publishing, saving and loading.
cd /tmp; redis-server --port 7777 --daemonize no --save '' --dir /tmp --logfile /tmp/log --appendonly no & pid=$!
cli() { redis-cli -p 7777 "$@"; }
for i in $(seq 100); do [ "$(cli ping 2> /dev/null)" = PONG ] && break; sleep 0.1; done
cli set a 1; cli incrby a 41; cli rpush l x y z; cli lrange l 0 -1; cli hset h f v g w; cli hgetall h | sort
cli zadd z 2 b 1 a; cli zrange z 0 -1 withscores; cli setbit bits 7 1; cli get bits; cli pfadd p a b c; cli pfcount p
cli xadd s 1-1 k v; cli xrange s - +; cli eval 'local t = 0; for i = 1, 1000 do t = t + i end; return t' 0
printf 'multi\nincr a\nget a\nexec\n' | cli; cli expire a 100; cli persist a; cli type l
(cli --csv subscribe ch > /tmp/sub & echo $! > /tmp/subpid); sleep 0.5; cli publish ch hello; sleep 0.3; kill $(cat /tmp/subpid); cat /tmp/sub
for i in $(seq 300); do echo "set key$i value$i"; done | cli --pipe 2>&1 | tail -n 1; cli dbsize
cli save; cli bgsave; for i in $(seq 100); do cli info persistence | grep -q 'rdb_bgsave_in_progress:0' && break; sleep 0.1; done
cli info persistence | tr -d '\r' | grep rdb_last_bgsave_status; cli bgrewriteaof; sleep 0.5
cli blpop none 0.2; redis-benchmark -p 7777 -q -n 200 -c 4 -t set,get | tr '\r' '\n' | grep -c 'requests per second'
cli shutdown save; wait $pid; echo status $?
redis-check-rdb /tmp/dump.rdb | grep -c '\[ok\]\|RDB looks OK'
redis-server --port 7777 --dir /tmp --logfile /tmp/log --save '' & pid=$!
for i in $(seq 100); do [ "$(cli ping 2> /dev/null)" = PONG ] && break; sleep 0.1; done
cli get key300; cli get a; kill -TERM $pid; wait $pid; echo status $?
