# 100,000 formatted random doubles, of all magnitudes.
import hashlib, math, random, struct
random.seed(1)
digest = hashlib.sha256()
kept = []
for i in range(100000):
    value = struct.unpack('<d', struct.pack('<Q', random.getrandbits(64)))[0] if i % 2 else random.uniform(-1e6, 1e6)
    text = f'{value!r} {value:.3e} {value:.10g}'
    assert math.isnan(value) or float(repr(value)) == value
    digest.update(text.encode())
    if i % 9999 == 0:
        kept.append(text)
print(*kept, digest.hexdigest(), sep='\n')
