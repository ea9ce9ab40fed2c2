//! The instruction table: one row a mnemonic, and everything that must agree about an instruction is generated from it.
//!
//! A row is
//!
//! ```text
//! Variant method "mnemonic" "bit string" "operands" Extension [flags];
//! ```
//!
//! for a base instruction, and
//!
//! ```text
//! "mnemonic" "bit string" "notes" "operands" = Variant;
//! ```
//!
//! for a compressed one, whose last column is the base instruction that it expands to. [`layout`](crate::layout) describes
//! bit strings and notes, [`asm`](crate::asm) the words of the operand templates. Rows follow the chapters of the RISC-V
//! unprivileged manual. Order carries no meaning: no encoding belongs to two rows, which is asserted below.

use crate::Inst;
use crate::layout::Layout;

/// The extensions that rows belong to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Extension {
    /// The base integer instruction set, RV64I.
    I,
    /// Integer multiplication and division.
    M,
    /// Atomic memory operations.
    A,
    /// Single-precision floating point.
    F,
    /// Double-precision floating point.
    D,
    /// Compressed instructions.
    C,
    /// Control and status register instructions.
    Zicsr,
    /// Instruction-fetch fence.
    Zifencei,
    /// Address generation.
    Zba,
    /// Basic bit manipulation.
    Zbb,
    /// Single-bit instructions.
    Zbs,
}

/// What those who choose instructions, rather than execute them, need to know of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(u8);

impl Flags {
    /// Computes registers from registers and immediates, and nothing else.
    pub const NONE: Flags = Flags(0);
    /// Reads memory at an address in a register.
    pub const LOAD: Flags = Flags(1);
    /// Writes memory at an address in a register.
    pub const STORE: Flags = Flags(2);
    /// May continue elsewhere than at the next instruction, without a trap.
    pub const CONTROL: Flags = Flags(4);
    /// Always traps: `ecall` and `ebreak`.
    pub const TRAP: Flags = Flags(8);
    /// Names a CSR.
    pub const CSR: Flags = Flags(16);
    /// Orders memory accesses or instruction fetches.
    pub const FENCE: Flags = Flags(32);

    /// The union of two sets.
    pub const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether every flag in `other` is set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag in `other` is set.
    pub const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }
}

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The instruction; for a compressed row, the base instruction that it expands to.
    pub op: Op,
    /// The mnemonic, as the manual has it.
    pub name: &'static str,
    /// The bit string.
    pub bits: &'static str,
    /// The operands in assembly.
    pub asm: &'static str,
    /// The extension that the encoding belongs to.
    pub extension: Extension,
    /// What the instruction does beside computing.
    pub flags: Flags,
    /// The bit string, parsed.
    pub layout: Layout,
}

macro_rules! instructions {
    (
        base { $($op:ident $method:ident $name:literal $bits:literal $asm:literal $ext:ident [$($flag:ident)*];)* }
        compressed { $($c_name:literal $c_bits:literal $c_notes:literal $c_asm:literal = $c_op:ident;)* }
    ) => {
        /// The base instructions, one variant a row: the mnemonic in camel case with its dots dropped.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
        #[repr(u8)]
        pub enum Op { $(#[doc = concat!("`", $name, " ", $asm, "`: `", $bits, "`")] $op,)* }

        impl Op {
            /// Every base instruction, in table order.
            pub const ALL: [Op; [$(Op::$op,)*].len()] = [$(Op::$op,)*];
        }

        /// The base instructions' rows, in the order of [`Op`].
        pub static ROWS: [Row; Op::ALL.len()] = BASE;

        const BASE: [Row; Op::ALL.len()] = [$(Row {
            op: Op::$op,
            name: $name,
            bits: $bits,
            asm: $asm,
            extension: Extension::$ext,
            flags: Flags::NONE$(.or(Flags::$flag))*,
            layout: Layout::parse($bits, 32, ""),
        },)*];

        /// The rows of the C extension on RV64 with F and D.
        pub static COMPRESSED: [Row; [$($c_name,)*].len()] = SHORT;

        const SHORT: [Row; [$($c_name,)*].len()] = [$(Row {
            op: Op::$c_op,
            name: $c_name,
            bits: $c_bits,
            asm: $c_asm,
            extension: Extension::C,
            flags: BASE[Op::$c_op as usize].flags,
            layout: Layout::parse($c_bits, 16, $c_notes),
        },)*];

        /// Decoders of the base rows, by row number.
        pub(crate) static BASE_DECODERS: [fn(u32) -> Inst; Op::ALL.len()] = [$({
            fn decode(bits: u32) -> Inst {
                const LAYOUT: Layout = BASE[Op::$op as usize].layout;
                Inst::from_layout(Op::$op, &LAYOUT, 4, bits)
            }
            decode
        },)*];

        /// Decoders of the compressed rows, by row number.
        pub(crate) static COMPRESSED_DECODERS: [fn(u32) -> Inst; SHORT.len()] = [$({
            fn decode(bits: u32) -> Inst {
                const LAYOUT: Layout = Layout::parse($c_bits, 16, $c_notes);
                Inst::from_layout(Op::$c_op, &LAYOUT, 2, bits)
            }
            decode
        },)*];

        /// One method an instruction. There are no defaults: an instruction without semantics does not compile.
        pub trait Visitor {
            /// What every method returns.
            type Output;
            $(
                #[doc = concat!("`", $name, " ", $asm, "`")]
                fn $method(&mut self, inst: &Inst) -> Self::Output;
            )*
        }

        /// Calls the visitor's method for the instruction.
        #[inline]
        pub fn visit<V: Visitor>(inst: &Inst, visitor: &mut V) -> V::Output {
            match inst.op { $(Op::$op => visitor.$method(inst),)* }
        }
    };
}

impl Op {
    /// The mnemonic, as the manual has it.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The instruction's row.
    #[inline]
    pub fn info(self) -> &'static Row {
        &ROWS[self as usize]
    }
}

const fn assert_disjoint(rows: &[Row]) {
    let mut i = 0;
    while i < rows.len() {
        let mut j = i + 1;
        while j < rows.len() {
            assert!(
                rows[i].layout.pattern.is_disjoint(&rows[j].layout.pattern),
                "two rows of the instruction table overlap"
            );
            j += 1;
        }
        i += 1;
    }
}

const _: () = assert_disjoint(&BASE);
const _: () = assert_disjoint(&SHORT);

instructions! {
    base {
        // RV32I and RV64I base integer instruction sets.
        Lui lui               "lui"        "imm[31:12] rd 0110111"                        "rd,uimm20"          I        [];
        Auipc auipc           "auipc"      "imm[31:12] rd 0010111"                        "rd,uimm20"          I        [];
        Jal jal               "jal"        "imm[20|10:1|11|19:12] rd 1101111"             "rd,target"          I        [CONTROL];
        Jalr jalr             "jalr"       "imm[11:0] rs1 000 rd 1100111"                 "rd,imm(rs1)"        I        [CONTROL];
        Beq beq               "beq"        "imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011" "rs1,rs2,target"     I        [CONTROL];
        Bne bne               "bne"        "imm[12|10:5] rs2 rs1 001 imm[4:1|11] 1100011" "rs1,rs2,target"     I        [CONTROL];
        Blt blt               "blt"        "imm[12|10:5] rs2 rs1 100 imm[4:1|11] 1100011" "rs1,rs2,target"     I        [CONTROL];
        Bge bge               "bge"        "imm[12|10:5] rs2 rs1 101 imm[4:1|11] 1100011" "rs1,rs2,target"     I        [CONTROL];
        Bltu bltu             "bltu"       "imm[12|10:5] rs2 rs1 110 imm[4:1|11] 1100011" "rs1,rs2,target"     I        [CONTROL];
        Bgeu bgeu             "bgeu"       "imm[12|10:5] rs2 rs1 111 imm[4:1|11] 1100011" "rs1,rs2,target"     I        [CONTROL];
        Lb lb                 "lb"         "imm[11:0] rs1 000 rd 0000011"                 "rd,imm(rs1)"        I        [LOAD];
        Lh lh                 "lh"         "imm[11:0] rs1 001 rd 0000011"                 "rd,imm(rs1)"        I        [LOAD];
        Lw lw                 "lw"         "imm[11:0] rs1 010 rd 0000011"                 "rd,imm(rs1)"        I        [LOAD];
        Ld ld                 "ld"         "imm[11:0] rs1 011 rd 0000011"                 "rd,imm(rs1)"        I        [LOAD];
        Lbu lbu               "lbu"        "imm[11:0] rs1 100 rd 0000011"                 "rd,imm(rs1)"        I        [LOAD];
        Lhu lhu               "lhu"        "imm[11:0] rs1 101 rd 0000011"                 "rd,imm(rs1)"        I        [LOAD];
        Lwu lwu               "lwu"        "imm[11:0] rs1 110 rd 0000011"                 "rd,imm(rs1)"        I        [LOAD];
        Sb sb                 "sb"         "imm[11:5] rs2 rs1 000 imm[4:0] 0100011"       "rs2,imm(rs1)"       I        [STORE];
        Sh sh                 "sh"         "imm[11:5] rs2 rs1 001 imm[4:0] 0100011"       "rs2,imm(rs1)"       I        [STORE];
        Sw sw                 "sw"         "imm[11:5] rs2 rs1 010 imm[4:0] 0100011"       "rs2,imm(rs1)"       I        [STORE];
        Sd sd                 "sd"         "imm[11:5] rs2 rs1 011 imm[4:0] 0100011"       "rs2,imm(rs1)"       I        [STORE];
        Addi addi             "addi"       "imm[11:0] rs1 000 rd 0010011"                 "rd,rs1,imm"         I        [];
        Slti slti             "slti"       "imm[11:0] rs1 010 rd 0010011"                 "rd,rs1,imm"         I        [];
        Sltiu sltiu           "sltiu"      "imm[11:0] rs1 011 rd 0010011"                 "rd,rs1,imm"         I        [];
        Xori xori             "xori"       "imm[11:0] rs1 100 rd 0010011"                 "rd,rs1,imm"         I        [];
        Ori ori               "ori"        "imm[11:0] rs1 110 rd 0010011"                 "rd,rs1,imm"         I        [];
        Andi andi             "andi"       "imm[11:0] rs1 111 rd 0010011"                 "rd,rs1,imm"         I        [];
        Slli slli             "slli"       "000000 uimm[5:0] rs1 001 rd 0010011"          "rd,rs1,shamt"       I        [];
        Srli srli             "srli"       "000000 uimm[5:0] rs1 101 rd 0010011"          "rd,rs1,shamt"       I        [];
        Srai srai             "srai"       "010000 uimm[5:0] rs1 101 rd 0010011"          "rd,rs1,shamt"       I        [];
        Add add               "add"        "0000000 rs2 rs1 000 rd 0110011"               "rd,rs1,rs2"         I        [];
        Sub sub               "sub"        "0100000 rs2 rs1 000 rd 0110011"               "rd,rs1,rs2"         I        [];
        Sll sll               "sll"        "0000000 rs2 rs1 001 rd 0110011"               "rd,rs1,rs2"         I        [];
        Slt slt               "slt"        "0000000 rs2 rs1 010 rd 0110011"               "rd,rs1,rs2"         I        [];
        Sltu sltu             "sltu"       "0000000 rs2 rs1 011 rd 0110011"               "rd,rs1,rs2"         I        [];
        Xor xor               "xor"        "0000000 rs2 rs1 100 rd 0110011"               "rd,rs1,rs2"         I        [];
        Srl srl               "srl"        "0000000 rs2 rs1 101 rd 0110011"               "rd,rs1,rs2"         I        [];
        Sra sra               "sra"        "0100000 rs2 rs1 101 rd 0110011"               "rd,rs1,rs2"         I        [];
        Or or                 "or"         "0000000 rs2 rs1 110 rd 0110011"               "rd,rs1,rs2"         I        [];
        And and               "and"        "0000000 rs2 rs1 111 rd 0110011"               "rd,rs1,rs2"         I        [];
        Addiw addiw           "addiw"      "imm[11:0] rs1 000 rd 0011011"                 "rd,rs1,imm"         I        [];
        Slliw slliw           "slliw"      "0000000 uimm[4:0] rs1 001 rd 0011011"         "rd,rs1,shamt"       I        [];
        Srliw srliw           "srliw"      "0000000 uimm[4:0] rs1 101 rd 0011011"         "rd,rs1,shamt"       I        [];
        Sraiw sraiw           "sraiw"      "0100000 uimm[4:0] rs1 101 rd 0011011"         "rd,rs1,shamt"       I        [];
        Addw addw             "addw"       "0000000 rs2 rs1 000 rd 0111011"               "rd,rs1,rs2"         I        [];
        Subw subw             "subw"       "0100000 rs2 rs1 000 rd 0111011"               "rd,rs1,rs2"         I        [];
        Sllw sllw             "sllw"       "0000000 rs2 rs1 001 rd 0111011"               "rd,rs1,rs2"         I        [];
        Srlw srlw             "srlw"       "0000000 rs2 rs1 101 rd 0111011"               "rd,rs1,rs2"         I        [];
        Sraw sraw             "sraw"       "0100000 rs2 rs1 101 rd 0111011"               "rd,rs1,rs2"         I        [];

        // `fence` ignores fm, rs1 and rd, whose non-zero values are reserved for finer fences; `pause` and `fence.tso` are among them.
        Fence fence           "fence"      "uimm[11:0] rs1 000 rd 0001111"                "pred,succ"          I        [FENCE];
        Ecall ecall           "ecall"      "000000000000 00000 000 00000 1110011"         ""                   I        [TRAP];
        Ebreak ebreak         "ebreak"     "000000000001 00000 000 00000 1110011"         ""                   I        [TRAP];

        // Zifencei; the immediate, rs1 and rd are ignored as those of `fence` are.
        FenceI fence_i        "fence.i"    "uimm[11:0] rs1 001 rd 0001111"                ""                   Zifencei [FENCE];

        // Zicsr.
        Csrrw csrrw           "csrrw"      "uimm[11:0] rs1 001 rd 1110011"                "rd,csr,rs1"         Zicsr    [CSR];
        Csrrs csrrs           "csrrs"      "uimm[11:0] rs1 010 rd 1110011"                "rd,csr,rs1"         Zicsr    [CSR];
        Csrrc csrrc           "csrrc"      "uimm[11:0] rs1 011 rd 1110011"                "rd,csr,rs1"         Zicsr    [CSR];
        Csrrwi csrrwi         "csrrwi"     "uimm[11:0] rs1 101 rd 1110011"                "rd,csr,zimm"        Zicsr    [CSR];
        Csrrsi csrrsi         "csrrsi"     "uimm[11:0] rs1 110 rd 1110011"                "rd,csr,zimm"        Zicsr    [CSR];
        Csrrci csrrci         "csrrci"     "uimm[11:0] rs1 111 rd 1110011"                "rd,csr,zimm"        Zicsr    [CSR];

        // M.
        Mul mul               "mul"        "0000001 rs2 rs1 000 rd 0110011"               "rd,rs1,rs2"         M        [];
        Mulh mulh             "mulh"       "0000001 rs2 rs1 001 rd 0110011"               "rd,rs1,rs2"         M        [];
        Mulhsu mulhsu         "mulhsu"     "0000001 rs2 rs1 010 rd 0110011"               "rd,rs1,rs2"         M        [];
        Mulhu mulhu           "mulhu"      "0000001 rs2 rs1 011 rd 0110011"               "rd,rs1,rs2"         M        [];
        Div div               "div"        "0000001 rs2 rs1 100 rd 0110011"               "rd,rs1,rs2"         M        [];
        Divu divu             "divu"       "0000001 rs2 rs1 101 rd 0110011"               "rd,rs1,rs2"         M        [];
        Rem rem               "rem"        "0000001 rs2 rs1 110 rd 0110011"               "rd,rs1,rs2"         M        [];
        Remu remu             "remu"       "0000001 rs2 rs1 111 rd 0110011"               "rd,rs1,rs2"         M        [];
        Mulw mulw             "mulw"       "0000001 rs2 rs1 000 rd 0111011"               "rd,rs1,rs2"         M        [];
        Divw divw             "divw"       "0000001 rs2 rs1 100 rd 0111011"               "rd,rs1,rs2"         M        [];
        Divuw divuw           "divuw"      "0000001 rs2 rs1 101 rd 0111011"               "rd,rs1,rs2"         M        [];
        Remw remw             "remw"       "0000001 rs2 rs1 110 rd 0111011"               "rd,rs1,rs2"         M        [];
        Remuw remuw           "remuw"      "0000001 rs2 rs1 111 rd 0111011"               "rd,rs1,rs2"         M        [];

        // A.
        LrW lr_w              "lr.w"       "00010 aqrl 00000 rs1 010 rd 0101111"          "rd,(rs1)"           A        [LOAD];
        ScW sc_w              "sc.w"       "00011 aqrl rs2 rs1 010 rd 0101111"            "rd,rs2,(rs1)"       A        [STORE];
        AmoswapW amoswap_w    "amoswap.w"  "00001 aqrl rs2 rs1 010 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmoaddW amoadd_w      "amoadd.w"   "00000 aqrl rs2 rs1 010 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmoxorW amoxor_w      "amoxor.w"   "00100 aqrl rs2 rs1 010 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmoandW amoand_w      "amoand.w"   "01100 aqrl rs2 rs1 010 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmoorW amoor_w        "amoor.w"    "01000 aqrl rs2 rs1 010 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmominW amomin_w      "amomin.w"   "10000 aqrl rs2 rs1 010 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmomaxW amomax_w      "amomax.w"   "10100 aqrl rs2 rs1 010 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmominuW amominu_w    "amominu.w"  "11000 aqrl rs2 rs1 010 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmomaxuW amomaxu_w    "amomaxu.w"  "11100 aqrl rs2 rs1 010 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        LrD lr_d              "lr.d"       "00010 aqrl 00000 rs1 011 rd 0101111"          "rd,(rs1)"           A        [LOAD];
        ScD sc_d              "sc.d"       "00011 aqrl rs2 rs1 011 rd 0101111"            "rd,rs2,(rs1)"       A        [STORE];
        AmoswapD amoswap_d    "amoswap.d"  "00001 aqrl rs2 rs1 011 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmoaddD amoadd_d      "amoadd.d"   "00000 aqrl rs2 rs1 011 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmoxorD amoxor_d      "amoxor.d"   "00100 aqrl rs2 rs1 011 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmoandD amoand_d      "amoand.d"   "01100 aqrl rs2 rs1 011 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmoorD amoor_d        "amoor.d"    "01000 aqrl rs2 rs1 011 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmominD amomin_d      "amomin.d"   "10000 aqrl rs2 rs1 011 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmomaxD amomax_d      "amomax.d"   "10100 aqrl rs2 rs1 011 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmominuD amominu_d    "amominu.d"  "11000 aqrl rs2 rs1 011 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];
        AmomaxuD amomaxu_d    "amomaxu.d"  "11100 aqrl rs2 rs1 011 rd 0101111"            "rd,rs2,(rs1)"       A        [LOAD STORE];

        // F.
        Flw flw               "flw"        "imm[11:0] rs1 010 rd 0000111"                 "fd,imm(rs1)"        F        [LOAD];
        Fsw fsw               "fsw"        "imm[11:5] rs2 rs1 010 imm[4:0] 0100111"       "fs2,imm(rs1)"       F        [STORE];
        FmaddS fmadd_s        "fmadd.s"    "rs3 00 rs2 rs1 rm rd 1000011"                 "fd,fs1,fs2,fs3,rm"  F        [];
        FmsubS fmsub_s        "fmsub.s"    "rs3 00 rs2 rs1 rm rd 1000111"                 "fd,fs1,fs2,fs3,rm"  F        [];
        FnmsubS fnmsub_s      "fnmsub.s"   "rs3 00 rs2 rs1 rm rd 1001011"                 "fd,fs1,fs2,fs3,rm"  F        [];
        FnmaddS fnmadd_s      "fnmadd.s"   "rs3 00 rs2 rs1 rm rd 1001111"                 "fd,fs1,fs2,fs3,rm"  F        [];
        FaddS fadd_s          "fadd.s"     "0000000 rs2 rs1 rm rd 1010011"                "fd,fs1,fs2,rm"      F        [];
        FsubS fsub_s          "fsub.s"     "0000100 rs2 rs1 rm rd 1010011"                "fd,fs1,fs2,rm"      F        [];
        FmulS fmul_s          "fmul.s"     "0001000 rs2 rs1 rm rd 1010011"                "fd,fs1,fs2,rm"      F        [];
        FdivS fdiv_s          "fdiv.s"     "0001100 rs2 rs1 rm rd 1010011"                "fd,fs1,fs2,rm"      F        [];
        FsqrtS fsqrt_s        "fsqrt.s"    "0101100 00000 rs1 rm rd 1010011"              "fd,fs1,rm"          F        [];
        FsgnjS fsgnj_s        "fsgnj.s"    "0010000 rs2 rs1 000 rd 1010011"               "fd,fs1,fs2"         F        [];
        FsgnjnS fsgnjn_s      "fsgnjn.s"   "0010000 rs2 rs1 001 rd 1010011"               "fd,fs1,fs2"         F        [];
        FsgnjxS fsgnjx_s      "fsgnjx.s"   "0010000 rs2 rs1 010 rd 1010011"               "fd,fs1,fs2"         F        [];
        FminS fmin_s          "fmin.s"     "0010100 rs2 rs1 000 rd 1010011"               "fd,fs1,fs2"         F        [];
        FmaxS fmax_s          "fmax.s"     "0010100 rs2 rs1 001 rd 1010011"               "fd,fs1,fs2"         F        [];
        FeqS feq_s            "feq.s"      "1010000 rs2 rs1 010 rd 1010011"               "rd,fs1,fs2"         F        [];
        FltS flt_s            "flt.s"      "1010000 rs2 rs1 001 rd 1010011"               "rd,fs1,fs2"         F        [];
        FleS fle_s            "fle.s"      "1010000 rs2 rs1 000 rd 1010011"               "rd,fs1,fs2"         F        [];
        FclassS fclass_s      "fclass.s"   "1110000 00000 rs1 001 rd 1010011"             "rd,fs1"             F        [];
        FcvtWS fcvt_w_s       "fcvt.w.s"   "1100000 00000 rs1 rm rd 1010011"              "rd,fs1,rm"          F        [];
        FcvtWuS fcvt_wu_s     "fcvt.wu.s"  "1100000 00001 rs1 rm rd 1010011"              "rd,fs1,rm"          F        [];
        FcvtLS fcvt_l_s       "fcvt.l.s"   "1100000 00010 rs1 rm rd 1010011"              "rd,fs1,rm"          F        [];
        FcvtLuS fcvt_lu_s     "fcvt.lu.s"  "1100000 00011 rs1 rm rd 1010011"              "rd,fs1,rm"          F        [];
        FcvtSW fcvt_s_w       "fcvt.s.w"   "1101000 00000 rs1 rm rd 1010011"              "fd,rs1,rm"          F        [];
        FcvtSWu fcvt_s_wu     "fcvt.s.wu"  "1101000 00001 rs1 rm rd 1010011"              "fd,rs1,rm"          F        [];
        FcvtSL fcvt_s_l       "fcvt.s.l"   "1101000 00010 rs1 rm rd 1010011"              "fd,rs1,rm"          F        [];
        FcvtSLu fcvt_s_lu     "fcvt.s.lu"  "1101000 00011 rs1 rm rd 1010011"              "fd,rs1,rm"          F        [];
        FmvXW fmv_x_w         "fmv.x.w"    "1110000 00000 rs1 000 rd 1010011"             "rd,fs1"             F        [];
        FmvWX fmv_w_x         "fmv.w.x"    "1111000 00000 rs1 000 rd 1010011"             "fd,rs1"             F        [];

        // D.
        Fld fld               "fld"        "imm[11:0] rs1 011 rd 0000111"                 "fd,imm(rs1)"        D        [LOAD];
        Fsd fsd               "fsd"        "imm[11:5] rs2 rs1 011 imm[4:0] 0100111"       "fs2,imm(rs1)"       D        [STORE];
        FmaddD fmadd_d        "fmadd.d"    "rs3 01 rs2 rs1 rm rd 1000011"                 "fd,fs1,fs2,fs3,rm"  D        [];
        FmsubD fmsub_d        "fmsub.d"    "rs3 01 rs2 rs1 rm rd 1000111"                 "fd,fs1,fs2,fs3,rm"  D        [];
        FnmsubD fnmsub_d      "fnmsub.d"   "rs3 01 rs2 rs1 rm rd 1001011"                 "fd,fs1,fs2,fs3,rm"  D        [];
        FnmaddD fnmadd_d      "fnmadd.d"   "rs3 01 rs2 rs1 rm rd 1001111"                 "fd,fs1,fs2,fs3,rm"  D        [];
        FaddD fadd_d          "fadd.d"     "0000001 rs2 rs1 rm rd 1010011"                "fd,fs1,fs2,rm"      D        [];
        FsubD fsub_d          "fsub.d"     "0000101 rs2 rs1 rm rd 1010011"                "fd,fs1,fs2,rm"      D        [];
        FmulD fmul_d          "fmul.d"     "0001001 rs2 rs1 rm rd 1010011"                "fd,fs1,fs2,rm"      D        [];
        FdivD fdiv_d          "fdiv.d"     "0001101 rs2 rs1 rm rd 1010011"                "fd,fs1,fs2,rm"      D        [];
        FsqrtD fsqrt_d        "fsqrt.d"    "0101101 00000 rs1 rm rd 1010011"              "fd,fs1,rm"          D        [];
        FsgnjD fsgnj_d        "fsgnj.d"    "0010001 rs2 rs1 000 rd 1010011"               "fd,fs1,fs2"         D        [];
        FsgnjnD fsgnjn_d      "fsgnjn.d"   "0010001 rs2 rs1 001 rd 1010011"               "fd,fs1,fs2"         D        [];
        FsgnjxD fsgnjx_d      "fsgnjx.d"   "0010001 rs2 rs1 010 rd 1010011"               "fd,fs1,fs2"         D        [];
        FminD fmin_d          "fmin.d"     "0010101 rs2 rs1 000 rd 1010011"               "fd,fs1,fs2"         D        [];
        FmaxD fmax_d          "fmax.d"     "0010101 rs2 rs1 001 rd 1010011"               "fd,fs1,fs2"         D        [];
        FcvtSD fcvt_s_d       "fcvt.s.d"   "0100000 00001 rs1 rm rd 1010011"              "fd,fs1,rm"          D        [];
        FcvtDS fcvt_d_s       "fcvt.d.s"   "0100001 00000 rs1 rm rd 1010011"              "fd,fs1,rm?"         D        [];
        FeqD feq_d            "feq.d"      "1010001 rs2 rs1 010 rd 1010011"               "rd,fs1,fs2"         D        [];
        FltD flt_d            "flt.d"      "1010001 rs2 rs1 001 rd 1010011"               "rd,fs1,fs2"         D        [];
        FleD fle_d            "fle.d"      "1010001 rs2 rs1 000 rd 1010011"               "rd,fs1,fs2"         D        [];
        FclassD fclass_d      "fclass.d"   "1110001 00000 rs1 001 rd 1010011"             "rd,fs1"             D        [];
        FcvtWD fcvt_w_d       "fcvt.w.d"   "1100001 00000 rs1 rm rd 1010011"              "rd,fs1,rm"          D        [];
        FcvtWuD fcvt_wu_d     "fcvt.wu.d"  "1100001 00001 rs1 rm rd 1010011"              "rd,fs1,rm"          D        [];
        FcvtLD fcvt_l_d       "fcvt.l.d"   "1100001 00010 rs1 rm rd 1010011"              "rd,fs1,rm"          D        [];
        FcvtLuD fcvt_lu_d     "fcvt.lu.d"  "1100001 00011 rs1 rm rd 1010011"              "rd,fs1,rm"          D        [];
        FcvtDW fcvt_d_w       "fcvt.d.w"   "1101001 00000 rs1 rm rd 1010011"              "fd,rs1,rm?"         D        [];
        FcvtDWu fcvt_d_wu     "fcvt.d.wu"  "1101001 00001 rs1 rm rd 1010011"              "fd,rs1,rm?"         D        [];
        FcvtDL fcvt_d_l       "fcvt.d.l"   "1101001 00010 rs1 rm rd 1010011"              "fd,rs1,rm"          D        [];
        FcvtDLu fcvt_d_lu     "fcvt.d.lu"  "1101001 00011 rs1 rm rd 1010011"              "fd,rs1,rm"          D        [];
        FmvXD fmv_x_d         "fmv.x.d"    "1110001 00000 rs1 000 rd 1010011"             "rd,fs1"             D        [];
        FmvDX fmv_d_x         "fmv.d.x"    "1111001 00000 rs1 000 rd 1010011"             "fd,rs1"             D        [];

        // Zba.
        AddUw add_uw          "add.uw"     "0000100 rs2 rs1 000 rd 0111011"               "rd,rs1,rs2"         Zba      [];
        Sh1add sh1add         "sh1add"     "0010000 rs2 rs1 010 rd 0110011"               "rd,rs1,rs2"         Zba      [];
        Sh2add sh2add         "sh2add"     "0010000 rs2 rs1 100 rd 0110011"               "rd,rs1,rs2"         Zba      [];
        Sh3add sh3add         "sh3add"     "0010000 rs2 rs1 110 rd 0110011"               "rd,rs1,rs2"         Zba      [];
        Sh1addUw sh1add_uw    "sh1add.uw"  "0010000 rs2 rs1 010 rd 0111011"               "rd,rs1,rs2"         Zba      [];
        Sh2addUw sh2add_uw    "sh2add.uw"  "0010000 rs2 rs1 100 rd 0111011"               "rd,rs1,rs2"         Zba      [];
        Sh3addUw sh3add_uw    "sh3add.uw"  "0010000 rs2 rs1 110 rd 0111011"               "rd,rs1,rs2"         Zba      [];
        SlliUw slli_uw        "slli.uw"    "000010 uimm[5:0] rs1 001 rd 0011011"          "rd,rs1,shamt"       Zba      [];

        // Zbb.
        Andn andn             "andn"       "0100000 rs2 rs1 111 rd 0110011"               "rd,rs1,rs2"         Zbb      [];
        Orn orn               "orn"        "0100000 rs2 rs1 110 rd 0110011"               "rd,rs1,rs2"         Zbb      [];
        Xnor xnor             "xnor"       "0100000 rs2 rs1 100 rd 0110011"               "rd,rs1,rs2"         Zbb      [];
        Clz clz               "clz"        "0110000 00000 rs1 001 rd 0010011"             "rd,rs1"             Zbb      [];
        Ctz ctz               "ctz"        "0110000 00001 rs1 001 rd 0010011"             "rd,rs1"             Zbb      [];
        Cpop cpop             "cpop"       "0110000 00010 rs1 001 rd 0010011"             "rd,rs1"             Zbb      [];
        Clzw clzw             "clzw"       "0110000 00000 rs1 001 rd 0011011"             "rd,rs1"             Zbb      [];
        Ctzw ctzw             "ctzw"       "0110000 00001 rs1 001 rd 0011011"             "rd,rs1"             Zbb      [];
        Cpopw cpopw           "cpopw"      "0110000 00010 rs1 001 rd 0011011"             "rd,rs1"             Zbb      [];
        Min min               "min"        "0000101 rs2 rs1 100 rd 0110011"               "rd,rs1,rs2"         Zbb      [];
        Minu minu             "minu"       "0000101 rs2 rs1 101 rd 0110011"               "rd,rs1,rs2"         Zbb      [];
        Max max               "max"        "0000101 rs2 rs1 110 rd 0110011"               "rd,rs1,rs2"         Zbb      [];
        Maxu maxu             "maxu"       "0000101 rs2 rs1 111 rd 0110011"               "rd,rs1,rs2"         Zbb      [];
        SextB sext_b          "sext.b"     "0110000 00100 rs1 001 rd 0010011"             "rd,rs1"             Zbb      [];
        SextH sext_h          "sext.h"     "0110000 00101 rs1 001 rd 0010011"             "rd,rs1"             Zbb      [];
        ZextH zext_h          "zext.h"     "0000100 00000 rs1 100 rd 0111011"             "rd,rs1"             Zbb      [];
        Rol rol               "rol"        "0110000 rs2 rs1 001 rd 0110011"               "rd,rs1,rs2"         Zbb      [];
        Ror ror               "ror"        "0110000 rs2 rs1 101 rd 0110011"               "rd,rs1,rs2"         Zbb      [];
        Rori rori             "rori"       "011000 uimm[5:0] rs1 101 rd 0010011"          "rd,rs1,shamt"       Zbb      [];
        Rolw rolw             "rolw"       "0110000 rs2 rs1 001 rd 0111011"               "rd,rs1,rs2"         Zbb      [];
        Rorw rorw             "rorw"       "0110000 rs2 rs1 101 rd 0111011"               "rd,rs1,rs2"         Zbb      [];
        Roriw roriw           "roriw"      "0110000 uimm[4:0] rs1 101 rd 0011011"         "rd,rs1,shamt"       Zbb      [];
        OrcB orc_b            "orc.b"      "0010100 00111 rs1 101 rd 0010011"             "rd,rs1"             Zbb      [];
        Rev8 rev8             "rev8"       "0110101 11000 rs1 101 rd 0010011"             "rd,rs1"             Zbb      [];

        // Zbs.
        Bclr bclr             "bclr"       "0100100 rs2 rs1 001 rd 0110011"               "rd,rs1,rs2"         Zbs      [];
        Bclri bclri           "bclri"      "010010 uimm[5:0] rs1 001 rd 0010011"          "rd,rs1,shamt"       Zbs      [];
        Bext bext             "bext"       "0100100 rs2 rs1 101 rd 0110011"               "rd,rs1,rs2"         Zbs      [];
        Bexti bexti           "bexti"      "010010 uimm[5:0] rs1 101 rd 0010011"          "rd,rs1,shamt"       Zbs      [];
        Binv binv             "binv"       "0110100 rs2 rs1 001 rd 0110011"               "rd,rs1,rs2"         Zbs      [];
        Binvi binvi           "binvi"      "011010 uimm[5:0] rs1 001 rd 0010011"          "rd,rs1,shamt"       Zbs      [];
        Bset bset             "bset"       "0010100 rs2 rs1 001 rd 0110011"               "rd,rs1,rs2"         Zbs      [];
        Bseti bseti           "bseti"      "001010 uimm[5:0] rs1 001 rd 0010011"          "rd,rs1,shamt"       Zbs      [];
    }

    compressed {
        // Quadrant 0.
        "c.addi4spn"  "000 uimm[5:4|9:6|2|3] rd' 00"                  "rs1=2 imm!=0"       "rd,sp,imm"     = Addi;
        "c.fld"       "001 uimm[5:3] rs1' uimm[7:6] rd' 00"           ""                   "fd,imm(rs1)"   = Fld;
        "c.lw"        "010 uimm[5:3] rs1' uimm[2|6] rd' 00"           ""                   "rd,imm(rs1)"   = Lw;
        "c.ld"        "011 uimm[5:3] rs1' uimm[7:6] rd' 00"           ""                   "rd,imm(rs1)"   = Ld;
        "c.fsd"       "101 uimm[5:3] rs1' uimm[7:6] rs2' 00"          ""                   "fs2,imm(rs1)"  = Fsd;
        "c.sw"        "110 uimm[5:3] rs1' uimm[2|6] rs2' 00"          ""                   "rs2,imm(rs1)"  = Sw;
        "c.sd"        "111 uimm[5:3] rs1' uimm[7:6] rs2' 00"          ""                   "rs2,imm(rs1)"  = Sd;

        // Quadrant 1. Shifts by zero have mnemonics of their own and are hints. `c.nop` is `c.addi` with rd = 0; its immediates other than zero are hints.
        "c.addi"      "000 imm[5] rd/rs1 imm[4:0] 01"                 ""                   "rd,imm"        = Addi;
        "c.addiw"     "001 imm[5] rd/rs1 imm[4:0] 01"                 "rd!=0"              "rd,imm"        = Addiw;
        "c.li"        "010 imm[5] rd imm[4:0] 01"                     "rs1=0"              "rd,imm"        = Addi;
        "c.addi16sp"  "011 imm[9] 00010 imm[4|6|8:7|5] 01"            "rd=2 rs1=2 imm!=0"  "sp,imm"        = Addi;
        "c.lui"       "011 imm[17] rd imm[16:12] 01"                  "rd!=2 imm!=0"       "rd,uimm20"     = Lui;
        "c.srli"      "100 uimm[5] 00 rd'/rs1' uimm[4:0] 01"          "imm!=0"             "rd,shamt"      = Srli;
        "c.srli64"    "100 0 00 rd'/rs1' 00000 01"                    ""                   "rd"            = Srli;
        "c.srai"      "100 uimm[5] 01 rd'/rs1' uimm[4:0] 01"          "imm!=0"             "rd,shamt"      = Srai;
        "c.srai64"    "100 0 01 rd'/rs1' 00000 01"                    ""                   "rd"            = Srai;
        "c.andi"      "100 imm[5] 10 rd'/rs1' imm[4:0] 01"            ""                   "rd,imm"        = Andi;
        "c.sub"       "100 0 11 rd'/rs1' 00 rs2' 01"                  ""                   "rd,rs2"        = Sub;
        "c.xor"       "100 0 11 rd'/rs1' 01 rs2' 01"                  ""                   "rd,rs2"        = Xor;
        "c.or"        "100 0 11 rd'/rs1' 10 rs2' 01"                  ""                   "rd,rs2"        = Or;
        "c.and"       "100 0 11 rd'/rs1' 11 rs2' 01"                  ""                   "rd,rs2"        = And;
        "c.subw"      "100 1 11 rd'/rs1' 00 rs2' 01"                  ""                   "rd,rs2"        = Subw;
        "c.addw"      "100 1 11 rd'/rs1' 01 rs2' 01"                  ""                   "rd,rs2"        = Addw;
        "c.j"         "101 imm[11|4|9:8|10|6|7|3:1|5] 01"             "rd=0"               "target"        = Jal;
        "c.beqz"      "110 imm[8|4:3] rs1' imm[7:6|2:1|5] 01"         "rs2=0"              "rs1,target"    = Beq;
        "c.bnez"      "111 imm[8|4:3] rs1' imm[7:6|2:1|5] 01"         "rs2=0"              "rs1,target"    = Bne;

        // Quadrant 2.
        "c.slli"      "000 uimm[5] rd/rs1 uimm[4:0] 10"               "imm!=0"             "rd,shamt"      = Slli;
        "c.slli64"    "000 0 rd/rs1 00000 10"                         ""                   "rd"            = Slli;
        "c.fldsp"     "001 uimm[5] rd uimm[4:3|8:6] 10"               "rs1=2"              "fd,imm(sp)"    = Fld;
        "c.lwsp"      "010 uimm[5] rd uimm[4:2|7:6] 10"               "rs1=2 rd!=0"        "rd,imm(sp)"    = Lw;
        "c.ldsp"      "011 uimm[5] rd uimm[4:3|8:6] 10"               "rs1=2 rd!=0"        "rd,imm(sp)"    = Ld;
        "c.jr"        "100 0 rs1 00000 10"                            "rd=0 rs1!=0"        "rs1"           = Jalr;
        "c.mv"        "100 0 rd rs2 10"                               "rs1=0 rs2!=0"       "rd,rs2"        = Add;
        "c.ebreak"    "100 1 00000 00000 10"                          ""                   ""              = Ebreak;
        "c.jalr"      "100 1 rs1 00000 10"                            "rd=1 rs1!=0"        "rs1"           = Jalr;
        "c.add"       "100 1 rd/rs1 rs2 10"                           "rs2!=0"             "rd,rs2"        = Add;
        "c.fsdsp"     "101 uimm[5:3|8:6] rs2 10"                      "rs1=2"              "fs2,imm(sp)"   = Fsd;
        "c.swsp"      "110 uimm[5:2|7:6] rs2 10"                      "rs1=2"              "rs2,imm(sp)"   = Sw;
        "c.sdsp"      "111 uimm[5:3|8:6] rs2 10"                      "rs1=2"              "rs2,imm(sp)"   = Sd;
    }
}
