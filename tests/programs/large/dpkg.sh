# A package from the archive is installed, asked about, used, and removed.
set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
dpkg-deb -f /root/hello.deb Package Architecture Depends
dpkg -i /root/hello.deb 2>&1 | sed 's/([^()]*)//g; s/([^()]*)//g'
dpkg -s hello | grep -E '^(Package|Status)'
dpkg -L hello | grep bin; dpkg -S /usr/bin/hello; dpkg --verify hello
hello; hello -g 'friscy'
dpkg -r hello 2>&1 | sed 's/([^()]*)//g; s/([^()]*)//g'
test ! -e /usr/bin/hello && echo gone
dpkg -l hello 2>&1 || echo status $?
mkdir -p /tmp/pkg/DEBIAN /tmp/pkg/usr/bin && cd /tmp
printf '#!/bin/sh\necho ours\n' > pkg/usr/bin/ours && chmod 755 pkg/usr/bin/ours
printf 'Package: ours\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: ours\n' > pkg/DEBIAN/control
printf '#!/bin/sh\necho "postinst $1"\n' > pkg/DEBIAN/postinst && chmod 755 pkg/DEBIAN/postinst
dpkg-deb -b pkg ours.deb && dpkg -i ours.deb > /tmp/log 2>&1 && grep postinst /tmp/log && ours
