# The language, its standard functions, processes, streams, and the server in it.
php -n <<'X'
<?php
function gen() { foreach (range(1, 5) as $i) { yield $i => $i ** 2; } return 'done'; }
foreach (($g = gen()) as $k => $v) echo "$k=$v ";
echo $g->getReturn(), "\n";
enum Suit: string { case Hearts = 'H'; case Spades = 'S'; }
readonly class P { public function __construct(public int $x, public ?P $next = null) {} }
try { $p = new P(1, new P(2)); echo $p->next?->x, Suit::from('S')->name, "\n"; $p->x = 3; } catch (Error $e) { echo $e->getMessage(), "\n"; }
echo json_encode(['a' => 1.5, 'b' => [true, null], 'c' => "é"]), ' ', preg_replace_callback('/\d+/', fn ($m) => $m[0] * 2, 'a1b22'), "\n";
echo md5('x'), ' ', crc32('x'), ' ', hash('sha256', 'x'), ' ', bin2hex(pack('NvC', 1, 2, 3)), "\n";
$p = proc_open(['tr', 'a-z', 'A-Z'], [['pipe', 'r'], ['pipe', 'w']], $pipes);
fwrite($pipes[0], "through a pipe\n"); fclose($pipes[0]); echo stream_get_contents($pipes[1]); echo proc_close($p), "\n";
[$a, $b] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0); fwrite($a, "hello\n"); echo fgets($b);
$f = new Fiber(function ($x) { $y = Fiber::suspend($x + 1); echo "resumed $y\n"; return 9; });
echo $f->start(4), "\n"; $f->resume('z'); echo $f->getReturn(), "\n";
$s = ''; for ($i = 0; $i < 20000; $i++) $s .= chr(65 + $i % 26); echo strlen($s), ' ', sha1($s), "\n";
$a = []; mt_srand(7); for ($i = 0; $i < 5000; $i++) $a[] = mt_rand(); sort($a); echo array_sum($a) % 1000003, "\n";
file_put_contents('/tmp/f', "l1\nl2\n", LOCK_EX); echo count(file('/tmp/f')), ' ', (new DateTime('@86400'))->format(DATE_ATOM), "\n";
printf("%.15g %.15g %d %s\n", sqrt(2), exp(1), intdiv(-7, 2), var_export(0.1 + 0.2, true));
X
echo status $?
mkdir /tmp/www && echo '<?php echo $_SERVER["REQUEST_METHOD"], " ", $_GET["n"] * 2, "\n";' > /tmp/www/index.php
php -n -S 127.0.0.1:8000 -t /tmp/www > /dev/null 2>&1 & pid=$!
for i in $(seq 100); do curl -s '127.0.0.1:8000/?n=21' && break; sleep 0.1; done
kill $pid; wait $pid 2> /dev/null; echo $?
