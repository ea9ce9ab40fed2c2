# A repository from its first commit through merge, rebase, clone and repacking.
set -e
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' GIT_CONFIG_COUNT=1
export GIT_CONFIG_KEY_0=init.defaultBranch GIT_CONFIG_VALUE_0=main GIT_PAGER=cat
cd /tmp && mkdir one && cd one
git init -q
for n in 1 2 3 4 5 6; do
    seq $n $((n * 50)) > numbers; mkdir -p dir$n; echo "file $n" > dir$n/file; ln -sf dir$n/file link
    git add -A; git commit -qm "Commit $n"
done
git log --format='%H %s' --stat
git diff HEAD~2 HEAD -- numbers | head -n 20
git switch -qc side HEAD~1
sed -i 's/^7$/seven/' numbers; git commit -qam 'Change on the side'
git switch -q main
echo more > dir1/more; git add -A; git commit -qm 'Change on main'
git merge -q --no-edit side
git log --graph --format='%h %s' | head -n 8
git switch -qc topic main~2; echo t > topic; git add topic; git commit -qm Topic
git rebase -q main; git log --format='%H %s' -n 3
sed -i '1s/.*/left/' numbers; git commit -qam Left
git switch -qc right HEAD~1; sed -i '1s/.*/right/' numbers; git commit -qam Right
git merge topic || git diff --name-only --diff-filter=U
git merge --abort
git status --short --branch
git gc -q --aggressive --prune=now
git fsck --full --strict 2>&1
git count-objects -v | grep -v size
cd .. && git clone -q --no-local one two && cd two && git log --format=%H -n 1 && cat dir6/file link
git tag -a v1 -m 'A tag' && git describe && git archive v1 | tar -t | sort | sha256sum
git bundle create -q ../b.bundle --all && git bundle verify -q ../b.bundle && git clone -q ../b.bundle ../three && ls ../three
git stash list; echo x >> numbers; git stash -q; git stash pop -q; git diff --stat; git blame -s -L 1,3 dir1/file | tail -n 2
git grep -n seven; git ls-tree -r HEAD | sha256sum; git rev-list --objects --all | wc -l
