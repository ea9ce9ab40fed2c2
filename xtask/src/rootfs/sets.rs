//! What the root file systems hold: packages, and what their maintainer scripts would have made.

/// A root file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Set {
    /// The one of the demonstration and of the tests: shells, small interpreters, Python.
    Default,
    /// That and the programs of the long tests: compilers, version control, servers, more languages.
    Programs,
}

/// What a root file system is made from.
pub struct Recipe {
    /// The packages, dependencies not counted.
    pub packages: Vec<&'static str>,
    /// Files that maintainer scripts would have made, by path, and a profile. A later one replaces an earlier one.
    pub files: Vec<(&'static str, &'static str)>,
    /// Links that update-alternatives would have made, by path.
    pub links: Vec<(&'static str, &'static str)>,
    /// Shell commands that see the folder as `$1` and the packages' files in its `var/cache/apt/archives`.
    pub hooks: Vec<&'static str>,
}

impl Set {
    /// What its tar's name begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            Set::Default => "debian",
            Set::Programs => "programs",
        }
    }

    /// What it is made from.
    pub fn recipe(self) -> Recipe {
        let mut recipe =
            Recipe { packages: PACKAGES.to_vec(), files: FILES.to_vec(), links: LINKS.to_vec(), hooks: Vec::new() };
        match self {
            Set::Default => recipe.hooks.push(COMPILE),
            Set::Programs => {
                recipe.packages.extend(MORE_PACKAGES);
                recipe.files.extend(MORE_FILES);
                recipe.links.extend(MORE_LINKS);
                recipe.hooks.extend([STATUS, DOWNLOAD, COMPILE_WITH_TESTS]);
            }
        }
        recipe
    }
}

const PACKAGES: &[&str] = &[
    "base-files",
    "base-passwd",
    "bash",
    "busybox-static",
    "coreutils",
    "dash",
    "debianutils",
    "diffutils",
    "findutils",
    "gawk",
    "grep",
    "gzip",
    "less",
    "lua5.4",
    "mawk",
    "musl",
    "ncurses-base",
    "ncurses-bin",
    "perl",
    "procps",
    "python3",
    "sed",
    "sqlite3",
    "tar",
    "util-linux",
    "vim-tiny",
];

const FILES: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    ("etc/hostname", "friscy\n"),
    ("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ("root/.profile", "[ -n \"$BASH\" ] && . ~/.bashrc\n"),
    (
        "root/.bashrc",
        "case $- in *i*) ;; *) return ;; esac\nPS1='\\u@\\h:\\w\\$ '\nHISTCONTROL=ignoreboth\nalias ls='ls --color=auto'\nalias ll='ls -l'\n",
    ),
];

const LINKS: &[(&str, &str)] = &[
    ("usr/bin/awk", "gawk"),
    ("usr/bin/editor", "vim.tiny"),
    ("usr/bin/lua", "lua5.4"),
    ("usr/bin/pager", "less"),
    ("usr/bin/vi", "vim.tiny"),
];

/// What the set of programs has beyond the default one. caddy and fzf are written in Go, fd and ripgrep in Rust.
const MORE_PACKAGES: &[&str] = &[
    "7zip",
    "bc",
    "bzip2",
    "caddy",
    "curl",
    "dpkg",
    "fd-find",
    "file",
    "fzf",
    "g++",
    "gcc",
    "git",
    "jq",
    "libc-bin",
    "libpython3.13-testsuite",
    "luajit",
    "make",
    "nano",
    "netbase",
    "nginx",
    "nodejs",
    "openssl",
    "patch",
    "php-cli",
    "redis-server",
    "redis-tools",
    "ripgrep",
    "ruby",
    "tmux",
    "tzdata",
    "vim",
    "xz-utils",
    "zstd",
];

const MORE_FILES: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nredis:x:100:101::/var/lib/redis:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("etc/group", "root:x:0:\ntty:x:5:\nwww-data:x:33:\nredis:x:101:\nnogroup:x:65534:\n"),
    ("var/log/nginx/access.log", ""),
];

const MORE_LINKS: &[(&str, &str)] = &[
    ("usr/bin/c++", "g++"),
    ("usr/bin/cc", "gcc"),
    ("usr/bin/fd", "fdfind"),
    ("usr/bin/php", "php8.4"),
    ("usr/bin/vim", "vim.basic"),
];

/// Compiled modules are not checked against their sources, whose dates the tar may clamp.
const COMPILE: &str = "cp /usr/bin/qemu-riscv64-static \"$1\"/qemu && chroot \"$1\" /qemu /usr/bin/python3 -m compileall \
                       -q -x '/(test|tests|lib2to3)/' --invalidation-mode unchecked-hash /usr/lib/python3.13 && \
                       rm \"$1\"/qemu";

/// The same with the tests, some of which are files that do not compile.
const COMPILE_WITH_TESTS: &str = "cp /usr/bin/qemu-riscv64-static \"$1\"/qemu && { chroot \"$1\" /qemu /usr/bin/python3 \
                                  -m compileall -qq -j 2 -x '/lib2to3/' --invalidation-mode unchecked-hash \
                                  /usr/lib/python3.13; rm \"$1\"/qemu; }";

/// Tells dpkg what is there, as if it had installed it.
const STATUS: &str = "cd \"$1\"/var/lib/dpkg && mkdir -p info && for deb in \"$1\"/var/cache/apt/archives/*.deb; do \
                      dpkg-deb -f \"$deb\" | sed '1a Status: install ok installed' && echo && \
                      name=$(dpkg-deb -f \"$deb\" Package) && \
                      case $(dpkg-deb -f \"$deb\" Multi-Arch) in same) name=$name:riscv64 ;; esac && \
                      dpkg-deb --fsys-tarfile \"$deb\" | tar -t | sed 's,^\\./$,/.,; s,^\\./,/,; s,\\(.\\)/$,\\1,' \
                      > \"info/$name.list\" || exit; done > status";

/// A package to install.
const DOWNLOAD: &str = "mkdir -p \"$1\"/root && cd \"$1\"/root && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get download -q hello && mv hello_*.deb hello.deb";
