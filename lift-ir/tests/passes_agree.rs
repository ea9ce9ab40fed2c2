//! Random programs mean the same before and after each pass, and however they are cut into regions.

mod common;

use common::{CODE, DATA, DATA_LEN, Memory, Random, random_program};
use friscy_lift_ir::eval::{Leave, Machine};
use friscy_lift_ir::op::{Effects, ImmKind};
use friscy_lift_ir::passes::{self, Simplifier};
use friscy_lift_ir::{Cond, Edge, Lifter, Limits, Op, Region, RoundingClass, Target, Term, Type, text, verify};

const PROGRAMS: u64 = 600;
const FUEL: i64 = 300;

const WHOLE: Limits = Limits { max_insts: 4096, max_blocks: 512, follow_calls_return_site: true };

type Pass = fn(&mut Region);

fn start(random: &mut Random) -> (Machine, Memory) {
    let mut machine = Machine::new(CODE, FUEL);
    for r in 1..32 {
        machine.x[r] = random.operand();
    }
    for r in 0..32 {
        machine.f[r] = random.operand();
    }
    machine.x[2] = DATA + 1024;
    machine.x[8] = DATA + 512;
    machine.x[9] = DATA + 2048;
    machine.frm = [0, 0, 1, 2, 3, 4, 5][random.below(7) as usize];
    let memory = Memory((0..DATA_LEN).map(|_| random.next() as u8).collect());
    (machine, memory)
}

fn checked(region: &Region, what: &str) {
    if let Err(broken) = verify::verify(region) {
        panic!("{what}: {broken}\n{region}");
    }
    let printed = text::print(region);
    let parsed = text::parse(&printed).unwrap_or_else(|e| panic!("{what}: {e}\n{printed}"));
    assert_eq!(text::print(&parsed), printed, "{what}: the text form does not round-trip");
    assert_eq!(verify::verify(&parsed), Ok(()), "{what}: what was parsed is not well-formed");
}

#[test]
fn every_form_of_a_program_does_the_same() {
    let mut lifter = Lifter::new();
    let mut simplifier = Simplifier::new();
    let mut region = Region::new(0, RoundingClass::Rne);
    for seed in 0..PROGRAMS {
        let mut random = Random(seed);
        let len = 4 + random.below(40) as usize;
        let mut code = random_program(&mut random, len);
        let (machine, memory) = start(&mut random);
        let rounding = RoundingClass::of(machine.frm);

        lifter.lift(CODE, rounding, &mut code, &WHOLE, &mut region);
        checked(&region, "raw");
        let (mut raw_machine, mut raw_memory) = (machine.clone(), memory.clone());
        let raw_leave = raw_machine.run(&region, &mut raw_memory);
        let raw_text = region.to_string();

        let same = |region: &Region, what: &str| {
            checked(region, what);
            let (mut m, mut mem) = (machine.clone(), memory.clone());
            let leave = m.run(region, &mut mem);
            let context = || format!("seed {seed}, {what}\n{raw_text}\n{region}");
            assert_eq!(leave, raw_leave, "{}", context());
            assert_eq!(m, raw_machine, "{}", context());
            assert!(mem == raw_memory, "memory differs: {}", context());
        };

        let raw = region.clone();
        let steps: [(&str, Pass); 6] = [
            ("promoted", passes::promote),
            ("without unreachable blocks", passes::remove_unreachable_blocks),
            ("without redundant loads", passes::remove_redundant_loads),
            ("without dead sets", passes::remove_dead_sets),
            ("without dead code", passes::remove_dead_code),
            ("promoted twice", passes::promote),
        ];
        for (what, step) in steps {
            step(&mut region);
            same(&region, what);
        }
        region = raw.clone();
        passes::optimise(&mut region, &mut simplifier);
        same(&region, "optimised");
        region = raw;
        simplifier.run(&mut region);
        same(&region, "simplified");
        simplifier.run(&mut region);
        same(&region, "simplified twice");

        // One block at a time, as cold code runs.
        let (mut m, mut mem) = (machine.clone(), memory.clone());
        let mut at_once = Region::new(0, RoundingClass::Rne);
        loop {
            lifter.lift(m.pc, rounding, &mut code, &Limits::COLD, &mut region);
            simplifier.run(&mut region);
            lifter.lift_simplified(m.pc, rounding, &mut code, Limits::COLD.max_insts, &mut at_once);
            checked(&at_once, "simplified while lifting");
            assert_eq!(at_once.to_string(), region.to_string(), "seed {seed}, simplified while lifting");
            let leave = m.run(&region, &mut mem);
            let arrived = leave == raw_leave && m.pc == raw_machine.pc && m.fuel == raw_machine.fuel;
            if leave != Leave::Goto || arrived || m.fuel < raw_machine.fuel {
                assert_eq!(leave, raw_leave, "seed {seed}, block by block\n{raw_text}");
                break;
            }
        }
        assert_eq!(m, raw_machine, "seed {seed}, block by block\n{raw_text}");
        assert!(mem == raw_memory, "memory differs: seed {seed}, block by block\n{raw_text}");
    }
}

/// Pure integer ops on registers, on constants that identities are about, and on each other.
#[test]
fn folding_keeps_what_ops_compute() {
    let ops: Vec<Op> = Op::ALL.iter().copied().filter(|op| is_pure_integer(*op)).collect();
    let mut simplifier = Simplifier::new();
    for seed in 0..4000 {
        let mut random = Random(seed);
        let mut region = Region::new(CODE, RoundingClass::Rne);
        let block = region.push_block(CODE);
        region.blocks[0].entry = true;
        region.blocks[0].guest_offsets.push(0);
        region.blocks[0].retired = 1;
        let mut values = Vec::new();
        for r in 5..8 {
            values.push(region.push(block, Op::GetX, &[], r, 0));
        }
        for _ in 0..6 {
            let constants = [0, 1, -1, 2, 31, 32, 48, 56, 63, 64, 0xff, 0xffff, 0xffff_ffff, 0x8000_0000, i64::MIN];
            let imm = constants[random.below(constants.len() as u64) as usize];
            values.push(region.push(block, Op::Iconst, &[], imm, 0));
        }
        for _ in 0..12 {
            let op = ops[random.below(ops.len() as u64) as usize];
            let count = values.len() as u64;
            let args: Vec<_> = op.info().args.iter().map(|_| values[random.below(count) as usize]).collect();
            values.push(region.push(block, op, &args, 0, 0));
        }
        for (register, v) in (10..).zip(&values[9..]) {
            region.push(block, Op::SetX, &[*v], register, 0);
        }
        let cond = Cond::ALL[random.below(6) as usize];
        let edge = |pc| Edge { target: Target::Pc(pc), preempt: false };
        let args = [values[9 + random.below(12) as usize], values[random.below(values.len() as u64) as usize]];
        region.blocks[0].term = Term::Branch { cond, args, then: edge(0x2000), els: edge(0x3000) };

        let mut machine = Machine::new(CODE, 1);
        (5..8).for_each(|r| machine.x[r] = random.operand());
        let mut memory = Memory(Vec::new());
        let before = region.to_string();
        let mut raw = machine.clone();
        raw.run(&region, &mut memory);
        simplifier.run(&mut region);
        checked(&region, "folded");
        machine.run(&region, &mut memory);
        assert_eq!(machine, raw, "seed {seed}\n{before}\n{region}");
    }
}

fn is_pure_integer(op: Op) -> bool {
    let info = op.info();
    info.effects == Effects::NONE
        && info.imm == ImmKind::None
        && info.result == Some(Type::I64)
        && info.args.iter().all(|ty| *ty == Type::I64)
}
