# LuaJIT compiled and interpreting: traces, their exits and side traces, its foreign function interface, coroutines, errors.
cat > /tmp/a.lua <<'X'
local bit, ffi = require 'bit', require 'ffi'
print(jit.version_num, jit.arch, jit.os, ffi.abi('64bit'), ffi.abi('le'))
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(24))
local function mixed(n)
  local s, t = 0, {}
  for i = 1, n do
    if i % 3 == 0 then s = s + i elseif i % 7 == 0 then s = s - i / 3 else s = s + #tostring(i) end
    t[i % 100 + 1] = s
  end
  return s, t[50]
end
print(string.format('%.17g %.17g', mixed(200000)))
local h = 0
for i = 1, 300000 do h = bit.bxor(bit.rol(h, 5), i * 0x9e37) h = bit.tobit(h + bit.band(i, 0xff)) end
print(bit.tohex(h))
ffi.cdef [[
typedef struct { double x, y; int32_t n; uint8_t b[4]; } P;
int strncmp(const char *, const char *, size_t); double pow(double, double); char *getenv(const char *);
void qsort(void *, size_t, size_t, int (*)(const int32_t *, const int32_t *)); int snprintf(char *, size_t, const char *, ...);
]]
local p = ffi.new('P[1000]')
for r = 1, 50 do for i = 0, 999 do p[i].x = p[i].x + i / r p[i].y = p[i].x * 0.5 p[i].n = p[i].n + i p[i].b[i % 4] = r end end
print(string.format('%.17g %.17g', p[999].x, p[500].y), p[999].n, p[7].b[3], ffi.sizeof 'P')
print(ffi.C.strncmp('abc', 'abd', 2), ffi.C.strncmp('abc', 'abd', 3) < 0, ffi.C.pow(2, 0.5), ffi.C.getenv('NO_SUCH') == nil)
local a = ffi.new('int32_t[2000]')
for i = 0, 1999 do a[i] = i * 7919 % 2003 end
local by = ffi.cast('int (*)(const int32_t *, const int32_t *)', function(x, y) return x[0] - y[0] end)
ffi.C.qsort(a, 2000, 4, by) by:free()
print(a[0], a[1000], a[1999])
local text = ffi.new('char[64]')
ffi.C.snprintf(text, 64, '%d %s %g', ffi.new('int', 42), 'x', 1.5)
print(ffi.string(text), 2ULL ^ 1, -1LL / 3ULL, tonumber(0xffffffffffULL % 1000))
local co = coroutine.wrap(function(n) for i = 1, n do coroutine.yield(i * i) end return 'done' end)
local sum = 0 for _ = 1, 1000 do sum = sum + co(1000) end print(sum, co())
print(pcall(error, { 1 }), select(2, pcall(function() local x = nil; return x.y end)), select('#', xpcall(fib, print, 'x')))
print(select(2, pcall(function() local function deep(n) return 1 + deep(n + 1) end return deep(0) end)):match 'stack overflow')
local words = {} for i = 1, 20000 do words[i] = ('w%05d'):format(i * 7919 % 20011) end
table.sort(words) print(words[1], words[10000], #table.concat(words, ' '))
local n = 0 for w in ('the quick brown fox '):rep(2000):gmatch '%a+' do n = n + #w end print(n, ('x'):rep(3, ','))
for _ = 1, 20 do local t = {} for i = 1, 20000 do t[i] = { i } end end collectgarbage() print(collectgarbage 'count' < 20000)
print(0/0 ~= 0/0, 1/0, -1/0, 2^53 + 1, 7 % -3, -7 % 3, math.floor(-0.5), 5 / 2, 1e15, 123456789012)
X
for mode in -jon -joff -O3,hotloop=2,hotexit=2; do luajit $mode /tmp/a.lua > /tmp/out 2>&1; echo "status $?"; cat /tmp/out > /tmp/out$mode; done
cmp /tmp/out-jon /tmp/out-joff && cmp /tmp/out-jon /tmp/out-O3,hotloop=2,hotexit=2 && cat /tmp/out-jon
luajit -bl - <<< 'local a = 1; return a + 2' | tail -3
luajit -e 'error("no")' 2>&1 | head -1; echo ${PIPESTATUS[0]}
