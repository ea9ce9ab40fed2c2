//! What the numbers of a step mean: registers, and bytes in memory that they point to.

use crate::Step;
use friscy_abi::table::Names;
use friscy_fuzz::Random;
use friscy_syscalls::{Kind, Syscall, TABLE};

/// Where the memory is that every program of the fuzzer's has, and how long it is.
pub const ARENA: u64 = 0x2000_0000;
/// Its length in bytes.
pub const ARENA_LEN: u64 = 0x4_0000;
/// Where the program's code is, which may only be read and executed.
pub const TEXT: u64 = 0x1_0000;

/// Bytes of the arena that belong to one argument.
const SLOT: u64 = 0x4000;

/// A call about to be made.
pub struct Drawn {
    /// Its number.
    pub number: u64,
    /// Its registers.
    pub args: [u64; 6],
    /// What is written to memory first.
    pub pokes: Vec<(u64, Vec<u8>)>,
}

/// Paths, plain ones first.
const PATHS: &[&[u8]] = &[
    b"/work/file",
    b"/work",
    b"/work/dir",
    b"/work/dir/inner",
    b"/work/link",
    b"/work/new",
    b"/work/dir/new",
    b"/work/fifo",
    b"/bin/prog",
    b"file",
    b".",
    b"..",
    b"dir/../new2",
    b"/work/loop",
    b"/work/dangling",
    b"/work/file/",
    b"/work/dir/",
    b"/work/dir/../dir/./inner//",
    b"",
    b"/",
    b"/dev/null",
    b"/dev/zero",
    b"/dev/full",
    b"/dev/ptmx",
    b"/dev/tty",
    b"/dev/pts/0",
    b"/dev/urandom",
    b"/dev/fd/3",
    b"/dev/shm/x",
    b"/dev/mqueue",
    b"/proc/self/exe",
    b"/proc/self/maps",
    b"/proc/self/fd",
    b"/proc/self/fd/3",
    b"/proc/self/mem",
    b"/proc/self/stat",
    b"/proc/self/status",
    b"/proc/self/root/work/dir",
    b"/proc/self/cwd",
    b"/proc/self/task/1/comm",
    b"/proc/1/cmdline",
    b"/proc/1/environ",
    b"/proc/self/auxv",
    b"/proc/self/oom_score_adj",
    b"/proc/self/mountinfo",
    b"/proc/self/limits",
    b"/proc/meminfo",
    b"/proc/stat",
    b"/proc/sys/kernel/pid_max",
    b"/proc/2/fd/0",
    b"/proc/4294967295/stat",
    b"/proc/-1",
    b"/sys",
    b"/mem/file",
    b"/mem",
    b"/bin/script",
    b"\xff\xfe\x01",
];

/// Lengths.
const SIZES: &[u64] = &[
    0,
    1,
    8,
    16,
    2,
    4,
    24,
    32,
    64,
    88,
    112,
    128,
    144,
    255,
    256,
    512,
    1024,
    4095,
    4096,
    4097,
    8192,
    16384,
    65535,
    65536,
    65537,
    0x3_ffff,
    0x4_0000,
    1 << 20,
    (1 << 20) + 1,
    1 << 24,
    1 << 28,
    1 << 30,
    0x7fff_f000,
    0x7fff_ffff,
    0x8000_0000,
    0xefff_0000,
    0xffff_ffff,
    1 << 32,
    1 << 40,
    1 << 47,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 4095,
    u64::MAX - 1,
    u64::MAX,
];

/// Numbers that calls treat in special ways.
const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    10,
    11,
    13,
    16,
    17,
    19,
    20,
    31,
    32,
    33,
    63,
    64,
    65,
    99,
    100,
    255,
    256,
    1000,
    1023,
    1024,
    1025,
    4096,
    32767,
    32768,
    65535,
    65536,
    99_999,
    1_000_000,
    999_999_999,
    1_000_000_000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX,
    u64::MAX - 1,
    u64::MAX - 99,
    1 << 32,
    (1 << 32) + 1,
    i64::MAX as u64,
    i64::MIN as u64,
];

/// The call of a step.
#[must_use]
pub fn draw(step: &Step) -> Drawn {
    let row = &TABLE[usize::from(step.row) % TABLE.len()];
    let mut drawn = Drawn { number: u64::from(row.number), args: [0; 6], pokes: Vec::new() };
    for at in 0..6 {
        let seed = step.args[at];
        let slot = ARENA + SLOT * (at as u64 + 1);
        drawn.args[at] = match row.args.get(at) {
            Some(arg) => value(row, arg.name, arg.kind, seed, slot, &mut drawn.pokes),
            None => NUMBERS[usize::from(seed) % NUMBERS.len()],
        };
    }
    drawn
}

/// One argument.
fn value(row: &Syscall, name: &str, kind: Kind, seed: u16, slot: u64, pokes: &mut Vec<(u64, Vec<u8>)>) -> u64 {
    let mut words = Random(u64::from(seed) << 16 | u64::from(row.number));
    // Seeds below 64 are plain choices in order; the rest is drawn.
    let plain = (seed < 64).then_some(usize::from(seed));
    let pick = |of: &[u64], words: &mut Random| match plain {
        Some(at) => of[at % of.len()],
        None => words.pick(of),
    };
    match kind {
        Kind::Fd | Kind::DirFd => fd(plain, &mut words),
        Kind::Path | Kind::OutPath | Kind::Str => {
            let text = path(plain, &mut words);
            pointer(text, plain.is_some(), &mut words, slot, pokes)
        }
        Kind::In(_) | Kind::Out | Kind::SigSet | Kind::FdPair => {
            let bytes = (0..64).map(|_| words.bits() as u8).collect();
            pointer(bytes, plain.is_some(), &mut words, slot, pokes)
        }
        Kind::Timespec => {
            let bytes = time(&mut words).into_iter().flat_map(u64::to_le_bytes).collect();
            if plain == Some(0) { 0 } else { pointer(bytes, plain.is_some(), &mut words, slot, pokes) }
        }
        Kind::Strings => strings(&mut words, slot, plain.is_some(), pokes),
        Kind::Ptr => {
            let bytes = structure(row.name, name, &mut words, slot);
            if plain == Some(0) { 0 } else { pointer(bytes, plain.is_some(), &mut words, slot, pokes) }
        }
        Kind::Int | Kind::Uint | Kind::Long => pick(NUMBERS, &mut words),
        Kind::Size => pick(SIZES, &mut words),
        Kind::Hex => hex(plain, &mut words, slot),
        Kind::Mode => pick(
            &[0o644, 0o755, 0, 0o777, 0o4755, 0o2755, 0o1777, 0o100644, 0o010600, 0o020600, 0o140755, u64::MAX],
            &mut words,
        ),
        Kind::Signal => match plain {
            Some(at) => [0, 10, 12, 17, 18, 34][at % 6],
            None if words.below(8) == 0 => pick(NUMBERS, &mut words),
            None => words.below(66),
        },
        Kind::CloneFlags => clone_flags(plain, &mut words),
        Kind::OpenFlags => match plain {
            Some(at) => [0, 0o102, 2, 1, 0o1101, 0o2001, 0o200000, 0o10000000, 0o20200002][at % 9],
            None => flags(friscy_abi::fcntl::OPEN_FLAGS, None, &mut words) | words.below(4),
        },
        Kind::Flags(names, _) => flags(names, plain, &mut words),
        Kind::Enum(names, extra) => {
            let named = match plain {
                Some(at) if !names.is_empty() => names[at % names.len()].0,
                None if !names.is_empty() && words.below(16) > 0 => words.pick(names).0,
                _ => words.pick(NUMBERS),
            };
            named | if words.below(2) == 0 { flags(extra, None, &mut words) } else { 0 }
        }
    }
}

fn fd(plain: Option<usize>, words: &mut Random) -> u64 {
    match plain {
        Some(at) => 3 + at as u64 % 24,
        None => match words.below(16) {
            0 => words.pick(&[u64::MAX, -100i64 as u64, 1023, 1024, 0x7fff_ffff, 0x8000_0000, 1 << 32, 0xffff_ff9c]),
            1 => words.below(3),
            2..=4 => words.below(64),
            _ => 3 + words.below(24),
        },
    }
}

fn path(plain: Option<usize>, words: &mut Random) -> Vec<u8> {
    let mut text = match plain {
        Some(at) => PATHS[at % PATHS.len()].to_vec(),
        None => match words.below(32) {
            0 => vec![b'a'; words.pick(&[254, 255, 256, 4094, 4095, 4096, 5000])],
            1 => b"/work/".repeat(words.pick(&[2, 100, 682, 683])),
            2 => b"d/".repeat(1000),
            3 => (0..words.below(40)).map(|_| words.bits() as u8).collect(),
            4 => [b"user.".to_vec(), vec![b'n'; words.pick(&[1, 5, 250, 251, 300])]].concat(),
            5 => b"user.one".to_vec(),
            6 => words
                .pick::<&[u8]>(&[b"trusted.x", b"security.capability", b"system.posix_acl_access", b"user."])
                .to_vec(),
            7 => b"../".repeat(30),
            _ => words.pick(PATHS).to_vec(),
        },
    };
    text.push(0);
    text
}

/// A pointer to bytes, now and then a bad one. Bytes at a bad place are not written.
fn pointer(bytes: Vec<u8>, good: bool, words: &mut Random, slot: u64, pokes: &mut Vec<(u64, Vec<u8>)>) -> u64 {
    let end = ARENA + ARENA_LEN;
    let place = if good { 31 } else { words.below(32) };
    match place {
        0 => 0,
        1 => 0x5000_0000,
        2 => 0xffff_ffff_8000_0000,
        3 => u64::MAX - words.below(16),
        4 => slot + (1 << 32),
        5 => TEXT + words.below(0x100),
        6 => words.pick(&[1, 0xfff, 0xffff, 0xefff_0000, 0xefff_ffff, 0xf000_0000, 0xffff_fff8]),
        // The end of the arena lies within the bytes.
        7 | 8 => {
            let inside = words.below(bytes.len().max(1) as u64 + 1);
            let at = end - inside;
            pokes.push((at, bytes[..(inside as usize).min(bytes.len())].to_vec()));
            at
        }
        9 => {
            let at = slot + words.below(8);
            pokes.push((at, bytes));
            at
        }
        _ => {
            pokes.push((slot, bytes));
            slot
        }
    }
}

/// Seconds and nanoseconds.
fn time(words: &mut Random) -> [u64; 2] {
    match words.below(8) {
        0 => [words.pick(NUMBERS), words.pick(NUMBERS)],
        1 => [0, 0],
        2 => [0, 1],
        3 => [words.below(3), words.below(1_000_000_000)],
        _ => [0, words.below(1_000_000)],
    }
}

fn strings(words: &mut Random, slot: u64, good: bool, pokes: &mut Vec<(u64, Vec<u8>)>) -> u64 {
    let count = if good { 1 } else { words.pick(&[0, 1, 2, 3, 100, 1000]) };
    let text = slot + 0x2800;
    let mut array: Vec<u8> = (0..count)
        .flat_map(|_| {
            let at = if words.below(64) == 0 && !good { words.pick(NUMBERS) } else { text + words.below(16) };
            at.to_le_bytes()
        })
        .collect();
    if good || words.below(16) > 0 {
        array.extend([0; 8]);
    }
    let mut content = vec![b'x'; if good { 16 } else { words.pick(&[16, 17, 4096, 6000]) }];
    content.push(0);
    pokes.push((text, content));
    pointer(array, good, words, slot, pokes)
}

fn hex(plain: Option<usize>, words: &mut Random, slot: u64) -> u64 {
    match plain {
        Some(0) => 0,
        Some(at) => [slot, ARENA, ARENA + 0x1000, 0x3000_0000, TEXT][at % 5],
        None => match words.below(16) {
            0..=3 => slot + 0x1000,
            4 | 5 => slot + words.below(64),
            6 => ARENA + 0x1000 * words.below(64),
            7 => 0x3000_0000 + 0x1000 * words.below(64),
            8 => words.pick(NUMBERS),
            9 => words.pick(SIZES),
            10 => words.bits(),
            11 => TEXT + 0x1000 * words.below(4),
            12 => 1 << words.below(64),
            13 => (1 << words.below(64)) | (1 << words.below(16)),
            _ => words.below(64),
        },
    }
}

fn flags(names: Names, plain: Option<usize>, words: &mut Random) -> u64 {
    let one = |words: &mut Random| if names.is_empty() { 0 } else { words.pick(names).0 };
    match plain {
        Some(0) => 0,
        Some(at) if !names.is_empty() => names[at % names.len()].0,
        Some(_) => 0,
        None => match words.below(16) {
            0 => words.bits(),
            1 => words.pick(NUMBERS),
            2..=4 => 0,
            5..=9 => one(words),
            10..=13 => one(words) | one(words),
            _ => (0..words.below(6)).fold(0, |all, _| all | one(words)),
        },
    }
}

fn clone_flags(plain: Option<usize>, words: &mut Random) -> u64 {
    const CHILD: u64 = 17;
    // As fork, vfork and pthread_create ask for it.
    const USUAL: [u64; 3] = [CHILD, 0x4100 | CHILD, 0x3d_0f00];
    match plain {
        Some(at) => USUAL[at % 3],
        None if words.below(4) == 0 => flags(friscy_abi::sched::CLONE_FLAGS, None, words) | words.below(66),
        None => words.pick(&USUAL),
    }
}

/// A structure for a pointer argument, known by the call's and the argument's name.
fn structure(call: &str, name: &str, words: &mut Random, slot: u64) -> Vec<u8> {
    let inner = slot + 0x2000;
    let bytes = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    match name {
        "iov" | "local_iov" | "remote_iov" => iovec(words, inner),
        "addr" | "dest_addr" | "src_addr" if call != "accept" => address(words),
        "addrlen" => bytes(&[words.pick(&[16, 28, 110, 2, 0, 128, 0xffff_ffff])]),
        "msg" | "msgvec" => {
            let mut all = Vec::new();
            for _ in 0..2 {
                let control = words.pick(&[0, 0, inner + 0x400]);
                let lens = [
                    words.pick(&[16, 110, 0, 200]),
                    words.pick(&[1, 2, 0, 1025, u64::MAX]),
                    words.pick(&[0, 24, 64, 16, u64::MAX]),
                ];
                all.extend(bytes(&[
                    inner + 0x800,
                    lens[0],
                    slot + 0x80,
                    lens[1],
                    control,
                    lens[2],
                    words.bits() & 0x40,
                    0,
                ]));
            }
            all.resize(0x80, 0);
            all.extend(iovec(words, inner));
            all
        }
        "new_value" | "value" | "ovalue" => {
            let (every, first) = (time(words), time(words));
            bytes(&[every[0], every[1], first[0], first[1]])
        }
        "times" => {
            let special = words.pick(&[0, 0x3fff_ffff, 0x3fff_fffe, 1_000_000_000]);
            bytes(&[words.pick(NUMBERS), special, words.below(1000), words.pick(&[0, 0x3fff_fffe, 0x3fff_ffff])])
        }
        "act" => bytes(&[
            words.pick(&[0, 1, TEXT, TEXT + 64, 0x7000_0000]),
            words.pick(&[0, 0x1000_0000, 0x4, 0x0800_0004, 0x4000_0000, 0x8000_0000, 0xc000_0002]),
            words.bits() & words.bits(),
        ]),
        "ss" => {
            bytes(&[slot + 0x1000, words.pick(&[0, 0, 2, 1, 1 << 31]), words.pick(&[8192, 2048, 0, 100, u64::MAX])])
        }
        "sevp" => bytes(&[
            words.bits(),
            words.pick(&[0, 10, 34, 64, 65]) | words.pick(&[0, 1, 2, 4, 3]) << 32,
            words.below(4),
        ]),
        "cl_args" => {
            let signal = words.pick(&[0, 17, 10, 65]);
            bytes(&[
                clone_flags(None, words) & !0xff,
                slot + 0x800,
                slot + 0x808,
                slot + 0x810,
                signal,
                words.pick(&[0, ARENA]),
                words.pick(&[0, 0x8000, 1]),
                slot,
                0,
                0,
                0,
            ])
        }
        "event" => bytes(&[words.pick(&[1, 4, 5, 0x8000_0001, 0x4000_0001, 0x1000_0001]), words.bits()]),
        "fds" => (0..8).flat_map(|_| (words.below(28) | (words.bits() & 0xffff) << 32).to_le_bytes()).collect(),
        "sops" => (0..4)
            .flat_map(|_| {
                let op = words.pick(&[1u64, 0xffff, 0, 2, 0x7fff, 0x8000]);
                (words.below(4) | op << 16 | words.pick(&[0, 0x800, 0x1000]) << 32).to_le_bytes()[..6].to_vec()
            })
            .collect(),
        "how" => bytes(&[
            flags(friscy_abi::fcntl::OPEN_FLAGS, None, words) & 0x7f_ffff,
            words.pick(&[0, 0o644]),
            words.pick(&[0, 1, 2, 4, 8, 16, 32]),
        ]),
        "msgp" => bytes(&[words.pick(&[1, 2, 3, 0, u64::MAX]), words.bits()]),
        "readfds" | "writefds" | "exceptfds" => bytes(&[words.bits() & 0xfff_ffff, words.bits() & words.bits(), 0, 0]),
        _ => (0..24).flat_map(|_| word(words, inner).to_le_bytes()).collect(),
    }
}

fn iovec(words: &mut Random, inner: u64) -> Vec<u8> {
    (0..8)
        .flat_map(|_| {
            let base = if words.below(12) == 0 { words.pick(&[0, 0x5000_0000, u64::MAX, TEXT]) } else { inner };
            let len = if words.below(12) == 0 { words.pick(SIZES) } else { words.pick(&[0, 1, 7, 64, 4096]) };
            [base, len]
        })
        .flat_map(u64::to_le_bytes)
        .collect()
}

fn address(words: &mut Random) -> Vec<u8> {
    let port = words.pick(&[0u16, 80, 8080, 8081]).to_be_bytes();
    let mut bytes = match words.below(6) {
        0 | 1 => [
            vec![2, 0, port[0], port[1]],
            words.pick(&[[127, 0, 0, 1], [0, 0, 0, 0], [10, 1, 1, 1], [224, 0, 0, 1]]).to_vec(),
        ]
        .concat(),
        2 => {
            let mut bytes = vec![10, 0, port[0], port[1]];
            bytes.resize(23, 0);
            bytes.push(1);
            bytes
        }
        3 => {
            [&[1, 0][..], words.pick::<&[u8]>(&[b"/work/sock", b"\0abstract", b"/work/file", b"", b"/no/dir"])].concat()
        }
        4 => vec![16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        _ => words.bits().to_le_bytes().to_vec(),
    };
    bytes.resize(128, 0);
    bytes
}

/// A word of a structure that nothing is known of.
fn word(words: &mut Random, inner: u64) -> u64 {
    match words.below(8) {
        0 | 1 => 0,
        2 => words.below(64),
        3 => words.below(64) | words.below(64) << 32,
        4 => inner + words.below(64),
        5 => words.pick(NUMBERS),
        6 => words.pick(SIZES),
        _ => words.bits(),
    }
}
