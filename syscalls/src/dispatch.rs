//! From the number in `a7` to the handler: an array of function pointers, made from the table.

use crate::args::Args;
use crate::rows::TABLE;
use crate::table::{Handler, LIMIT, Support, Syscall};
use friscy_abi::Errno;
use friscy_kernel::{Ctx, SysResult};

/// Register number of the first argument and of the result.
const A0: usize = 10;
/// Register number of the system-call number.
const A7: usize = 17;

/// Index into [`TABLE`] by number; 0 is nothing, else one more than the index.
static INDEX: [u16; LIMIT] = {
    let mut index = [0; LIMIT];
    let mut at = 0;
    while at < TABLE.len() {
        let number = TABLE[at].number as usize;
        assert!(number < LIMIT && index[number] == 0, "two rows have the same number, or one is out of range");
        assert!(at == 0 || TABLE[at - 1].number < TABLE[at].number, "the table is ordered by number");
        index[number] = at as u16 + 1;
        at += 1;
    }
    index
};

static HANDLERS: [Handler; LIMIT] = {
    let mut handlers: [Handler; LIMIT] = [unknown; LIMIT];
    let mut at = 0;
    while at < TABLE.len() {
        handlers[TABLE[at].number as usize] = match TABLE[at].support {
            Support::Stub(_) => refused,
            _ => TABLE[at].handler,
        };
        at += 1;
    }
    handlers
};

/// The row of a number.
#[must_use]
pub fn lookup(number: u64) -> Option<&'static Syscall> {
    let index = *INDEX.get(usize::try_from(number).ok()?)?;
    TABLE.get(usize::from(index).checked_sub(1)?)
}

/// Executes the system call in the registers of the calling task.
///
/// # Errors
/// [`friscy_kernel::SysError`]: the call's error, or why it has no result.
#[inline]
pub fn dispatch(cx: &mut Ctx<'_>) -> SysResult {
    let regs = &cx.task().regs.x;
    let number = regs[A7];
    let args = Args([regs[A0], regs[A0 + 1], regs[A0 + 2], regs[A0 + 3], regs[A0 + 4], regs[A0 + 5]]);
    cx.kernel.drivers.current.set(cx.tid);
    let counts = &mut cx.kernel.drivers.call_counts;
    if counts.is_empty() {
        counts.resize(LIMIT, 0);
    }
    match counts.get_mut(number as usize) {
        Some(count) => {
            *count += 1;
            match HANDLERS.get(number as usize) {
                Some(handler) => handler(cx, &args),
                None => unknown(cx, &args),
            }
        }
        None => unknown(cx, &args),
    }
}

/// A call whose row is a stub.
fn refused(cx: &mut Ctx<'_>, _args: &Args) -> SysResult {
    let row = lookup(cx.task().regs.x[A7]);
    match row.map(|row| row.support) {
        Some(Support::Stub(errno)) => Err(errno.into()),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// A number that has no row; it is noted once.
fn unknown(cx: &mut Ctx<'_>, _args: &Args) -> SysResult {
    let number = cx.task().regs.x[A7];
    let unknown = &mut cx.kernel.drivers.unknown_calls;
    // A guest that tries all numbers fills no list.
    if unknown.len() < 64 && !unknown.contains(&number) {
        unknown.push(number);
    }
    Err(Errno::ENOSYS.into())
}
