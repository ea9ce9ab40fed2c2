# Pipes, here-documents, subshells, traps, wait -n, background jobs, and what scripts do between them.
set -u
cd /tmp || exit 9
say() { printf '%s\n' "$*"; }

say "== pipes"
printf '%s\n' pear apple fig apple | sort | uniq -c | sed 's/^ *//' | tr a-z A-Z
seq 1 1000 | awk '{ s += $1 } END { print s }'
yes | head -n 3 | cat -n
false | true; say "status ${PIPESTATUS[*]}"
set -o pipefail; false | true; say "pipefail $?"; set +o pipefail

say "== here-documents"
name=world
cat <<EOF
hello $name $(echo nested) $((6 * 7))
EOF
cat <<'EOF'
literal $name `date`
EOF
cat <<-EOF
	tabs are gone
EOF
tr a-z A-Z <<< "here string"
while read -r first rest; do say "[$first] [$rest]"; done <<EOF
one two three
four
EOF

say "== subshells and groups"
x=1; (x=2; say "inside $x"); say "outside $x"
{ say grouped; say lines; } | wc -l
say "substitution: $(cd /usr && pwd) $(pwd)"
(exit 7); say "subshell status $?"
diff <(printf 'a\nb\n') <(printf 'a\nc\n'); say "diff $?"

say "== functions, arrays, arithmetic"
fact() { local n=$1; if ((n < 2)); then echo 1; else echo $((n * $(fact $((n - 1))))); fi; }
say "10! = $(fact 10)"
fruits=(apple banana cherry); fruits+=(date)
say "${#fruits[@]} ${fruits[1]} ${fruits[@]:2}"
declare -A ages=([ann]=30 [bob]=25)
for key in $(printf '%s\n' "${!ages[@]}" | sort); do say "$key=${ages[$key]}"; done
path=/usr/local/lib/file.tar.gz
say "${path##*/} ${path%%.*} ${path/local/share} ${#path} ${path^^}"
for ((i = 0; i < 3; i++)); do printf '%d ' $((i << 4 | 1)); done; echo
case $path in *.gz) say compressed ;; *) say plain ;; esac
[[ $path =~ /([a-z]+)\.tar ]] && say "matched ${BASH_REMATCH[1]}"

say "== files"
mkdir -p work/deep && cd work || exit 9
printf 'line %d\n' 1 2 3 > a.txt; cp a.txt deep/b.txt; ln -s a.txt link; ln a.txt hard
stat -c '%n %s %h %F' a.txt link hard
say "$(readlink link) $(cat link | tail -n 1)"
echo appended >> hard; wc -l < a.txt
chmod 640 a.txt; stat -c %a a.txt
exec 3> out.txt; echo to three >&3; exec 3>&-; cat out.txt
find . -type f | sort
[ -L link ] && [ ! -e nothing ] && say tests
mv a.txt c.txt; ls; rm -r deep; ls -A | wc -l
cd .. && rm -rf work

say "== background jobs"
(sleep 0.3; exit 3) & slow=$!
(sleep 0.1; exit 4) & fast=$!
wait -n; say "first ended with $?"
wait -n; say "second ended with $?"
(exit 5) & wait $!; say "waited $?"
for n in 9 1 5; do (sleep 0.$n; say "job $n") & done; wait; say "all done"
sleep 100 & victim=$!; kill $victim; wait $victim; say "killed $?"
coproc { read -r line; say "got $line"; }; say question >&"${COPROC[1]}"; read -r answer <&"${COPROC[0]}"; say "$answer"; wait

say "== traps and signals"
trap 'say "usr1 caught"' USR1; kill -USR1 $$; say after
trap 'say "exit trap in subshell"' EXIT; (trap 'say inner exit' EXIT; exit 0); trap - EXIT
bash -c 'trap "echo term; exit 42" TERM; kill -TERM $$; sleep 5'; say "status $?"
bash -c 'kill -KILL $$'; say "status $?"
(trap '' INT; kill -INT $BASHPID; say "ignored INT")
timeout 0.2 sleep 10; say "timeout $?"
trap 'say "err $?"' ERR; false; trap - ERR

say "== errors"
nosuchcommand 2>/dev/null; say "not found $?"
/etc/passwd 2>/dev/null; say "not executable $?"
cat /nonexistent 2>&1; say "cat $?"
cd /nonexistent 2>/dev/null || say "no such folder"
(set -e; false; say never); say "errexit $?"
(set -u; : "$undefined_variable") 2>/dev/null; say "nounset $?"
trap 'say bye' EXIT
exit 17
