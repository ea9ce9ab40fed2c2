# node without its compiler: the language, files, processes, a server and its client, workers.
cat > /tmp/a.mjs <<'X'
import fs from 'node:fs/promises'; import http from 'node:http'; import { spawn, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto'; import { gzipSync, gunzipSync } from 'node:zlib'; import net from 'node:net';
import { Worker } from 'node:worker_threads'; import { once } from 'node:events'; import assert from 'node:assert';
await fs.writeFile('/tmp/f', 'text'); console.log((await fs.stat('/tmp/f')).size, await fs.readFile('/tmp/f', 'utf8'));
console.log(createHash('sha256').update('x').digest('hex'), gunzipSync(gzipSync(Buffer.alloc(10000, 'ab'))).length);
console.log(execFileSync('tr', ['a-z', 'A-Z'], { input: 'child\n', encoding: 'utf8' }).trim());
const c = spawn('sh', ['-c', 'echo out; echo err >&2; exit 3']); let o = ''; c.stdout.on('data', d => o += d); c.stderr.on('data', d => o += d);
const [code] = await once(c, 'close'); console.log(code, o.split('\n').sort().join(' ').trim());
const s = http.createServer((q, r) => { let n = 0; q.on('data', d => n += d.length); q.on('end', () => r.end(`${q.method} ${q.url} ${n}`)); });
await new Promise(r => s.listen(0, '127.0.0.1', r));
const q = http.request({ port: s.address().port, host: '127.0.0.1', path: '/x?y=1', method: 'POST' }); q.end('z'.repeat(100000));
const [r] = await once(q, 'response'); let t = ''; for await (const d of r) t += d; console.log(r.statusCode, t); s.close(); s.closeAllConnections();
const w = new Worker('require("worker_threads").parentPort.on("message", n => { let t = 0; for (let i = 0; i < n; i++) t += i; require("worker_threads").parentPort.postMessage(t); })', { eval: true });
w.postMessage(10000); console.log((await once(w, 'message'))[0]); await w.terminate();
const u = net.createServer(k => k.pipe(k)); await new Promise(r => u.listen('/tmp/sock', r));
const k = net.connect('/tmp/sock'); k.write('echo'); console.log(String((await once(k, 'data'))[0])); k.end(); u.close();
console.log([3, 1, 2].toSorted(), 2n ** 100n, 0.1 + 0.2, /(?<y>\d{4})/u.exec('in 2024').groups.y, new Intl.NumberFormat('en').format(1234567.891));
class A { #x = 1; get x() { return this.#x; } static { this.z = 5; } } console.log(new A().x, A.z, structuredClone(new Map([[1, { a: 2 }]])));
const t0 = performance.now(); await new Promise(r => setTimeout(r, 50)); assert(performance.now() - t0 >= 49);
process.on('SIGUSR2', () => { console.log('usr2'); process.exitCode = 7; }); process.kill(process.pid, 'SIGUSR2');
await new Promise(r => setTimeout(r, 100)); try { null.x; } catch (e) { console.log(e.message); }
X
timeout 280 node --jitless /tmp/a.mjs 2>&1 | grep -v 'jitless\|trace-warnings'; echo status ${PIPESTATUS[0]}
