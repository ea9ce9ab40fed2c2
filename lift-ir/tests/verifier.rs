//! Each rule of the verifier is reported under its number, and text that is no region under its line.

use friscy_lift_ir::{Block, Def, Op, Region, RoundingClass, Term, Value, text, verify};

/// Verifies a region given as text, whose header is left out.
fn check(rule: u8, body: &str) {
    let text = format!("region 0x1000 rne\n{body}");
    let region = text::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    match verify::verify(&region) {
        Ok(()) => assert_eq!(rule, 0, "nothing is wrong with\n{text}"),
        Err(broken) => assert_eq!(broken.rule, rule, "{broken}\n{text}"),
    }
}

#[test]
fn rules() {
    check(0, "block0 @0x1000 entry [0]:\n jump 0x2000\n");
    check(1, "block0 @0x1000 [0]:\n jump 0x2000\n");
    check(1, "block0 @0x1004 entry [0]:\n jump 0x2000\n");
    check(2, "block0 @0x1000 entry [0]:\n jump 0x2000\nblock1(v0: i64) @0x1004 entry [0]:\n jump 0x2000\n");
    check(3, "block0 @0x1000 entry [0]:\n +0 v0 = get.f f1\n +0 set.x x1, v0\n jump 0x2000\n");
    check(3, "block0 @0x1000 entry [0]:\n +0 v0 = get.f f1\n indirect.jump v0, 0\n");
    check(5, "block0 @0x1000 entry [0]:\n +0 set.x x1, v0\n +0 v0 = iconst 1\n jump 0x2000\n");
    // Control may come to block 2 past block 1, and to block 1 from outside.
    check(
        5,
        "block0 @0x1000 entry [0]:\n +0 v0 = iconst 1\n br.eq v0, v0, block2, block1\n\
         block1 @0x1004 [0]:\n +0 v1 = iconst 1\n jump block2\n\
         block2 @0x1008 [0]:\n +0 set.x x1, v1\n jump 0x2000\n",
    );
    check(
        5,
        "block0 @0x1000 entry [0]:\n +0 v0 = iconst 1\n jump block1\n\
         block1 @0x1004 entry [0]:\n +0 set.x x1, v0\n jump 0x2000\n",
    );
    check(
        0,
        "block0 @0x1000 entry [0]:\n +0 v0 = iconst 1\n br.eq v0, v0, block2, block1\n\
         block1 @0x1004 [0]:\n jump block2\n\
         block2 @0x1008 [0]:\n +0 set.x x1, v0\n jump block1 preempt\n",
    );
    check(6, "block0 @0x1000 entry [0]:\n jump block7\n");
    check(6, "block0 @0x1000 entry [0]:\n jump block1\nblock1(v0: i64) @0x1004 [0]:\n jump 0x2000\n");
    check(7, "block0 @0x1000 entry [0]:\n +0 v0 = get.x x0\n jump 0x2000\n");
    check(7, "block0 @0x1000 entry [0]:\n +0 v0 = get.x x32\n jump 0x2000\n");
    check(7, "block0 @0x1000 entry [0]:\n +0 v0 = iconst 1\n +0 v1 = load.i64 v0, 2048\n jump 0x2000\n");
    check(7, "block0 @0x1000 entry [0]:\n +0 v0 = get.f f0\n +0 v1 = fsqrt.f64 v0, dyn\n jump 0x2000\n");
    check(7, "block0 @0x1000 entry [0]:\n +0 v0 = iconst 1\n +0 v1 = lr.i64 v0, 4\n jump 0x2000\n");
    check(8, "block0 @0x1000 entry [0 4 4]:\n jump 0x2000\n");
    check(8, "block0 @0x1000 entry [0 4]:\n +4 v0 = iconst 1\n +0 v1 = iconst 1\n jump 0x2000\n");
    check(9, "block0 @0x1000 entry [0]:\n +0 v0 = iconst 1\n +0 set.frm v0\n jump 0x2000\n");
    check(10, "block0 @0x1000 entry [0]:\n exit.fetch_fault 0x1000\n");
    check(0, "block0 @0x1000 entry []:\n exit.fetch_fault 0x1000\n");
}

#[test]
fn a_value_has_one_definition() {
    let mut region = Region::new(0x1000, RoundingClass::Rne);
    let block = region.push_block(0x1000);
    region.blocks[0].entry = true;
    region.blocks[0].guest_offsets.push(0);
    region.blocks[0].retired = 1;
    let v = region.push(block, Op::Iconst, &[], 1, 0);
    region.push(block, Op::SetX, &[v], 1, 0);
    assert_eq!(verify::verify(&region), Ok(()));
    region.values[v.index()].def = Def::Param(Block(0), 0);
    assert_eq!(verify::verify(&region).map_err(|b| b.rule), Err(4));
    region.values[v.index()].def = Def::Inst(region.blocks[0].insts[0]);
    region.blocks[0].term =
        Term::Indirect { base: Value(9), disp: 0, kind: friscy_lift_ir::JumpKind::Jump, targets: Vec::new() };
    assert_eq!(verify::verify(&region).map_err(|b| b.rule), Err(3));
}

/// Parses text that is no region.
fn refuse(text: &str, line: usize, message: &str) {
    let error = text::parse(text).expect_err(text);
    assert_eq!((error.line, error.message.as_str()), (line, message), "{text}");
}

#[test]
fn text_that_is_no_region() {
    refuse("", 0, "no `region` line");
    refuse("region 0x1000 up\n", 1, "unknown rounding class");
    let head = "region 0x1000 rne\nblock0 @0x1000 entry [0]:\n";
    refuse(head, 2, "the last block has no terminator");
    refuse(&format!("{head} +0 v0 = sum v1\n"), 3, "no op `sum`");
    refuse(&format!("{head} +2 v0 = iconst 1\n"), 3, "no guest instruction there");
    refuse(&format!("{head} +0 iconst 1\n"), 3, "`iconst` differs in having a result");
    refuse(&format!("{head} +0 v0 = iconst\n"), 3, "`iconst` lacks an operand");
    refuse(&format!("{head} +0 v0 = iconst 1, 2\n"), 3, "`iconst` has fewer operands");
    refuse(&format!("{head} +0 v0 = iconst 1\n +0 v0 = iconst 1\n"), 4, "`v0` is defined twice");
    refuse(&format!("{head} jump away\n"), 3, "`away` is no block");
    refuse(&format!("{head} exit.stage_left 0x1000\n"), 3, "no terminator `exit.stage_left`");
    refuse(&format!("{head} indirect.jump v0, 0\n"), 3, "`v0` is not defined");
    refuse(&format!("{head} jump 0x2000\n +0 v0 = iconst 1\n"), 4, "an instruction outside of a block");
    refuse(&format!("{head} jump 0x2000\nblock2 @0x1004 [0]:\n"), 4, "blocks are numbered in order");
}
