//! Random calls.

use friscy_abi::fcntl;
use proptest::prelude::*;

/// A path relative to the top of the tree under test.
#[derive(Clone)]
pub struct Text(pub String);

impl std::ops::Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let long = self.0.matches('n').count();
        write!(f, "{:?}", if long == 0 { self.0.clone() } else { format!("{}n*{long}", self.0.replace('n', "")) })
    }
}

/// One call.
#[derive(Clone, Debug)]
pub enum Op {
    Mkdir(Text, u32),
    Rmdir(Text),
    Unlink(Text),
    Rename(Text, Text, u32),
    Link(Text, Text, bool),
    Symlink(Text, Text),
    Write(Text, u32, u32),
    Truncate(Text, u32),
    Mknod(Text),
    Readlink(Text),
    Stat(Text, bool),
    Access(Text, u32),
    Chmod(Text, u32),
    Chown(Text, u32, u32),
    Readdir(Text),
    Touch(Text),
}

const NAMES: &[&str] = &["a", "b", "c"];

/// Short paths over few names, so that calls meet.
fn path() -> impl Strategy<Value = Text> {
    let part = prop_oneof![
        25 => prop::sample::select(NAMES).prop_map(str::to_owned),
        1 => Just(".".to_owned()),
        1 => Just("..".to_owned()),
        1 => Just(String::new()),
    ];
    let long = prop_oneof![60 => Just(None), 1 => Just(Some(255)), 1 => Just(Some(256)), 1 => Just(Some(4000))];
    let parts = prop_oneof![
        5 => prop::collection::vec(part.clone(), 1),
        4 => prop::collection::vec(part.clone(), 2),
        1 => prop::collection::vec(part, 3),
    ];
    (parts, prop::bool::weighted(0.08), long).prop_map(|(parts, slash, long)| {
        // Leading empty parts would make the path absolute.
        let mut text = parts.join("/").trim_start_matches('/').to_owned();
        if let Some(long) = long {
            text = format!("{text}/{}", "n".repeat(long)).trim_start_matches('/').to_owned();
        }
        if slash {
            text.push('/');
        }
        Text(text.trim_start_matches('/').to_owned())
    })
}

fn mode() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => Just(0o777), 2 => Just(0o755), 1 => Just(0o1777), 1 => Just(0o2775), 1 => Just(0o700), 1 => Just(0o555),
        1 => Just(0o666), 1 => Just(0o6755), 1 => Just(0)
    ]
}

fn open_flags() -> impl Strategy<Value = u32> {
    let access = prop_oneof![Just(fcntl::O_RDONLY), Just(fcntl::O_WRONLY), Just(fcntl::O_RDWR)];
    let some = prop::sample::subsequence(
        vec![
            fcntl::O_CREAT,
            fcntl::O_EXCL,
            fcntl::O_TRUNC,
            fcntl::O_DIRECTORY,
            fcntl::O_NOFOLLOW,
            fcntl::O_PATH,
            fcntl::O_TMPFILE,
            fcntl::O_NOATIME,
        ],
        0..3,
    );
    (access, some).prop_map(|(access, some)| some.into_iter().fold(access, |flags, flag| flags | flag)).prop_filter(
        "kernels differ in what they say to O_CREAT with O_DIRECTORY",
        |flags| {
            let tmpfile = flags & fcntl::O_TMPFILE == fcntl::O_TMPFILE;
            let both = fcntl::O_CREAT | fcntl::O_DIRECTORY;
            // O_EXCL alone is undefined.
            (flags & both != both)
                && !(tmpfile && flags & fcntl::O_CREAT != 0)
                && (flags & fcntl::O_EXCL == 0 || flags & fcntl::O_CREAT != 0)
        },
    )
}

/// Any call.
pub fn op() -> impl Strategy<Value = Op> {
    let target = prop_oneof![
        path(),
        Just(Text("a/b/c/b/a".to_owned())),
        Just(Text("a/".to_owned())),
        Just(Text("./b".to_owned())),
        Just(Text("b/../c".to_owned()))
    ];
    prop_oneof![
        6 => (path(), mode()).prop_map(|(p, m)| Op::Mkdir(p, m)),
        2 => path().prop_map(Op::Rmdir),
        2 => path().prop_map(Op::Unlink),
        5 => (path(), path(), 0u32..4).prop_map(|(a, b, f)| Op::Rename(a, b, [0, 0, 1, 2][f as usize])),
        3 => (path(), path(), any::<bool>()).prop_map(|(a, b, f)| Op::Link(a, b, f)),
        4 => (target, path()).prop_map(|(a, b)| Op::Symlink(a, b)),
        6 => (path(), open_flags(), mode()).prop_map(|(p, f, m)| Op::Write(p, f, m)),
        1 => (path(), 0u32..200_000).prop_map(|(p, n)| Op::Truncate(p, n)),
        1 => path().prop_map(Op::Mknod),
        1 => path().prop_map(Op::Readlink),
        3 => (path(), any::<bool>()).prop_map(|(p, f)| Op::Stat(p, f)),
        2 => (path(), 0u32..8).prop_map(|(p, a)| Op::Access(p, a)),
        2 => (path(), mode()).prop_map(|(p, m)| Op::Chmod(p, m)),
        1 => (path(), 0u32..3, 0u32..3).prop_map(|(p, u, g)| Op::Chown(p, u, g)),
        2 => path().prop_map(Op::Readdir),
        1 => path().prop_map(Op::Touch),
    ]
}
