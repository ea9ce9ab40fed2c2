//! `--crosscheck`: saying where what was checked differs from the interpreter.

use crate::crash;
use crate::image::Image;
use friscy_boundary::{Access, Exit, Regs};
use friscy_cpu::{Difference, Ended, PageDifference, Side};
use friscy_isa::asm::{F_NAMES, X_NAMES};
use friscy_kernel::crash::Crash;
use std::fmt::Write as _;

/// The message about the end of a comparison, in lines. `crash` is what is known of the process.
pub fn describe(image: &Image, ended: &Ended, crash: Option<&Crash>) -> String {
    let process = crash.map_or_else(
        || String::from("a process"),
        |crash| format!("{} (process {})", String::from_utf8_lossy(&crash.comm), crash.pid),
    );
    match ended {
        Ended::Unable => {
            format!("friscy: crosscheck: {process}: the host has no memory or mappings left to compare with\n")
        }
        Ended::Differs(difference) => {
            let place = |pc| crash.map_or_else(String::new, |crash| crash::place(image, &crash.code, pc));
            format!("friscy: crosscheck: {process}: the tiers differ\n{}", lines(difference, &place))
        }
    }
}

fn lines(difference: &Difference, place: &dyn Fn(u64) -> String) -> String {
    let Difference { same_pc, same_retired, reference, checked, pages, repeated } = difference;
    let at = |pc: u64| format!("{pc:#x} {}", place(pc)).trim_end().to_owned();
    let mut text = format!("friscy: the same at {}, after {same_retired} instructions\n", at(*same_pc));
    for (name, side) in [("interpreter", reference), ("checked tier", checked)] {
        let Side { regs, exit, retired } = side;
        let _ = writeln!(text, "friscy: {name}: {retired} instructions on, at {}: {}", at(regs.pc), in_words(*exit));
    }
    for (name, reference, checked) in registers(&reference.regs, &checked.regs) {
        let _ = writeln!(text, "friscy: {name}: interpreter {reference:#x}, checked tier {checked:#x}");
    }
    for PageDifference { addr, bytes, reference, checked } in pages {
        let (page, offset) = (addr & !0xfff, addr & 0xfff);
        let (reference, checked) = (hex(reference), hex(checked));
        let _ = writeln!(
            text,
            "friscy: memory, page {page:#x}, offset {offset:#x}: interpreter {reference}, checked tier {checked}; \
             bytes of the page that differ: {bytes}"
        );
    }
    if !repeated {
        text.push_str("friscy: repeated, the difference was not always there\n");
    }
    text
}

/// The registers in which two sides differ, but for pc.
fn registers(a: &Regs, b: &Regs) -> Vec<(&'static str, u64, u64)> {
    let x = X_NAMES.into_iter().zip(a.x.into_iter().zip(b.x));
    let f = F_NAMES.into_iter().zip(a.f.into_iter().zip(b.f));
    let csr = [("fflags", (a.fflags.into(), b.fflags.into())), ("frm", (a.frm.into(), b.frm.into()))];
    x.chain(f).chain(csr).filter(|(_, (a, b))| a != b).map(|(name, (a, b))| (name, a, b)).collect()
}

fn in_words(exit: Exit) -> String {
    match exit {
        Exit::Syscall => String::from("a system call"),
        Exit::Fuel => String::from("a place where a turn may end"),
        Exit::Fault { addr, access, beyond_object } => {
            let access = match access {
                Access::Read => "load",
                Access::Write => "store",
                Access::Execute => "fetch",
            };
            let why = if beyond_object { "the file has no page" } else { "fault" };
            format!("{access} at {addr:#x}: {why}")
        }
        Exit::Misaligned { addr } => format!("misaligned atomic access to {addr:#x}"),
        Exit::Breakpoint => String::from("a breakpoint"),
        Exit::Illegal { bits } => format!("illegal instruction {bits:#x}"),
        Exit::ReadCsr { csr, .. } => format!("a read of CSR {csr:#x}"),
        Exit::LostFault => String::from("a load somewhere: fault"),
        Exit::Poisoned => String::from("it failed"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_lines() {
        let mut reference = Side { regs: Regs { pc: 0x10010, ..Regs::default() }, exit: Exit::Fuel, retired: 5 };
        reference.regs.x[10] = 1;
        let mut checked = reference.clone();
        (checked.regs.x[10], checked.regs.f[8], checked.regs.fflags) = (2, 3, 1);
        checked.exit = Exit::Fault { addr: 0x20, access: Access::Write, beyond_object: false };
        let page = PageDifference { addr: 0x20ffe, bytes: 2, reference: vec![0, 1], checked: vec![0xff, 2] };
        let mut difference =
            Difference { same_pc: 0x10000, same_retired: 70, reference, checked, pages: vec![page], repeated: true };
        let place = |pc: u64| if pc == 0x10000 { String::from("main+0x0 in /a") } else { String::new() };
        let expected = "friscy: the same at 0x10000 main+0x0 in /a, after 70 instructions\n\
            friscy: interpreter: 5 instructions on, at 0x10010: a place where a turn may end\n\
            friscy: checked tier: 5 instructions on, at 0x10010: store at 0x20: fault\n\
            friscy: a0: interpreter 0x1, checked tier 0x2\n\
            friscy: fs0: interpreter 0x0, checked tier 0x3\n\
            friscy: fflags: interpreter 0x0, checked tier 0x1\n\
            friscy: memory, page 0x20000, offset 0xffe: interpreter 00 01, checked tier ff 02; \
            bytes of the page that differ: 2\n";
        assert_eq!(lines(&difference, &place), expected);
        difference.repeated = false;
        assert!(lines(&difference, &place).ends_with("\nfriscy: repeated, the difference was not always there\n"));
    }
}
