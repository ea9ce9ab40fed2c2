//! Saying where a program crashed: signal, address, symbol, and with `--backtrace` the calls that led there.
//!
//! Symbols come from the ELF files' symbol tables; callers are found by their `.eh_frame` (DWARF 5 §6.4, in the form of
//! the LSB), where there is none by what the function's prologue does with the stack, and through a signal frame by the
//! registers that it holds (`ucontext` of the RISC-V Linux ABI).

use crate::image::Image;
use friscy_abi::signal::{BUS_ADRALN, SEGV_ACCERR, SIGBUS, SIGNALS, SIGSEGV};
use friscy_abi::table::name_of;
use friscy_isa::Op;
use friscy_kernel::crash::{CodeMapping, Crash};
use friscy_kernel::signal::SigData;
use gimli::{BaseAddresses, CfaRule, EhFrame, LittleEndian, RegisterRule, UnwindContext, UnwindSection};
use goblin::elf::Elf;
use goblin::elf::program_header::PT_LOAD;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The most calls that are shown.
const MAX_FRAMES: usize = 64;

/// The return address register `ra`, also its DWARF number.
const RA: usize = 1;
/// The stack pointer.
const SP: usize = 2;

/// From the stack pointer of a signal frame to its `ucontext`'s registers: the `siginfo`, then flags, link, stack and
/// mask.
const SIGNAL_REGS: u64 = 128 + 176;

/// The message about a crash, in lines that end with `end`.
pub fn describe(image: &Image, crash: &Crash, backtrace: bool, end: &str) -> String {
    let files = Files::read(image, &crash.code);
    let signal = name_of(SIGNALS, u64::from(crash.info.signo)).unwrap_or("a signal");
    let name = String::from_utf8_lossy(&crash.comm);
    let mut text = format!("friscy: {name} (process {}) was killed by {signal}{}{end}", crash.pid, reason(crash));
    let frames = if backtrace { unwind(crash, &files) } else { vec![(crash.regs.pc, true)] };
    for (number, (pc, exact)) in frames.iter().enumerate() {
        let place = files.place(*pc, *exact);
        let _ = if backtrace {
            write!(text, "friscy: {number:3}: {pc:#014x} {place}{end}")
        } else {
            write!(text, "friscy: at {pc:#x} {place}{end}")
        };
    }
    text
}

/// Where an address is in a process with this code: symbol and file.
pub fn place(image: &Image, code: &[CodeMapping], pc: u64) -> String {
    Files::read(image, code).place(pc, true)
}

/// What the signal says beside its number.
fn reason(crash: &Crash) -> String {
    let (signo, code) = (crash.info.signo, crash.info.code);
    match crash.info.data {
        // What a person or program sent has no address.
        SigData::Fault { addr } if signo == SIGSEGV => {
            let why = if code == SEGV_ACCERR { "no permission for" } else { "nothing is mapped at" };
            format!(": {why} address {addr:#x}")
        }
        SigData::Fault { addr } if signo == SIGBUS => {
            let why = if code == BUS_ADRALN { "misaligned atomic access to" } else { "the file has no page for" };
            format!(": {why} address {addr:#x}")
        }
        _ => String::new(),
    }
}

/// The ELF files that a crashed process executed.
struct Files {
    mappings: Vec<CodeMapping>,
    bytes: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Files {
    fn read(image: &Image, code: &[CodeMapping]) -> Files {
        let mut bytes = BTreeMap::new();
        for path in code.iter().filter_map(|mapping| mapping.path.as_ref()) {
            bytes.entry(path.clone()).or_insert_with(|| image.read(&String::from_utf8_lossy(path)));
        }
        Files { mappings: code.to_vec(), bytes }
    }

    fn mapping(&self, pc: u64) -> Option<&CodeMapping> {
        self.mappings.iter().find(|mapping| (mapping.start..mapping.end).contains(&pc))
    }

    /// The ELF file at an address, and the address within it as its headers count.
    fn file(&self, pc: u64) -> Option<(Elf<'_>, &[u8], u64)> {
        let mapping = self.mapping(pc)?;
        let bytes = self.bytes.get(mapping.path.as_ref()?)?;
        let elf = Elf::parse(bytes).ok()?;
        let offset = pc - mapping.start + mapping.offset;
        let segment = elf.program_headers.iter().find(|header| {
            header.p_type == PT_LOAD
                && (header.p_offset..header.p_offset.saturating_add(header.p_filesz)).contains(&offset)
        })?;
        let address = (offset - segment.p_offset).checked_add(segment.p_vaddr)?;
        Some((elf, bytes, address))
    }

    /// `symbol+0x12 in file`. For a return address (not `exact`) it is the call that is named, which stands before it.
    fn place(&self, pc: u64, exact: bool) -> String {
        let looked_up = if exact { pc } else { pc.wrapping_sub(1) };
        let Some(mapping) = self.mapping(looked_up) else {
            return String::from("where no code is mapped");
        };
        let Some(path) = &mapping.path else { return String::from("in memory that is no file") };
        let path = String::from_utf8_lossy(path);
        let Some((elf, _, address)) = self.file(looked_up) else { return format!("in {path}") };
        let symbol = symbol(&elf, address);
        let address = if exact { address } else { address.wrapping_add(1) };
        match symbol {
            Some((name, start)) => format!("{name}+{:#x} in {path}", address.wrapping_sub(start)),
            None => format!("in {path} at {address:#x}"),
        }
    }
}

/// The function that holds an address: its name, and where it starts.
fn symbol<'a>(elf: &Elf<'a>, address: u64) -> Option<(&'a str, u64)> {
    let tables = elf.syms.iter().map(|sym| (sym, &elf.strtab));
    tables
        .chain(elf.dynsyms.iter().map(|sym| (sym, &elf.dynstrtab)))
        .filter(|(sym, _)| sym.is_function() && sym.st_shndx != 0)
        .filter(|(sym, _)| sym.st_value <= address && address < sym.st_value.saturating_add(sym.st_size.max(1)))
        .max_by_key(|(sym, _)| sym.st_value)
        .and_then(|(sym, names)| Some((names.get_at(sym.st_name)?, sym.st_value)))
}

/// The stack of a crashed thread.
struct Stack<'a> {
    start: u64,
    bytes: &'a [u8],
}

impl Stack<'_> {
    fn load(&self, addr: u64) -> Option<u64> {
        let at = usize::try_from(addr.checked_sub(self.start)?).ok()?;
        Some(u64::from_le_bytes(self.bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
    }
}

/// Program counters, the innermost first, and whether each is exact or a return address.
fn unwind(crash: &Crash, files: &Files) -> Vec<(u64, bool)> {
    let stack = Stack { start: crash.regs.x[SP], bytes: &crash.stack };
    let mut regs = crash.regs.x;
    let mut pc = crash.regs.pc;
    let mut exact = true;
    let mut frames = Vec::new();
    while frames.len() < MAX_FRAMES && pc != 0 {
        frames.push((pc, exact));
        let looked_up = if exact { pc } else { pc.wrapping_sub(1) };
        let caller = caller(files, &stack, looked_up, &regs);
        // A jump to a wrong address leaves the caller in `ra`, as does a leaf without unwinding information.
        let leaf = || (frames.len() == 1 && regs[RA] != pc).then_some((regs, regs[RA], false));
        let signal =
            || files.mapping(pc).filter(|mapping| mapping.path.is_none()).and_then(|_| interrupted(&stack, &regs));
        let prologue = || by_prologue(files, &stack, pc, &regs);
        let Some((next, next_pc, next_exact)) = caller.or_else(prologue).or_else(signal).or_else(leaf) else { break };
        // Stacks grow down: a caller's frame is above, so that this ends.
        if frames.len() > 1 && next[SP] <= regs[SP] && !next_exact {
            break;
        }
        (regs, pc, exact) = (next, next_pc, next_exact);
    }
    frames
}

type Frame = ([u64; 32], u64, bool);

/// The registers in the calling function, by the unwinding information of the code at `pc`.
fn caller(files: &Files, stack: &Stack<'_>, pc: u64, regs: &[u64; 32]) -> Option<Frame> {
    let (elf, bytes, address) = files.file(pc)?;
    let section =
        elf.section_headers.iter().find(|section| elf.shdr_strtab.get_at(section.sh_name) == Some(".eh_frame"))?;
    let data = bytes.get(section.file_range()?)?;
    let eh_frame = EhFrame::new(data, LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(section.sh_addr);
    let mut context = UnwindContext::new();
    let row = eh_frame.unwind_info_for_address(&bases, &mut context, address, EhFrame::cie_from_offset).ok()?;
    let CfaRule::RegisterAndOffset { register, offset } = row.cfa() else { return None };
    let cfa = regs.get(usize::from(register.0))?.wrapping_add_signed(*offset);
    let mut next = *regs;
    for (register, rule) in row.registers() {
        let slot = next.get_mut(usize::from(register.0))?;
        match rule {
            RegisterRule::Offset(offset) => *slot = stack.load(cfa.wrapping_add_signed(*offset))?,
            // The outermost function says so.
            RegisterRule::Undefined if usize::from(register.0) == RA => return None,
            _ => {}
        }
    }
    next[SP] = cfa;
    Some((next, next[RA], false))
}

/// The registers in the calling function, by what the instructions from the function's start to `pc` do: they lower the
/// stack pointer once or twice, and save registers above it. What runs after a branch is not followed; compilers put
/// prologues first.
fn by_prologue(files: &Files, stack: &Stack<'_>, pc: u64, regs: &[u64; 32]) -> Option<Frame> {
    let (elf, bytes, address) = files.file(pc)?;
    let (_, start) = symbol(&elf, address)?;
    let mapped = files.mapping(pc)?;
    let first =
        usize::try_from(pc - mapped.start + mapped.offset).ok()?.checked_sub(usize::try_from(address - start).ok()?)?;
    let mut at = 0;
    let mut lowered: u64 = 0;
    let mut saved: Vec<(u8, u64, i32)> = Vec::new();
    while start.checked_add(at)? < address {
        let place = first.checked_add(usize::try_from(at).ok()?)?;
        let code = bytes.get(place..)?;
        let half = |at: usize| Some(u32::from(u16::from_le_bytes(code.get(at..at + 2)?.try_into().ok()?)));
        let low = half(0)?;
        let bits = if low & 3 == 3 { low | half(2)? << 16 } else { low };
        let inst = friscy_isa::decode(bits)?;
        match inst.op {
            Op::Addi if (inst.rd, inst.rs1) == (2, 2) && inst.imm < 0 => {
                lowered = lowered.checked_add(u64::from(inst.imm.unsigned_abs()))?;
            }
            Op::Sd if inst.rs1 == 2 && !saved.iter().any(|(register, ..)| *register == inst.rs2) => {
                saved.push((inst.rs2, lowered, inst.imm));
            }
            _ => {}
        }
        at += u64::from(inst.len);
    }
    let cfa = regs[SP].checked_add(lowered)?;
    let mut next = *regs;
    for (register, depth, offset) in saved {
        let value = stack.load(cfa.checked_sub(depth)?.checked_add_signed(i64::from(offset))?)?;
        // Only these keep their values across calls; others are saved as arguments or temporaries.
        if matches!(register, 1 | 8 | 9 | 18..=27) {
            next[usize::from(register)] = value;
        }
    }
    next[SP] = cfa;
    (next[RA] != pc.wrapping_add(1)).then_some((next, next[RA], false))
}

/// The registers that a signal interrupted, when `regs` are those at the return from its handler.
fn interrupted(stack: &Stack<'_>, regs: &[u64; 32]) -> Option<Frame> {
    let base = regs[SP].checked_add(SIGNAL_REGS)?;
    let mut next = [0; 32];
    for (number, slot) in next.iter_mut().enumerate().skip(1) {
        *slot = stack.load(base.checked_add(8 * number as u64)?)?;
    }
    Some((next, stack.load(base)?, true))
}
