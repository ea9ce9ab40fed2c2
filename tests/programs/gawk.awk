# Records, fields, arrays, functions, formats, pipes.
function fact(n) { return n < 2 ? 1 : n * fact(n - 1) }
BEGIN {
    text = "to be or not to be"; n = split(text, words, " "); for (i = 1; i <= n; i++) count[words[i]]++
    PROCINFO["sorted_in"] = "@ind_str_asc"; for (word in count) printf "%s=%d ", word, count[word]; print ""
    print fact(20), 2 ^ 53 + 1, 1 / 3, sin(1), exp(1), int(-3.7), log(10), sqrt(2), substr("hello", 2, 3), toupper("abc"), index("abc", "c"), length(text)
    while (("seq 1 5 | sort -r" | getline line) > 0) sum = sum * 10 + line; print sum; "echo one; exit 3" | getline x; print x, close("echo one; exit 3")
    print gensub(/(.)(.)/, "\\2\\1", "g", "abcdef"), match("foobar", /o+/), RSTART, RLENGTH, strftime("%F", 86400, 1), sprintf("%5.1f|%-5d|%05d|%c|%e", 3.14159, 42, 42, 65, 12345.678)
    print "b\na" | "sort"; close("sort"); a["x"]["y"] = 1; print isarray(a["x"]), typeof(a["x"]["y"]); srand(1); r = rand(); print (r >= 0 && r < 1); for (i = 0; i < 100000; i++) s += i % 7; print s, strtonum("0x1F"), and(12, 10), lshift(1, 10)
    FS = ":"; while ((getline < "/etc/passwd") > 0) print $1, $3, NF; printf "done\n" > "/dev/stderr"; exit 5
}
