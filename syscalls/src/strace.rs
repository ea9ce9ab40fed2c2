//! System calls as text, in the manner of strace(1): `openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3`.

use crate::args::{Args, Kind, Ret};
use crate::dispatch::lookup;
use crate::rows::TABLE;
use friscy_abi::fcntl::{AT_FDCWD, O_ACCMODE, O_CREAT, O_RDONLY, O_RDWR, O_SYNC, O_TMPFILE, O_WRONLY, OPEN_FLAGS};
use friscy_abi::layout::Timespec;
use friscy_abi::sched::{CLONE_FLAGS, CSIGNAL};
use friscy_abi::signal::SIGNALS;
use friscy_abi::table::{Names, name_of};
use friscy_kernel::{Kernel, SysError, SysResult, Tid};
use std::fmt::Write as _;

/// How many bytes of a string are shown.
const SHOWN: usize = 32;
/// How many bytes of a path are shown.
const PATH_SHOWN: usize = 4096;
/// How many strings of an array are shown.
const STRINGS_SHOWN: u64 = 16;

/// Which calls are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Numbers; all when empty and not negated.
    numbers: Vec<u16>,
    /// The others are shown.
    negated: bool,
}

impl Filter {
    /// Reads a list of names or numbers, separated by commas; `!` before it negates it, an empty one shows all.
    ///
    /// # Errors
    /// The name that is no system call.
    pub fn parse(text: &str) -> Result<Filter, String> {
        let (negated, list) = match text.strip_prefix('!') {
            Some(list) => (true, list),
            None => (false, text),
        };
        let mut numbers = Vec::new();
        for name in list.split(',').filter(|name| !name.is_empty()) {
            let row = TABLE.iter().find(|row| row.name == name || row.number.to_string() == name);
            numbers.push(row.ok_or_else(|| name.to_owned())?.number);
        }
        Ok(Filter { numbers, negated })
    }

    /// Whether a call is shown.
    #[must_use]
    pub fn shows(&self, number: u64) -> bool {
        let listed = self.numbers.iter().any(|&other| u64::from(other) == number);
        if self.numbers.is_empty() { !self.negated } else { listed != self.negated }
    }
}

/// A call as text. Before it is executed `result` is `None`: strings can still be read from memory then, and what the
/// call writes is shown as an address. The line ends where the result will stand.
#[must_use]
pub fn line(kernel: &mut Kernel, tid: Tid, number: u64, args: &[u64; 6], result: Option<&SysResult>) -> String {
    let args = Args(*args);
    let mut text = String::new();
    let row = lookup(number);
    match row {
        Some(row) => text.push_str(row.name),
        None => push(&mut text, format_args!("syscall_{number}")),
    }
    text.push('(');
    let shown: Vec<Kind> = match row {
        Some(row) if !row.args.is_empty() || row.support_is_known() => row.args.iter().map(|arg| arg.kind).collect(),
        _ => vec![Kind::Hex; 6],
    };
    for (at, kind) in shown.iter().enumerate() {
        if skipped(kind, at, &shown, &args) {
            continue;
        }
        if at > 0 {
            text.push_str(", ");
        }
        let value = args.0.get(at).copied().unwrap_or(0);
        argument(kernel, tid, &mut text, *kind, value, &args, result);
    }
    text.push(')');
    if let Some(result) = result {
        push(&mut text, format_args!(" = {}", outcome(row.map_or(Ret::Dec, |row| row.ret), result)));
    }
    text
}

impl crate::table::Syscall {
    fn support_is_known(&self) -> bool {
        !matches!(self.support, crate::table::Support::Stub(_))
    }
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(what);
}

/// The mode of an open that makes nothing is not shown.
fn skipped(kind: &Kind, at: usize, kinds: &[Kind], args: &Args) -> bool {
    let before = at.checked_sub(1).and_then(|before| kinds.get(before));
    matches!(kind, Kind::Mode)
        && matches!(before, Some(Kind::OpenFlags))
        && args.0.get(at - 1).is_some_and(|flags| {
            let flags = *flags as u32;
            flags & O_CREAT == 0 && flags & O_TMPFILE != O_TMPFILE
        })
}

fn outcome(ret: Ret, result: &SysResult) -> String {
    match result {
        _ if ret == Ret::Never => String::from("?"),
        Ok(value) if ret == Ret::Hex => format!("{value:#x}"),
        Ok(value) => format!("{}", *value as i64),
        Err(SysError::Errno(errno)) => format!("-1 {errno}"),
        Err(SysError::Block(_) | SysError::Restart(_)) => String::from("? <unfinished ...>"),
        Err(SysError::NoReturn) => String::from("0"),
    }
}

fn argument(
    kernel: &mut Kernel,
    tid: Tid,
    text: &mut String,
    kind: Kind,
    value: u64,
    args: &Args,
    result: Option<&SysResult>,
) {
    match kind {
        Kind::Fd | Kind::Int => push(text, format_args!("{}", value as i32)),
        Kind::DirFd if value as i32 == AT_FDCWD => text.push_str("AT_FDCWD"),
        Kind::DirFd => push(text, format_args!("{}", value as i32)),
        Kind::Uint => push(text, format_args!("{}", value as u32)),
        Kind::Long => push(text, format_args!("{}", value as i64)),
        Kind::Size => push(text, format_args!("{value}")),
        Kind::Mode => push(text, format_args!("0{:03o}", value as u32)),
        Kind::Hex | Kind::Ptr if value == 0 => text.push_str(if matches!(kind, Kind::Ptr) { "NULL" } else { "0" }),
        Kind::Hex | Kind::Ptr => push(text, format_args!("{value:#x}")),
        Kind::Path => string(kernel, tid, text, value, PATH_SHOWN),
        Kind::Str => string(kernel, tid, text, value, SHOWN),
        Kind::In(length) => {
            let length = args.0.get(usize::from(length)).copied().unwrap_or(0);
            bytes(kernel, tid, text, value, length);
        }
        Kind::Out => match result {
            Some(Ok(count)) => bytes(kernel, tid, text, value, *count),
            _ => push(text, format_args!("{value:#x}")),
        },
        Kind::OutPath => match result {
            Some(Ok(count)) => bytes(kernel, tid, text, value, (*count).min(PATH_SHOWN as u64)),
            _ => push(text, format_args!("{value:#x}")),
        },
        Kind::FdPair => match (result, read::<8>(kernel, tid, value)) {
            (Some(Ok(_)), Some(pair)) => {
                let number = |at: usize| i32::from_le_bytes([pair[at], pair[at + 1], pair[at + 2], pair[at + 3]]);
                push(text, format_args!("[{}, {}]", number(0), number(4)));
            }
            _ => push(text, format_args!("{value:#x}")),
        },
        Kind::Strings => strings(kernel, tid, text, value),
        Kind::Timespec => match read::<16>(kernel, tid, value) {
            Some(raw) => {
                let time: Timespec = bytemuck::pod_read_unaligned(&raw);
                push(text, format_args!("{{tv_sec={}, tv_nsec={}}}", time.tv_sec, time.tv_nsec));
            }
            None => null_or_hex(text, value),
        },
        Kind::SigSet => match read::<8>(kernel, tid, value) {
            Some(raw) => signal_set(text, u64::from_le_bytes(raw)),
            None => null_or_hex(text, value),
        },
        Kind::Signal => match name_of(SIGNALS, value) {
            Some(name) => text.push_str(name),
            None if (32..=64).contains(&value) => push(text, format_args!("SIGRT_{}", value - 32)),
            None => push(text, format_args!("{}", value as i32)),
        },
        Kind::OpenFlags => open_flags(text, value as u32),
        Kind::CloneFlags => {
            let signal = name_of(SIGNALS, value & CSIGNAL);
            let bits = value & !CSIGNAL & 0xffff_ffff;
            flags(text, bits, CLONE_FLAGS, if signal.is_some() { "" } else { "0" });
            if let Some(name) = signal {
                push(text, format_args!("{}{name}", if bits == 0 { "" } else { "|" }));
            }
        }
        Kind::Flags(names, none) => flags(text, value & 0xffff_ffff, names, none),
        Kind::Enum(names, beside) => {
            let bits = beside.iter().fold(0, |all, row| all | row.0);
            let value = value & 0xffff_ffff;
            match name_of(names, value & !bits) {
                Some(name) => text.push_str(name),
                None => push(text, format_args!("{:#x}", value & !bits)),
            }
            if value & bits != 0 {
                text.push('|');
                flags(text, value & bits, beside, "0");
            }
        }
    }
}

fn null_or_hex(text: &mut String, value: u64) {
    if value == 0 {
        text.push_str("NULL");
    } else {
        push(text, format_args!("{value:#x}"));
    }
}

fn read<const N: usize>(kernel: &mut Kernel, tid: Tid, addr: u64) -> Option<[u8; N]> {
    let mm = kernel.tasks.get(&tid)?.mm_id;
    let mut raw = [0; N];
    kernel.read_mem(mm, addr, &mut raw).ok()?;
    Some(raw)
}

fn quoted(text: &mut String, bytes: &[u8], more: bool) {
    text.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => push(text, format_args!("\\{}", byte as char)),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x20..=0x7e => text.push(byte as char),
            _ => push(text, format_args!("\\{byte:o}")),
        }
    }
    text.push('"');
    if more {
        text.push_str("...");
    }
}

fn string(kernel: &mut Kernel, tid: Tid, text: &mut String, addr: u64, most: usize) {
    let Some(mm) = kernel.tasks.get(&tid).map(|task| task.mm_id) else { return null_or_hex(text, addr) };
    match kernel.read_cstr(mm, addr, PATH_SHOWN) {
        Ok(bytes) => quoted(text, bytes.get(..bytes.len().min(most)).unwrap_or(&bytes), bytes.len() > most),
        Err(_) => null_or_hex(text, addr),
    }
}

fn bytes(kernel: &mut Kernel, tid: Tid, text: &mut String, addr: u64, length: u64) {
    let mut shown = vec![0; length.min(SHOWN as u64) as usize];
    let Some(mm) = kernel.tasks.get(&tid).map(|task| task.mm_id) else { return null_or_hex(text, addr) };
    if addr == 0 || kernel.read_mem(mm, addr, &mut shown).is_err() {
        return null_or_hex(text, addr);
    }
    quoted(text, &shown, length > SHOWN as u64);
}

fn strings(kernel: &mut Kernel, tid: Tid, text: &mut String, addr: u64) {
    if addr == 0 {
        text.push_str("NULL");
        return;
    }
    text.push('[');
    for at in 0..=STRINGS_SHOWN {
        let Some(pointer) = read::<8>(kernel, tid, addr.wrapping_add(at * 8)).map(u64::from_le_bytes) else { break };
        if pointer == 0 {
            break;
        }
        if at > 0 {
            text.push_str(", ");
        }
        if at == STRINGS_SHOWN {
            text.push_str("...");
            break;
        }
        string(kernel, tid, text, pointer, SHOWN);
    }
    text.push(']');
}

fn signal_set(text: &mut String, set: u64) {
    let mut names = Vec::new();
    // A set of nearly all signals is shown by what is missing.
    let (set, sign) = if set.count_ones() > 32 { (!set, "~") } else { (set, "") };
    for signo in 1..=64 {
        if set >> (signo - 1) & 1 != 0 {
            let name = name_of(SIGNALS, signo).map(|name| name.trim_start_matches("SIG").to_owned());
            names.push(name.unwrap_or_else(|| format!("RT_{}", signo - 32)));
        }
    }
    push(text, format_args!("{sign}[{}]", names.join(" ")));
}

fn open_flags(text: &mut String, value: u32) {
    text.push_str(match value & O_ACCMODE {
        O_RDONLY => "O_RDONLY",
        O_WRONLY => "O_WRONLY",
        O_RDWR => "O_RDWR",
        _ => "O_ACCMODE",
    });
    let mut rest = value & !O_ACCMODE;
    // Values of several bits go before the bits they contain.
    for (whole, name) in [(O_SYNC, "O_SYNC"), (O_TMPFILE, "O_TMPFILE")] {
        if rest & whole == whole {
            push(text, format_args!("|{name}"));
            rest &= !whole;
        }
    }
    if rest != 0 {
        text.push('|');
        flags(text, u64::from(rest), OPEN_FLAGS, "0");
    }
}

fn flags(text: &mut String, value: u64, names: Names, none: &str) {
    if value == 0 {
        text.push_str(none);
        return;
    }
    let mut rest = value;
    let mut first = true;
    for &(bit, name) in names {
        if bit != 0 && rest & bit == bit {
            if !first {
                text.push('|');
            }
            first = false;
            text.push_str(name);
            rest &= !bit;
        }
    }
    if rest != 0 {
        push(text, format_args!("{}{rest:#x}", if first { "" } else { "|" }));
    }
}
