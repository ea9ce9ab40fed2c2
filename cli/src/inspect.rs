//! `friscy syscalls`, `friscy disasm`, `friscy lift`: looking at tables and code.

use crate::error::Error;
use crate::options::{CodeOptions, LiftOptions};
use friscy_isa::{decode, disassemble, len_bytes};
use friscy_lift_ir::passes::{Inlining, Simplifier, inline_calls, optimise};
use friscy_lift_ir::{CodeSource, FetchFault, Lifter, Limits, Region, RoundingClass, text};
use friscy_wasm::{AccessForm, Features};
use goblin::elf::Elf;
use goblin::elf::header::EM_RISCV;
use goblin::elf::program_header::{PF_X, PT_LOAD};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Instructions that are shown when nothing says where the code ends.
const DEFAULT_COUNT: usize = 64;

/// Prints the system-call table.
///
/// # Errors
/// None at present.
pub fn syscalls() -> Result<ExitCode, Error> {
    print_text(&friscy_syscalls::page())
}

/// Prints instructions.
///
/// # Errors
/// The file is no riscv64 ELF file, or has no such symbol or address.
pub fn disasm(options: &CodeOptions) -> Result<ExitCode, Error> {
    let bytes = fs::read(&options.elf).map_err(|error| Error::host(&options.elf, error))?;
    let program = Program::parse(&options.elf, &bytes)?;
    let (mut pc, end) = program.place(options.at.as_deref())?;
    let end = if options.count.is_some() { u64::MAX } else { end.unwrap_or(u64::MAX) };
    let count = options.count.unwrap_or(if end == u64::MAX { DEFAULT_COUNT } else { usize::MAX });
    let mut out = String::new();
    for _ in 0..count {
        if pc >= end {
            break;
        }
        let Some(bits) = program.fetch(pc) else { break };
        let width = len_bytes(bits as u16);
        let text = decode(bits).map_or_else(|| String::from("(not an instruction)"), |inst| disassemble(&inst, pc));
        let digits = usize::from(width == 2) * 4;
        let _ = writeln!(out, "{pc:12x}:  {:0width$x}{:digits$}  {text}", bits, "", width = 8 - digits);
        pc += u64::from(width);
    }
    print_text(&out)
}

/// Prints a region.
///
/// # Errors
/// As [`disasm`].
pub fn lift(options: &LiftOptions) -> Result<ExitCode, Error> {
    let bytes = fs::read(&options.elf).map_err(|error| Error::host(&options.elf, error))?;
    let program = Program::parse(&options.elf, &bytes)?;
    let (pc, _) = program.place(options.at.as_deref())?;
    let mut region = Region::new(pc, RoundingClass::Rne);
    let mut source = Source(&program);
    Lifter::new().lift(pc, RoundingClass::Rne, &mut source, &Limits::FUNCTION, &mut region);
    if !options.raw {
        inline_calls(&mut region, &[], &Inlining::COMPILED, &mut Lifter::new(), &mut source);
        optimise(&mut region, &mut Simplifier::new());
    }
    if !options.clif && !options.asm && !options.wat {
        return print_text(&text::print(&region));
    }
    let refused = |why| Error::Other(format!("{pc:#x}: {why}"));
    if options.clif || options.asm {
        let (clif, asm) = friscy_jit::inspect(&region).map_err(|why| refused(why.to_string()))?;
        for (_, shown) in [(options.clif, &clif), (options.asm, &asm)].into_iter().filter(|(wanted, _)| *wanted) {
            print_text(shown)?;
        }
    }
    if options.wat {
        let module = friscy_wasm::inspect(&region, Features { fused: true }, AccessForm::Plain);
        let module = module.map_err(|why| refused(why.to_string()))?;
        print_text(&wasmprinter::print_bytes(&module).map_err(|error| refused(error.to_string()))?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_text(text: &str) -> Result<ExitCode, Error> {
    // A reader that went away has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// A parsed ELF file.
struct Program<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    elf: Elf<'a>,
}

struct Source<'a>(&'a Program<'a>);

impl CodeSource for Source<'_> {
    fn fetch(&mut self, pc: u64) -> Result<u32, FetchFault> {
        self.0.fetch(pc).ok_or(FetchFault)
    }
}

impl<'a> Program<'a> {
    fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Program<'a>, Error> {
        let wrong = |what: String| Error::Other(format!("{}: {what}", path.display()));
        let elf = Elf::parse(bytes).map_err(|error| wrong(format!("not an ELF file: {error}")))?;
        if elf.header.e_machine != EM_RISCV || !elf.is_64 {
            return Err(wrong(String::from("not a riscv64 ELF file")));
        }
        Ok(Program { path, bytes, elf })
    }

    /// The bits at an address of an executable segment: 16 valid ones if the low two are not both set.
    fn fetch(&self, pc: u64) -> Option<u32> {
        let half = |at: u64| {
            let segment = self.elf.program_headers.iter().find(|header| {
                header.p_type == PT_LOAD && header.p_flags & PF_X != 0 && header.vm_range().contains(&(at as usize))
            })?;
            let offset = at.checked_sub(segment.p_vaddr).filter(|&offset| offset + 2 <= segment.p_filesz)?;
            let start = usize::try_from(segment.p_offset.checked_add(offset)?).ok()?;
            let bytes = self.bytes.get(start..start + 2)?;
            Some(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])))
        };
        let low = half(pc)?;
        if low & 3 == 3 { Some(low | half(pc.checked_add(2)?)? << 16) } else { Some(low) }
    }

    /// Where a symbol or address is, and where its code ends if that is known.
    fn place(&self, at: Option<&str>) -> Result<(u64, Option<u64>), Error> {
        let Some(at) = at else { return Ok((self.elf.entry, None)) };
        if let Some(digits) = at.strip_prefix("0x")
            && let Ok(address) = u64::from_str_radix(digits, 16)
        {
            return Ok((address, None));
        }
        let symbols = self.elf.syms.iter().map(|sym| (sym, &self.elf.strtab));
        let dynamic = self.elf.dynsyms.iter().map(|sym| (sym, &self.elf.dynstrtab));
        let found = symbols
            .chain(dynamic)
            .find(|(sym, names)| sym.st_value != 0 && names.get_at(sym.st_name) == Some(at))
            .map(|(sym, _)| (sym.st_value, (sym.st_size > 0).then(|| sym.st_value.saturating_add(sym.st_size))));
        found.ok_or_else(|| {
            Error::Other(format!("{}: no symbol {at}; give an address as 0x… instead", self.path.display()))
        })
    }
}
