# live: it lists what the packages hold; the size of a directory is its file system's business, and so is what is above it
ls -laR --time-style=full-iso /usr | grep -v '^total' | tr -s ' ' | sed '3d' | sed -E 's/^(d[^ ]* [0-9]+ [^ ]+ [^ ]+) [0-9]+/\1/'
