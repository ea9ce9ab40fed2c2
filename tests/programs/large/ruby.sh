# The language with its gems, threads, fibers, processes, sockets, and garbage collection.
export LC_ALL=C.UTF-8
ruby <<'X'
require 'json'; require 'digest'; require 'set'; require 'socket'; require 'open3'; require 'timeout'; require 'tempfile'
puts (1..10).lazy.select(&:even?).map { |x| x * x }.first(3).inspect
puts JSON.generate({ a: [1, 2.5, nil], 'b' => 'é' }), Digest::SHA256.hexdigest('x')
q = Queue.new; t = 4.times.map { |i| Thread.new { 100.times { |j| q << i * j } } }; t.each(&:join); puts q.size
m = Mutex.new; n = 0; 5.times.map { Thread.new { 200.times { m.synchronize { n += 1 } } } }.each(&:join); puts n
f = Fiber.new { |x| y = Fiber.yield(x + 1); y * 2 }; puts f.resume(1), f.resume(10)
out, status = Open3.capture2('tr a-z A-Z', stdin_data: "pipe\n"); puts out, status.exitstatus
r, w = IO.pipe; pid = fork { r.close; w.puts "child"; exit! 3 }; w.close; puts r.read; Process.wait(pid); puts $?.exitstatus
s = TCPServer.new('127.0.0.1', 0); th = Thread.new { c = s.accept; c.puts c.gets.reverse; c.close }
c = TCPSocket.new('127.0.0.1', s.addr[1]); c.puts 'abc'; puts c.read.inspect; th.join
begin; Timeout.timeout(0.2) { sleep }; rescue Timeout::Error; puts 'timeout'; end
trap('USR1') { puts 'usr1' }; Process.kill('USR1', $$); sleep 0.1
case { name: 'x', at: [1, 2] }
in { name: String => s, at: [Integer => a, *] } then puts s, a
end
def deep(n) = n == 0 ? 0 : 1 + deep(n - 1)
puts deep(5000); begin; deep(10_000_000); rescue SystemStackError; puts 'too deep'; end
a = Array.new(50_000) { |i| "s#{i}" }; GC.start; puts a.size, a.hash == a.dup.hash
puts 2**200, Rational(1, 3) + 1, Complex(1, 2) * Complex(0, 1), 10.digits.inspect, 0.1 + 0.2
e = [3, 1, 2].each_with_index.sort_by { |x, i| [-x, i] }; p e
Tempfile.create('x') { |t| t.write('abc'); t.flush; puts File.size(t.path) }
p ObjectSpace.each_object(Class).include?(Set), 'héllo'.unicode_normalize(:nfd).length, 'a1b2'.gsub(/\d/) { |d| (d.to_i * 2).to_s }
puts `echo shell`, $?.success?, Process.clock_gettime(Process::CLOCK_MONOTONIC) > 0
X
echo status $?
