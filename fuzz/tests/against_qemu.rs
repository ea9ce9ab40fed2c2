//! Whole random programs do in the evaluator what they do under qemu: registers, flags, memory, and where and why they
//! stop, faulting addresses included.
//!
//! A program becomes an ELF file of its pages. What stops it is a signal, whose handler writes out what it is given.

use friscy_boundary::{Access, Exit, Regs};
use friscy_fuzz::{Item, Model, Object, PAGES, Page, Program, evaluate, generate};
use friscy_isa::{Flags, Op, assemble, decode};
use friscy_lift_ir::CodeSource;
use std::process::Command;

/// Programs that are run under qemu, unless `FRISCY_QEMU_PROGRAMS` says how many.
const PROGRAMS: usize = 120;

/// Instructions that a program may take.
const FUEL: u64 = 20_000;

/// A page of code that is not the program's, and one of what it works with, a signal stack behind it.
const STUB: u64 = 0x60000;
const STUB_DATA: u64 = 0x70000;
const STACK_BYTES: u64 = 0x4000;

/// Where the registers are in the page of data, and the arguments of `rt_sigaction` and `sigaltstack`.
const X: u64 = 0;
const F: u64 = 256;
const FCSR: u64 = 512;
const ACTION: u64 = 520;
const STACK: u64 = 544;

/// Bytes of a siginfo, and where in a ucontext the registers are: pc, `x1` to `x31`, `f0` to `f31`, `fcsr`.
const SIGINFO_BYTES: usize = 128;
const REGISTERS_AT: usize = 176;
const UCONTEXT_BYTES: usize = REGISTERS_AT + 64 * 8 + 4;

const SIGILL: u32 = 4;
const SIGTRAP: u32 = 5;
const SIGBUS: u32 = 7;
const SIGSEGV: u32 = 11;

fn is_file_page(page: &Page) -> bool {
    // Where qemu does not guard what the guest may only execute, and what has no bytes, is left unmapped.
    (page.prot.read || page.prot.write) && page.object != Object::Beyond
}

fn writable() -> impl Iterator<Item = &'static Page> {
    PAGES.iter().filter(|page| page.prot.write && is_file_page(page))
}

/// Machine code of the start, which sets everything up and jumps to `pc`, and of the handler behind it.
fn stub(pc: u64) -> (Vec<u8>, u64) {
    let mut bytes = Vec::new();
    let mut push = |line: &str| {
        let bits = assemble(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        bytes.extend_from_slice(&bits.to_le_bytes());
        bytes.len() as u64
    };
    push(&format!("lui t6,{:#x}", STUB_DATA >> 12));
    for signal in [SIGILL, SIGTRAP, SIGBUS, SIGSEGV] {
        push(&format!("addi a0,zero,{signal}"));
        push(&format!("addi a1,t6,{ACTION}"));
        push("addi a2,zero,0");
        push("addi a3,zero,8");
        push("addi a7,zero,134");
        push("ecall");
    }
    push(&format!("addi a0,t6,{STACK}"));
    push("addi a1,zero,0");
    push("addi a7,zero,132");
    push("ecall");
    push(&format!("ld t0,{FCSR}(t6)"));
    push("csrrw zero,fcsr,t0");
    let load = |op: Op, rd: u8, at: u64| {
        let inst = friscy_isa::Inst { op, rd, rs1: 31, rs2: 0, rs3: 0, rm: 0, imm: at as i32, len: 4, bits: 0 };
        friscy_isa::encode(&inst).expect("a load encodes")
    };
    let mut loads: Vec<u32> = (0..32).map(|r| load(Op::Fld, r, F + 8 * u64::from(r))).collect();
    loads.extend((1..32).map(|r| load(Op::Ld, r, X + 8 * u64::from(r))));
    for bits in loads {
        push(&format!(".4byte {bits:#x}"));
    }
    let at = STUB + push("addi zero,zero,0");
    let handler = STUB + push(&format!("jal zero,{}", pc as i64 - at as i64));
    // The handler: siginfo in a1, ucontext in a2.
    push("addi s1,a2,0");
    let write = |push: &mut dyn FnMut(&str) -> u64, len: usize| {
        push(&format!("addi a2,zero,{len}"));
        push("addi a0,zero,1");
        push("addi a7,zero,64");
        push("ecall");
    };
    write(&mut push, SIGINFO_BYTES);
    push("addi a1,s1,0");
    write(&mut push, UCONTEXT_BYTES);
    for page in writable() {
        push(&format!("lui a1,{:#x}", page.addr >> 12));
        push("slli a1,a1,0x20");
        push("srli a1,a1,0x20");
        push("lui a2,0x1");
        push("addi a0,zero,1");
        push("ecall");
    }
    push("addi a0,zero,0");
    push("addi a7,zero,93");
    push("ecall");
    (bytes, handler)
}

/// An ELF file that runs the program.
fn elf(program: &Program) -> Vec<u8> {
    let image = program.layout();
    let memory = program.memory(&image);
    let (code, handler) = stub(image.address(0));
    let mut data = Vec::new();
    data.extend(program.regs.x.iter().chain(&program.regs.f).flat_map(|v| v.to_le_bytes()));
    let fcsr = u64::from(program.regs.frm << 5 | program.regs.fflags);
    // Flags of the action: SA_SIGINFO and SA_ONSTACK. The stack: its address, no flags, its length.
    let words = [fcsr, handler, 0x0800_0004, 0, STUB_DATA + 0x1000, 0, STACK_BYTES];
    data.extend(words.iter().flat_map(|v| v.to_le_bytes()));

    data.resize((0x1000 + STACK_BYTES) as usize, 0);
    let mut segments: Vec<(u64, u32, Vec<u8>)> = Vec::new();
    for page in PAGES.iter().filter(|page| is_file_page(page)) {
        let flags = u32::from(page.prot.exec) | u32::from(page.prot.write) << 1 | 4;
        segments.push((page.addr, flags, memory.page(page.addr).to_vec()));
    }
    segments.push((STUB, 5, code));
    segments.push((STUB_DATA, 6, data));
    segments.sort_by_key(|segment| segment.0);

    let mut file = vec![0; 0x1000];
    let (mut headers, mut at) = (Vec::new(), 0x1000u64);
    for (addr, flags, bytes) in &segments {
        headers.extend(1u32.to_le_bytes());
        headers.extend(flags.to_le_bytes());
        for word in [at, *addr, *addr, bytes.len() as u64, bytes.len() as u64, 0x1000] {
            headers.extend(word.to_le_bytes());
        }
        file.extend(bytes);
        at = (at + bytes.len() as u64).next_multiple_of(0x1000);
        file.resize(at as usize, 0);
    }
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // Executable, RISC-V, version 1.
    header.extend([2, 0, 243, 0, 1, 0, 0, 0]);
    for word in [STUB, 64, 0] {
        header.extend(u64::to_le_bytes(word));
    }
    // Flags: compressed instructions, doubles in registers.
    header.extend(5u32.to_le_bytes());
    for half in [64, 56, segments.len() as u16, 0, 0, 0] {
        header.extend(half.to_le_bytes());
    }
    file[..64].copy_from_slice(&header);
    file[64..64 + headers.len()].copy_from_slice(&headers);
    file
}

/// What the handler wrote.
struct Stopped {
    signal: u32,
    addr: u64,
    regs: Regs,
    memory: Vec<u8>,
}

fn referee(program: &Program, name: usize) -> Stopped {
    let path = std::env::temp_dir().join(format!("friscy-fuzz-{}-{name}", std::process::id()));
    std::fs::write(&path, elf(program)).expect("the file can be written");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("the file can be made executable");
    let ran = Command::new("qemu-riscv64-static").arg(&path).output().expect("qemu-riscv64-static runs");
    std::fs::remove_file(&path).expect("the file can be removed");
    let out = ran.stdout;
    let head = SIGINFO_BYTES + UCONTEXT_BYTES;
    let wanted = head + 4096 * writable().count();
    assert_eq!(out.len(), wanted, "{:?} {}\n{program}", ran.status, String::from_utf8_lossy(&ran.stderr));
    let word = |at: usize| u64::from_le_bytes(out[at..at + 8].try_into().expect("8 bytes"));
    let register = |n: usize| word(SIGINFO_BYTES + REGISTERS_AT + 8 * n);
    let mut regs = Regs { pc: register(0), ..Regs::default() };
    (1..32).for_each(|r| regs.x[r] = register(r));
    (0..32).for_each(|r| regs.f[r] = register(32 + r));
    let fcsr = out[head - 4];
    (regs.fflags, regs.frm) = (u32::from(fcsr & 31), u32::from(fcsr >> 5));
    Stopped { signal: word(0) as u32, addr: word(16), regs, memory: out[head..].to_vec() }
}

/// Leaves out what has other results here and under qemu: system calls and counters; accesses whose address may have
/// more than 32 bits; `ctzw`, which qemu before 8.0 gets wrong; pairs of `lr` and `sc` of different widths, which may fail.
fn comparable(mut program: Program) -> Program {
    const POINTERS: [u8; 6] = [2, 8, 9, 18, 19, 20];
    for r in POINTERS {
        program.regs.x[r as usize] &= 0xffff_ffff;
    }
    let of_words = program
        .items
        .iter()
        .any(|item| matches!(*item, Item::Raw { bits, .. } if decode(bits).is_some_and(|inst| inst.op == Op::LrW)));
    let other_width = if of_words { [Op::LrD, Op::ScD] } else { [Op::LrW, Op::ScW] };
    for item in &mut program.items {
        let Item::Raw { bits, len } = *item else { continue };
        let Some(inst) = decode(bits) else {
            // qemu has extensions that the table has not.
            *item = Item::Raw { bits: 0, len: 2 };
            continue;
        };
        let row = inst.op.info();
        let memory = row.flags.intersects(Flags::LOAD.or(Flags::STORE));
        let writes_pointer = row.layout.rd.is_present() && row.asm.starts_with("rd") && POINTERS.contains(&inst.rd);
        let leaves = memory && !POINTERS.contains(&inst.rs1) && inst.rs1 < 30
            || writes_pointer && !(inst.op == Op::Andi && inst.rs1 == inst.rd)
            || row.flags.contains(Flags::CSR) && !(1..4).contains(&inst.imm)
            || matches!(inst.op, Op::Ecall | Op::Ctzw)
            || other_width.contains(&inst.op);
        if leaves {
            *item = if len == 2 { Item::Raw { bits: 1, len } } else { Item::Raw { bits: 0x13, len } };
        }
    }
    program
}

#[test]
fn programs_do_what_they_do_under_qemu() {
    let mut compared = [0; 5];
    let mut seed = 1 << 32;
    let mut done = 0;
    let programs = std::env::var("FRISCY_QEMU_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(PROGRAMS);
    while done < programs {
        seed += 1;
        let program = comparable(generate(seed));
        let Some((ran, regs, mut memory)) = evaluate(&program, FUEL) else { continue };
        let in_executable_only = (0x47000..0x48000).contains(&regs.pc);
        // Without a reservation qemu does not look at the address of a store-conditional.
        let conditional =
            memory.fetch(regs.pc).ok().and_then(decode).is_some_and(|i| matches!(i.op, Op::ScW | Op::ScD));
        // An address of more than 32 bits, which a jump over what makes it may leave.
        let wide = matches!(ran.exit, Exit::Fault { addr, .. } if addr >> 32 != 0 && addr < u64::MAX - 4096);
        let differs = wide || in_executable_only || conditional && matches!(ran.exit, Exit::Misaligned { .. });
        if ran.exit == Exit::Fuel || ran.retired < 4 || differs {
            continue;
        }
        let theirs = referee(&program, done);
        done += 1;
        let text = || format!("# seed {seed}\n{program}");
        let (signal, addr, kind) = match ran.exit {
            Exit::Fault { access: Access::Execute, .. } => (SIGSEGV, theirs.addr, 0),
            Exit::Fault { addr, .. } => (SIGSEGV, addr, 1),
            Exit::Misaligned { .. } => (SIGBUS, theirs.addr, 2),
            Exit::Breakpoint => (SIGTRAP, theirs.addr, 3),
            Exit::Illegal { .. } => (SIGILL, theirs.addr, 4),
            exit => panic!("{exit:?}\n{}", text()),
        };
        compared[kind] += 1;
        assert_eq!((signal, regs.pc), (theirs.signal, theirs.regs.pc), "signal and pc, {:x?}\n{}", ran.exit, text());
        assert_eq!(addr, theirs.addr, "address {addr:#x} {:#x}\n{}", theirs.addr, text());
        for r in 0..32 {
            assert_eq!(regs.x[r], theirs.regs.x[r], "x{r}\n{}", text());
            assert_eq!(regs.f[r], theirs.regs.f[r], "f{r}\n{}", text());
        }
        assert_eq!((regs.fflags, regs.frm), (theirs.regs.fflags, theirs.regs.frm), "flags\n{}", text());
        check_memory(&memory, &theirs.memory, &text);
    }
    assert!(compared.iter().all(|&n| n > 0), "programs by how they ended: {compared:?}");
}

fn check_memory(ours: &Model, theirs: &[u8], text: &dyn Fn() -> String) {
    for (page, bytes) in writable().zip(theirs.chunks(4096)) {
        let at = ours.page(page.addr).iter().zip(bytes).position(|(a, b)| a != b);
        assert_eq!(at, None, "first byte that differs in the page at {:#x}\n{}", page.addr, text());
    }
}
