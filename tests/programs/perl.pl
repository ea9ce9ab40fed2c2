# Regular expressions, hashes, sorting, pack, formats, processes.
use strict; use warnings; use List::Util qw(sum max reduce); use POSIX qw(floor strftime); use Data::Dumper;
my %count; $count{$_}++ for split //, "the quick brown fox jumps over the lazy dog"; delete $count{" "};
print join(" ", map { "$_$count{$_}" } sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count), "\n";
my $text = "2024-01-15 and 1999-12-31"; (my $swapped = $text) =~ s/(\d+)-(\d+)-(\d+)/$3.$2.$1/g; print "$swapped\n";
print sum(1..100), " ", max(3, 9, 2), " ", (reduce { $a * $b } 1..10), " ", floor(-2.5), "\n";
print unpack("H*", pack("NnCa4d", 0xdeadbeef, 258, 7, "hi", 1.5)), "\n"; printf "%s %.15g %e %x %b %s\n", 1/3, 1/3, 12345.678, 255, 10, 1e21;
local $Data::Dumper::Sortkeys = 1; local $Data::Dumper::Indent = 1; print Dumper({ a => [1, { b => undef }], c => \"x" });
print strftime("%Y-%m-%d", gmtime(86400 * 365)), "\n"; my @sorted = sort { $a <=> $b } map { ($_ * 7919) % 1009 } 1..1000; print "@sorted[0..9]\n";
my $pid = open(my $child, "-|") // die; if (!$pid) { print "from child $_\n" for 1..3; exit 4 } print while <$child>; close $child; print "status ", $? >> 8, "\n";
print `echo shell | tr a-z A-Z`; system("sh -c 'exit 6'"); print $? >> 8, "\n"; eval { die { code => 42 } }; print "caught $@->{code}\n";
$SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select(undef, undef, undef, 5) }; print $@; local $| = 1; my $s = "a" x 100000; $s =~ tr/a/b/; print length($s), substr($s, -3), "\n";
my @primes = grep { my $n = $_; $n > 1 and !grep { $n % $_ == 0 } 2 .. sqrt $n } 1..200; print "@primes\n"; print "ok\n" if "foobar" =~ /^(?<head>foo)(?=bar)/; print "$+{head}\n"; exit 11;
