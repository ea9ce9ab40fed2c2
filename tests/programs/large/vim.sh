# vim edits by keys from a script: motions, substitution, macros, undo, folds of output through a filter, its own language.
cd /tmp; export TERM=xterm LC_ALL=C.UTF-8
seq 1 20 > text
printf '%s' 'ggdd' 'Goend' $'\x1b' ':%s/^1\(.\)/one\1/' $'\r' 'ggqaA!' $'\x1b' 'jq3@a' ':5,8!sort -r' $'\r' 'Gp' 'uu' $'\x12' ':w!' $'\r' ':q' $'\r' > keys
vim -Nu NONE -n -i NONE -s keys text < /dev/null > /dev/null 2>&1; echo status $?
cat text
vim -Nu NONE -n -i NONE -es text <<'X'
function! Fib(n)
  return a:n < 2 ? a:n : Fib(a:n - 1) + Fib(a:n - 2)
endfunction
call setline(1, map(range(12), {_, v -> Fib(v)}))
1,3join
$put =json_encode({'a': [1, 2.5, 'x'], 'b': {}})
%print
wq
X
echo status $?; sha256sum < text
vim -es -Nu NONE -i NONE -c 'set rtp? filetype?' -c 'syntax on' -c 'put =has(\"syntax\")' -c '%p' -c 'qa!' | tail -n 1
