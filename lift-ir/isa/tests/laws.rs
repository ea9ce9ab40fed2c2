//! Laws of the table that need no referee.

#[path = "tools/random.rs"]
mod random;

use friscy_isa::{COMPRESSED, Coverage, Flags, Inst, Op, ROWS, decode, disassemble, encode, find_row};
use random::Random;

/// Samples of a row a test takes.
const SAMPLES: usize = 2_000;

#[test]
fn base_rows_round_trip_through_decode_encode_and_text() {
    let mut random = Random(1);
    for row in &ROWS {
        let mut made = 0;
        for _ in 0..SAMPLES {
            let Some(inst) = row.sample(random.next()) else { continue };
            made += 1;
            assert_eq!(decode(inst.bits), Some(inst), "{}", row.name);
            assert_eq!(encode(&inst), Some(inst.bits), "{inst:?}");
            let text = disassemble(&inst, 0);
            assert_eq!(friscy_isa::assemble(&text), Ok(inst.bits), "{text}");
        }
        // Two of eight rounding modes are reserved, which is the most that a base row excludes.
        assert!(made > SAMPLES / 2, "{}: {made} of {SAMPLES}", row.name);
    }
}

#[test]
fn every_word_decodes_to_a_row_that_matches_or_to_nothing() {
    let mut random = Random(2);
    for _ in 0..2_000_000 {
        let bits = random.next() | 3;
        let by_scan = ROWS.iter().filter(|row| row.layout.pattern.matches(bits)).map(|row| row.op).collect::<Vec<_>>();
        match decode(bits) {
            Some(inst) => assert_eq!(by_scan, [inst.op], "{bits:#010x}"),
            None => assert_eq!(by_scan, [], "{bits:#010x}"),
        }
    }
}

#[test]
fn all_halfwords() {
    let mut decoded = 0;
    for half in 0..=u16::MAX {
        let bits = u32::from(half);
        if bits & 3 == 3 {
            continue;
        }
        let by_scan =
            COMPRESSED.iter().filter(|row| row.layout.pattern.matches(bits)).map(|row| row.name).collect::<Vec<_>>();
        let Some(inst) = decode(bits) else {
            assert_eq!(by_scan, [""; 0], "{bits:#06x}");
            continue;
        };
        decoded += 1;
        let row = find_row(bits).expect("it decodes");
        assert_eq!((by_scan, inst.len, inst.bits), (vec![row.name], 2, bits));
        assert_eq!(decode(bits | 0xabcd_0000), Some(inst), "the upper half does not count");

        // The instruction says the same in 32 bits.
        let long = Inst { len: 4, ..inst };
        let long_bits = encode(&long).unwrap_or_else(|| panic!("{inst:?} is not a base instruction"));
        assert_eq!(decode(long_bits), Some(Inst { bits: long_bits, ..long }));

        // Another row may express the same; it must then mean the same.
        let again = encode(&inst).expect("a compressed row expressed it");
        assert_eq!(decode(again), Some(Inst { bits: again, ..inst }));

        let text = disassemble(&inst, 0);
        assert_eq!(friscy_isa::assemble(&text), Ok(bits), "{text}");
    }
    assert_eq!(decoded, 46_743, "halfwords with a meaning");
}

#[test]
fn reserved_encodings_and_hints() {
    let reserved = [
        (0x0000_0000, "all zeros, c.addi4spn with a zero immediate"),
        (0x0000_0004, "c.addi4spn a0,sp,0 and its like"),
        (0x0000_2001, "c.addiw zero,0"),
        (0x0000_4002, "c.lwsp with rd = 0"),
        (0x0000_6002, "c.ldsp with rd = 0"),
        (0x0000_6001, "c.lui zero,0"),
        (0x0000_6081, "c.lui with a zero immediate"),
        (0x0000_6101, "c.addi16sp with a zero immediate"),
        (0x0000_8002, "c.jr with rs1 = 0"),
        (0x0000_9c41, "quadrant 1, bits 12:10 111, bits 6:5 10"),
        (0x0000_8000, "quadrant 0, funct3 100"),
        (0xffff_ffff, "all ones"),
        (0x0000_d013 | 0x0800_0000, "srli with bit 27"),
        (0x0200_101b, "slliw with bit 25"),
        (0x1015_a52f | 1 << 20, "lr.w with rs2 = 1"),
        (0x02b5_5553 & !0x7000 | 5 << 12, "fadd.d with rounding mode 5"),
        (0x02b5_5553 & !0x7000 | 6 << 12, "fadd.d with rounding mode 6"),
        (0x6985_d513, "rev8 in its RV32 encoding"),
        (0x0805_c533, "zext.h in its RV32 encoding"),
        (0x0001_0063 | 2 << 12, "branch with funct3 010"),
        (0x0000_4073, "system with funct3 100"),
        (0x3020_0073, "mret"),
        (0x0205_7057, "a vector instruction"),
    ];
    for (bits, what) in reserved {
        assert_eq!(decode(bits), None, "{what}");
    }

    let hints: &[(u32, &str, Op)] = &[
        (0x0001, "c.addi\tzero,0", Op::Addi),
        (0x0015, "c.addi\tzero,5", Op::Addi),
        (0x0501, "c.addi\ta0,0", Op::Addi),
        (0x4015, "c.li\tzero,5", Op::Addi),
        (0x6015, "c.lui\tzero,0x5", Op::Lui),
        (0x0002, "c.slli64\tzero", Op::Slli),
        (0x8101, "c.srli64\ta0", Op::Srli),
        (0x800a, "c.mv\tzero,sp", Op::Add),
        (0x900a, "c.add\tzero,sp", Op::Add),
        (0x0000_1013, "slli\tzero,zero,0x0", Op::Slli),
        (0x0000_0013, "addi\tzero,zero,0", Op::Addi),
        (0x0100_000f, "fence\tw,unknown", Op::Fence),
        (0x8330_000f, "fence.tso", Op::Fence),
        (0x0ff0_008f, ".4byte\t0xff0008f", Op::Fence),
        (0x0000_128f, ".4byte\t0x128f", Op::FenceI),
    ];
    for (bits, text, op) in hints {
        let inst = decode(*bits).unwrap_or_else(|| panic!("{text} is a hint"));
        assert_eq!((disassemble(&inst, 0).as_str(), inst.op), (*text, *op));
    }
}

#[test]
fn expansions() {
    let check = |bits, text: &str| {
        let inst = decode(bits).expect(text);
        assert_eq!(disassemble(&Inst { len: 4, ..inst }, 0x1000), text);
    };
    check(0x0000_0808, "addi\ta0,sp,16");
    check(0x0000_7179, "addi\tsp,sp,-48");
    check(0x0000_1141, "addi\tsp,sp,-16");
    check(0x0000_557d, "addi\ta0,zero,-1");
    check(0x0000_757d, "lui\ta0,0xfffff");
    check(0x0000_8082, "jalr\tzero,0(ra)");
    check(0x0000_9502, "jalr\tra,0(a0)");
    check(0x0000_852e, "add\ta0,zero,a1");
    check(0x0000_952e, "add\ta0,a0,a1");
    check(0x0000_9002, "ebreak");
    check(0x0000_bffd, "jal\tzero,0xffe");
    check(0x0000_dd75, "beq\ta0,zero,0xffc");
    check(0x0000_70a2, "ld\tra,40(sp)");
    check(0x0000_f406, "sd\tra,40(sp)");
    check(0x0000_2108, "fld\tfa0,0(a0)");
}

#[test]
fn encode_refuses_what_does_not_fit() {
    let addi = friscy_isa::decode(0x0005_0513).expect("addi a0,a0,0");
    assert_eq!(encode(&Inst { imm: 2047, ..addi }), Some(0x7ff5_0513));
    assert_eq!(encode(&Inst { imm: 2048, ..addi }), None);
    assert_eq!(encode(&Inst { imm: -2049, ..addi }), None);
    assert_eq!(encode(&Inst { rd: 32, ..addi }), None);
    assert_eq!(encode(&Inst { rs2: 1, ..addi }), None);
    assert_eq!(encode(&Inst { len: 3, ..addi }), None);
    assert_eq!(encode(&Inst { len: 2, imm: 1, ..addi }), Some(0x0505));
    assert_eq!(encode(&Inst { len: 2, imm: 32, ..addi }), None);
    let jal = friscy_isa::decode(0x0000_006f).expect("jal zero,0");
    assert_eq!(encode(&Inst { imm: 1, ..jal }), None);
    assert_eq!(encode(&Inst { imm: -1 << 20, ..jal }), Some(0x8000_006f));
    assert_eq!(encode(&Inst { imm: 1 << 20, ..jal }), None);
}

#[test]
fn assembler_errors() {
    let error = |line| friscy_isa::assemble(line).expect_err(line).to_string();
    assert_eq!(error("addq a0,a1,a2"), "unknown mnemonic `addq`");
    assert_eq!(error("add.aq a0,a1,a2"), "unknown mnemonic `add.aq`");
    assert_eq!(error("add a0,a1"), "operands expected: rd,rs1,rs2");
    assert_eq!(error("add a0,a1,a2,a3"), "operands expected: rd,rs1,rs2");
    assert_eq!(error("ecall 1"), "no operands expected");
    assert_eq!(error("add a0,a1,x32"), "bad operand `x32`");
    assert_eq!(error("addi a0,a1,2048"), "the encoding cannot hold these operands");
    assert_eq!(error("c.lw t0,0(a0)"), "the encoding cannot hold these operands");
    assert_eq!(error(""), "unknown mnemonic ``");
    assert_eq!(friscy_isa::assemble("  add x10 , fp, a2 # sum"), Ok(0x00c4_0533));
    assert_eq!(friscy_isa::assemble("lw a0, -4 ( sp )"), Ok(0xffc1_2503));
}

#[test]
fn names_and_flags() {
    for (op, row) in Op::ALL.iter().zip(&ROWS) {
        assert_eq!(*op, row.op);
        let camel = row.name.split('.').map(|part| part[..1].to_uppercase() + &part[1..]).collect::<String>();
        assert_eq!(format!("{op:?}"), camel, "the variant is the mnemonic in camel case");
    }
    let mut names = ROWS.iter().chain(&COMPRESSED).map(|row| row.name).collect::<Vec<_>>();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ROWS.len() + COMPRESSED.len(), "mnemonics are unique");
    for row in &ROWS {
        let opcode = row.layout.pattern.value & 0x7f;
        assert_eq!(row.flags.contains(Flags::CONTROL), matches!(opcode, 0x63 | 0x67 | 0x6f), "{}", row.name);
        let memory = matches!(opcode, 0x03 | 0x07 | 0x23 | 0x27 | 0x2f);
        assert_eq!(row.flags.intersects(Flags::LOAD.or(Flags::STORE)), memory, "{}", row.name);
        assert_eq!(row.flags.contains(Flags::FENCE), opcode == 0x0f, "{}", row.name);
        assert_eq!(
            row.flags.contains(Flags::CSR),
            opcode == 0x73 && row.layout.pattern.value & 0x7000 != 0,
            "{}",
            row.name
        );
    }
}

#[test]
fn coverage_names_what_is_missing() {
    let mut coverage = Coverage::new();
    let mut random = Random(3);
    for row in ROWS.iter().chain(&COMPRESSED) {
        assert_eq!(coverage.missing().next().map(|row| row.name), Some(row.name));
        let inst = std::iter::repeat_with(|| row.sample(random.next())).take(100).flatten().next();
        coverage.mark(&inst.expect("most samples are legal"));
    }
    assert_eq!(coverage.missing().count(), 0);
    assert_eq!(coverage.count(), (ROWS.len() + COMPRESSED.len(), ROWS.len() + COMPRESSED.len()));
}

#[test]
fn claims() {
    assert_eq!(friscy_isa::isa_string(), "rv64imafdc_zicsr_zifencei_zba_zbb_zbs");
    // Bits a, c, d, f, i and m of the alphabet.
    assert_eq!(friscy_isa::hwcap(), 0x112d);
    // FD, C, ZBA, ZBB, ZBS; not V, which is bit 2.
    assert_eq!(friscy_isa::hwprobe_ima_ext_0(), 0x3b);
}
