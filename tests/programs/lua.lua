 -- Tables, strings, closures, coroutines, numbers, processes.
local t = {} for i = 1, 1000 do t[i] = (i * 7919) % 1009 end table.sort(t) print(t[1], t[500], t[1000], #t)
print(("hello world"):gsub("o", "0"), ("%d %5.2f %s %q"):format(42, 3.14159, "x", "a\nb"), ("key=value"):match("(%w+)=(%w+)"))
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end print(fib(22))
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end return "end" end) print(co(), co(), co(), co())
local good, e = pcall(function() error({ code = 7 }) end) print(good, e.code) print(select(2, pcall(error, "message", 0)), 7 // 2, -7 // 2, 7 % -3, 1 << 40, 2 ^ 0.5, math.maxinteger + 1 == math.mininteger, 1e15, 0.1 + 0.2)
local f = io.open("/tmp/x.txt", "w") f:write("one\ntwo\n") f:close() for line in io.lines("/tmp/x.txt") do io.write("[", line, "]") end print()
local p = io.popen("echo from the shell; exit 3") print(p:read("a"), select(3, p:close())) print(string.pack("<i4d", 7, 1.5):byte(1, -1))
print(utf8.char(228, 8364), utf8.len("äöü"), #"äöü", tostring(nil), math.type(3), math.type(3.0), 10 / 2, string.rep("ab", 3, "-"), os.time({ year = 2020, month = 1, day = 1, hour = 12 })) os.exit(6)
