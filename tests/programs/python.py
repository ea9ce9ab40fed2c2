# The parts of Python's library that lean on C code, processes and numbers.
import collections, datetime, decimal, fractions, hashlib, json, os, random, re, sqlite3, struct, subprocess, sys, tempfile, zlib
print(json.dumps(json.loads('{"a": [1, 2.5, null, true, "\\u00e9"], "b": {"c": -1e-7}}'), sort_keys=True))
print(re.sub(r'(\w+)@(\w+)\.com', r'\2 at \1', 'ann@example.com, bob@test.com'), re.findall(r'\b\d{2,}\b', '1 22 333 a44 55'))
db = sqlite3.connect(':memory:')
db.execute('create table t(id integer primary key, name text, value real)')
db.executemany('insert into t(name, value) values (?, ?)', [(f'n{i % 7}', i * 1.5) for i in range(1000)])
print(db.execute('select name, count(*), sum(value), avg(value) from t group by name order by name').fetchall())
print(subprocess.run(['sh', '-c', 'cat; echo err >&2; exit 3'], input=b'piped', capture_output=True))
print(subprocess.check_output('echo $((1 + 2)) | tr 3 x', shell=True, text=True))
data = bytes(range(256)) * 400
packed = zlib.compress(data, 9)
print(len(packed), zlib.decompress(packed) == data, zlib.crc32(data), zlib.adler32(data))
for name in ('md5', 'sha1', 'sha256', 'sha512', 'sha3_256', 'blake2b'):
    print(name, hashlib.new(name, data).hexdigest())
decimal.getcontext().prec = 60
print(decimal.Decimal(2).sqrt(), decimal.Decimal(1) / 7, (decimal.Decimal('1.1') ** 50).quantize(decimal.Decimal('1e-20')))
print(fractions.Fraction(3, 7) + fractions.Fraction(1, 3), 3 ** 200 % 1000000007, pow(7, -1, 1000003), (10 ** 300) // (7 ** 90))
random.seed(42)
print(random.random(), random.randint(1, 10 ** 12), random.sample(range(100), 5), random.gauss(0, 1))
print(datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc).isoformat(), datetime.date(2000, 1, 1).strftime('%A %j'))
print(struct.pack('<if8s', 1, 2.5, b'abc').hex(), sorted(collections.Counter('mississippi').items()))
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'x')
    with open(path, 'w') as f:
        f.write('ä' * 1000)
    print(os.stat(path).st_size, open(path).read(3), os.listdir(folder))
read, write = os.pipe()
if (pid := os.fork()) == 0:
    os.write(write, b'from the child')
    os._exit(5)
print(os.read(read, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
import signal, time
signal.signal(signal.SIGALRM, lambda *a: print('alarm'))
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(0.2)
try:
    1 / 0
except ZeroDivisionError as error:
    print('caught', error)
def generate(n):
    a, b = 0, 1
    for _ in range(n):
        yield a
        a, b = b, a + b
print(list(generate(15)), sum(x * x for x in range(10000)), sys.float_info.max, float('nan'), -0.0, 1e308 * 10)
sys.exit(9)
