//! Which constants of a region depend on where its file is loaded: it is lifted at two addresses, and what differs by as
//! much as these is relative.

use friscy_lift_ir::{Edge, Inst, Op, Region, Target, Term};

/// Why a function is left out.
const OTHERWISE: &str = "code that looks at its own address";

/// Makes the constants of `region` that depend on where the file is loaded relative to that: `elsewhere` is the same code at
/// addresses that are higher by `by`.
///
/// # Errors
/// The regions differ in anything else.
pub(crate) fn relocate(region: &mut Region, elsewhere: &Region, by: u64) -> Result<(), &'static str> {
    if region.pc.wrapping_add(by) != elsewhere.pc || region.blocks.len() != elsewhere.blocks.len() {
        return Err(OTHERWISE);
    }
    let mut relative = Vec::new();
    for (block, other) in region.blocks.iter().zip(&elsewhere.blocks) {
        let same = block.pc.wrapping_add(by) == other.pc
            && block.guest_offsets == other.guest_offsets
            && block.retired == other.retired
            && block.params == other.params
            && block.entry == other.entry
            && block.insts.len() == other.insts.len();
        if !same || !are_same_terms(&block.term, &other.term, by) {
            return Err(OTHERWISE);
        }
        for (&id, other) in block.insts.iter().zip(&other.insts) {
            let (inst, other) = (&region.insts[id.index()], &elsewhere.insts[other.index()]);
            if *inst == *other {
                continue;
            }
            let moved = Inst { imm: inst.imm.wrapping_add(by as i64), ..*inst };
            if inst.op != Op::Iconst || moved != *other {
                return Err(OTHERWISE);
            }
            relative.push(id);
        }
    }
    for id in relative {
        region.insts[id.index()].op = Op::Addr;
    }
    Ok(())
}

fn are_same_terms(term: &Term, other: &Term, by: u64) -> bool {
    let same = |a: &Edge, b: &Edge| {
        a.preempt == b.preempt
            && match (&a.target, &b.target) {
                (Target::Pc(a), Target::Pc(b)) => a.wrapping_add(by) == *b,
                (a, b) => a == b,
            }
    };
    match (term, other) {
        (Term::Jump(a), Term::Jump(b)) => same(a, b),
        (
            Term::Branch { cond, args, then, els },
            Term::Branch { cond: other_cond, args: other_args, then: other_then, els: other_els },
        ) => cond == other_cond && args == other_args && same(then, other_then) && same(els, other_els),
        (Term::Call { pc, return_pc }, Term::Call { pc: other, return_pc: other_return }) => {
            pc.wrapping_add(by) == *other && return_pc.wrapping_add(by) == *other_return
        }
        (Term::Exit { kind, pc }, Term::Exit { kind: other_kind, pc: other }) => {
            kind == other_kind && pc.wrapping_add(by) == *other
        }
        (a @ Term::Indirect { .. }, b @ Term::Indirect { .. }) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use friscy_lift_ir::text;

    #[track_caller]
    fn check(region: &str, elsewhere: &str, expected: Result<&str, &'static str>) {
        let mut region = text::parse(region).expect("a region");
        let elsewhere = text::parse(elsewhere).expect("a region");
        let result = relocate(&mut region, &elsewhere, 0x1_0000);
        assert_eq!(result.map(|()| text::print(&region)), expected.map(String::from));
    }

    const HERE: &str = "region 0x1000 rne\nblock0 @0x1000 entry [0 4]:\n    +0 v0 = iconst 0x3000\n    +0 v1 = iconst 0x3000\n    \
                        +0 v2 = add.i64 v0, v1\n    +4 set.x x5, v2\n    call 0x2000, 0x1008\n";

    #[test]
    fn what_moves_with_the_file_is_relative() {
        let there = HERE
            .replace("0x1000", "0x11000")
            .replacen("0x3000", "0x13000", 1)
            .replace("0x2000, 0x1008", "0x12000, 0x11008");
        check(HERE, &there, Ok(&HERE.replacen("iconst", "addr", 1)));
    }

    #[test]
    fn anything_else_that_differs_is_refused() {
        let there = HERE.replace("0x1000", "0x11000").replace("0x2000, 0x1008", "0x12000, 0x11008");
        check(HERE, &there, Ok(HERE));
        check(HERE, &there.replacen("0x3000", "0x3001", 1), Err(OTHERWISE));
        check(HERE, &there.replace("0x12000", "0x2000"), Err(OTHERWISE));
        check(HERE, &there.replace("add", "sub"), Err(OTHERWISE));
        check(HERE, HERE, Err(OTHERWISE));
    }
}
