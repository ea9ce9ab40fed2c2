//! The table of IR ops: one row an op, and everything that must agree about an op is generated from it.
//!
//! Ops are total: shifts, division and conversions have RISC-V's results by definition of the op. Only ops with
//! [`Effects::FAULT`] may leave a region, and they leave it as if the op had not happened.

/// The type of an SSA value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Type {
    /// 64 bits of an integer register. 32-bit results are kept sign-extended, as RV64 does.
    I64,
    /// A single-precision value, unboxed.
    F32,
    /// 64 bits of a floating-point register: a double, or a NaN-boxed single (RISC-V manual, "NaN Boxing").
    F64,
}

impl Type {
    /// The name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Type::I64 => "i64",
            Type::F32 => "f32",
            Type::F64 => "f64",
        }
    }
}

/// What the immediate field of an op holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImmKind {
    /// No immediate; the field is zero.
    None,
    /// A 64-bit constant.
    Const,
    /// A signed displacement in bytes, added to the zero-extended low half of the address operand.
    Disp,
    /// A register number, 0 to 31.
    Reg,
    /// A rounding mode as encoded in RISC-V's `rm` field: 0 to 4, or 7 for "as `frm` says".
    Rm,
    /// Ordering bits: for atomics `aq` in bit 1 and `rl` in bit 0, for fences the 12-bit immediate.
    Order,
}

/// What an op does beside computing its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effects(pub u8);

impl Effects {
    /// A pure function of its operands and immediate.
    pub const NONE: Effects = Effects(0);
    /// Reads guest memory.
    pub const READ: Effects = Effects(1);
    /// Writes guest memory.
    pub const WRITE: Effects = Effects(2);
    /// May leave the region by a memory fault; guest state must be exact before it.
    pub const FAULT: Effects = Effects(4);
    /// Accumulates exception flags into `fflags`, or reads `frm`.
    pub const FP_ENV: Effects = Effects(8);
    /// Reads guest register state (`get`).
    pub const GET: Effects = Effects(16);
    /// Writes guest register state (`set`).
    pub const SET: Effects = Effects(32);
    /// Must keep its place among memory operations.
    pub const ORDER: Effects = Effects(64);

    /// The union of two sets.
    pub const fn or(self, other: Effects) -> Effects {
        Effects(self.0 | other.0)
    }

    /// Whether every effect in `other` is in this set.
    pub const fn contains(self, other: Effects) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the op may be deleted when its result is unused.
    pub const fn removable(self) -> bool {
        self.0 & !(Effects::GET.0) == 0
    }
}

/// One row of the op table.
#[derive(Clone, Copy, Debug)]
pub struct OpInfo {
    /// The name in the text form.
    pub name: &'static str,
    /// Operand types, in order.
    pub args: &'static [Type],
    /// The result's type, if the op has a result.
    pub result: Option<Type>,
    /// What the immediate field holds.
    pub imm: ImmKind,
    /// What the op does beside computing its result.
    pub effects: Effects,
}

macro_rules! ops {
    ($($(#[$doc:meta])* $variant:ident $name:literal [$($arg:ident)*] $res:tt $imm:ident $($eff:ident)*;)*) => {
        /// The operation of an IR instruction. Each variant's documentation is the op's definition.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
        #[repr(u8)]
        pub enum Op { $($(#[$doc])* $variant,)* }

        impl Op {
            /// Every op, in table order.
            pub const ALL: &'static [Op] = &[$(Op::$variant,)*];

            /// The op's row in the table.
            pub const fn info(self) -> &'static OpInfo {
                &TABLE[self as usize]
            }
        }

        static TABLE: [OpInfo; Op::ALL.len()] = [$(OpInfo {
            name: $name,
            args: &[$(Type::$arg,)*],
            result: ops!(@res $res),
            imm: ImmKind::$imm,
            effects: Effects::NONE$(.or(Effects::$eff))*,
        },)*];
    };
    (@res -) => { None };
    (@res $t:ident) => { Some(Type::$t) };
}

ops! {
    /// The constant in the immediate.
    Iconst "iconst" [] I64 Const;

    /// Guest integer register; `x0` is never named.
    GetX "get.x" [] I64 Reg GET;
    /// Sets a guest integer register; `x0` is never named.
    SetX "set.x" [I64] - Reg SET;
    /// Guest floating-point register, all 64 bits.
    GetF "get.f" [] F64 Reg GET;
    /// Sets a guest floating-point register, all 64 bits.
    SetF "set.f" [F64] - Reg SET;
    /// The accrued exception flags, bits 4:0.
    GetFflags "get.fflags" [] I64 None FP_ENV GET;
    /// Replaces the accrued exception flags by bits 4:0 of the operand.
    SetFflags "set.fflags" [I64] - None FP_ENV SET;
    /// The dynamic rounding mode, bits 2:0.
    GetFrm "get.frm" [] I64 None FP_ENV GET;
    /// Replaces the dynamic rounding mode by bits 2:0 of the operand. The block ends right after it with
    /// `ExitKind::ModeChange`, since regions are made for one class of rounding mode.
    SetFrm "set.frm" [I64] - None FP_ENV SET;

    /// Sum modulo 2^64.
    Add "add.i64" [I64 I64] I64 None;
    /// Difference modulo 2^64.
    Sub "sub.i64" [I64 I64] I64 None;
    /// Bitwise and.
    And "and.i64" [I64 I64] I64 None;
    /// Bitwise or.
    Or "or.i64" [I64 I64] I64 None;
    /// Bitwise exclusive or.
    Xor "xor.i64" [I64 I64] I64 None;
    /// Shift left by bits 5:0 of the second operand.
    Shl "shl.i64" [I64 I64] I64 None;
    /// Logical shift right by bits 5:0 of the second operand.
    ShrU "shr.i64.u" [I64 I64] I64 None;
    /// Arithmetic shift right by bits 5:0 of the second operand.
    ShrS "shr.i64.s" [I64 I64] I64 None;
    /// Rotate left by bits 5:0 of the second operand.
    Rotl "rotl.i64" [I64 I64] I64 None;
    /// Rotate right by bits 5:0 of the second operand.
    Rotr "rotr.i64" [I64 I64] I64 None;
    /// Low 64 bits of the product.
    Mul "mul.i64" [I64 I64] I64 None;
    /// High 64 bits of the product, both signed.
    MulhS "mulh.i64.s" [I64 I64] I64 None;
    /// High 64 bits of the product, both unsigned.
    MulhU "mulh.i64.u" [I64 I64] I64 None;
    /// High 64 bits of the product, first signed, second unsigned.
    MulhSU "mulh.i64.su" [I64 I64] I64 None;
    /// Signed quotient toward zero; -1 when dividing by zero, the dividend on overflow.
    DivS "div.i64.s" [I64 I64] I64 None;
    /// Unsigned quotient; all ones when dividing by zero.
    DivU "div.i64.u" [I64 I64] I64 None;
    /// Signed remainder; the dividend when dividing by zero, 0 on overflow.
    RemS "rem.i64.s" [I64 I64] I64 None;
    /// Unsigned remainder; the dividend when dividing by zero.
    RemU "rem.i64.u" [I64 I64] I64 None;
    /// 1 if equal, else 0.
    Eq "eq.i64" [I64 I64] I64 None;
    /// 1 if different, else 0.
    Ne "ne.i64" [I64 I64] I64 None;
    /// 1 if less, signed, else 0.
    LtS "lt.i64.s" [I64 I64] I64 None;
    /// 1 if less, unsigned, else 0.
    LtU "lt.i64.u" [I64 I64] I64 None;
    /// The smaller, signed.
    MinS "min.i64.s" [I64 I64] I64 None;
    /// The smaller, unsigned.
    MinU "min.i64.u" [I64 I64] I64 None;
    /// The larger, signed.
    MaxS "max.i64.s" [I64 I64] I64 None;
    /// The larger, unsigned.
    MaxU "max.i64.u" [I64 I64] I64 None;
    /// The second operand if the first is not zero, else the third.
    Select "select.i64" [I64 I64 I64] I64 None;

    /// Sum of the low 32 bits, sign-extended.
    Add32 "add.i32" [I64 I64] I64 None;
    /// Difference of the low 32 bits, sign-extended.
    Sub32 "sub.i32" [I64 I64] I64 None;
    /// Low 32 bits shifted left by bits 4:0 of the second operand, sign-extended.
    Shl32 "shl.i32" [I64 I64] I64 None;
    /// Low 32 bits shifted right logically by bits 4:0 of the second operand, sign-extended.
    ShrU32 "shr.i32.u" [I64 I64] I64 None;
    /// Low 32 bits shifted right arithmetically by bits 4:0 of the second operand, sign-extended.
    ShrS32 "shr.i32.s" [I64 I64] I64 None;
    /// Low 32 bits rotated left by bits 4:0 of the second operand, sign-extended.
    Rotl32 "rotl.i32" [I64 I64] I64 None;
    /// Low 32 bits rotated right by bits 4:0 of the second operand, sign-extended.
    Rotr32 "rotr.i32" [I64 I64] I64 None;
    /// Low 32 bits of the product of the low 32 bits, sign-extended.
    Mul32 "mul.i32" [I64 I64] I64 None;
    /// As `div.i64.s` on the low 32 bits, sign-extended.
    DivS32 "div.i32.s" [I64 I64] I64 None;
    /// As `div.i64.u` on the low 32 bits, sign-extended.
    DivU32 "div.i32.u" [I64 I64] I64 None;
    /// As `rem.i64.s` on the low 32 bits, sign-extended.
    RemS32 "rem.i32.s" [I64 I64] I64 None;
    /// As `rem.i64.u` on the low 32 bits, sign-extended.
    RemU32 "rem.i32.u" [I64 I64] I64 None;

    /// Low 8 bits, sign-extended.
    Sext8 "sext.i8" [I64] I64 None;
    /// Low 16 bits, sign-extended.
    Sext16 "sext.i16" [I64] I64 None;
    /// Low 32 bits, sign-extended.
    Sext32 "sext.i32" [I64] I64 None;
    /// Low 16 bits, zero-extended.
    Zext16 "zext.i16" [I64] I64 None;
    /// Low 32 bits, zero-extended.
    Zext32 "zext.i32" [I64] I64 None;
    /// Number of leading zero bits, 64 for 0.
    Clz "clz.i64" [I64] I64 None;
    /// Number of trailing zero bits, 64 for 0.
    Ctz "ctz.i64" [I64] I64 None;
    /// Number of one bits.
    Popcnt "popcnt.i64" [I64] I64 None;
    /// Number of leading zero bits of the low 32, 32 for 0.
    Clz32 "clz.i32" [I64] I64 None;
    /// Number of trailing zero bits of the low 32, 32 for 0.
    Ctz32 "ctz.i32" [I64] I64 None;
    /// Number of one bits in the low 32.
    Popcnt32 "popcnt.i32" [I64] I64 None;
    /// The eight bytes in reverse order.
    Bswap "bswap.i64" [I64] I64 None;
    /// Each byte becomes 0xff if it is not zero (`orc.b`).
    OrcB "orc.i8x8" [I64] I64 None;

    /// Signed byte at the address.
    Load8S "load.i8.s" [I64] I64 Disp READ FAULT;
    /// Unsigned byte at the address.
    Load8U "load.i8.u" [I64] I64 Disp READ FAULT;
    /// Signed 16 bits at the address; any alignment, as for all plain loads and stores.
    Load16S "load.i16.s" [I64] I64 Disp READ FAULT;
    /// Unsigned 16 bits at the address.
    Load16U "load.i16.u" [I64] I64 Disp READ FAULT;
    /// Signed 32 bits at the address.
    Load32S "load.i32.s" [I64] I64 Disp READ FAULT;
    /// Unsigned 32 bits at the address.
    Load32U "load.i32.u" [I64] I64 Disp READ FAULT;
    /// 64 bits at the address.
    Load64 "load.i64" [I64] I64 Disp READ FAULT;
    /// A single at the address.
    LoadF32 "load.f32" [I64] F32 Disp READ FAULT;
    /// 64 bits of a floating-point register at the address.
    LoadF64 "load.f64" [I64] F64 Disp READ FAULT;
    /// Stores the low 8 bits: address, value.
    Store8 "store.i8" [I64 I64] - Disp WRITE FAULT;
    /// Stores the low 16 bits.
    Store16 "store.i16" [I64 I64] - Disp WRITE FAULT;
    /// Stores the low 32 bits.
    Store32 "store.i32" [I64 I64] - Disp WRITE FAULT;
    /// Stores 64 bits.
    Store64 "store.i64" [I64 I64] - Disp WRITE FAULT;
    /// Stores the low 32 bits of a floating-point register, boxed or not (`fsw`).
    StoreF32 "store.f32" [I64 F64] - Disp WRITE FAULT;
    /// Stores the 64 bits of a floating-point register.
    StoreF64 "store.f64" [I64 F64] - Disp WRITE FAULT;

    /// Load-reserved of 32 bits, sign-extended. Faults if misaligned, as all atomics.
    Lr32 "lr.i32" [I64] I64 Order READ FAULT ORDER;
    /// Load-reserved of 64 bits.
    Lr64 "lr.i64" [I64] I64 Order READ FAULT ORDER;
    /// Store-conditional of 32 bits (address, value): 0 if it stored, else 1. The reservation dies either way.
    Sc32 "sc.i32" [I64 I64] I64 Order WRITE FAULT ORDER;
    /// Store-conditional of 64 bits.
    Sc64 "sc.i64" [I64 I64] I64 Order WRITE FAULT ORDER;
    /// Atomic swap (address, value); the old 32 bits, sign-extended.
    AmoSwap32 "amo.swap.i32" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic add.
    AmoAdd32 "amo.add.i32" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic exclusive or.
    AmoXor32 "amo.xor.i32" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic and.
    AmoAnd32 "amo.and.i32" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic or.
    AmoOr32 "amo.or.i32" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic signed minimum.
    AmoMinS32 "amo.min.i32.s" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic signed maximum.
    AmoMaxS32 "amo.max.i32.s" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic unsigned minimum.
    AmoMinU32 "amo.min.i32.u" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic unsigned maximum.
    AmoMaxU32 "amo.max.i32.u" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic swap of 64 bits.
    AmoSwap64 "amo.swap.i64" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic add.
    AmoAdd64 "amo.add.i64" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic exclusive or.
    AmoXor64 "amo.xor.i64" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic and.
    AmoAnd64 "amo.and.i64" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic or.
    AmoOr64 "amo.or.i64" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic signed minimum.
    AmoMinS64 "amo.min.i64.s" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic signed maximum.
    AmoMaxS64 "amo.max.i64.s" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic unsigned minimum.
    AmoMinU64 "amo.min.i64.u" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// Atomic unsigned maximum.
    AmoMaxU64 "amo.max.i64.u" [I64 I64] I64 Order READ WRITE FAULT ORDER;
    /// A memory fence; all guest code runs on one host thread, so it only keeps its place.
    Fence "fence" [] - Order ORDER;

    /// A register's 64 bits as a single: the low half if NaN-boxed, else the canonical NaN.
    Unbox "unbox.f32" [F64] F32 None;
    /// A single as a register's 64 bits, NaN-boxed.
    Box "box.f32" [F32] F64 None;
    /// The bits of a floating-point register.
    BitsI64 "bits.i64.f64" [F64] I64 None;
    /// A floating-point register from bits.
    BitsF64 "bits.f64.i64" [I64] F64 None;
    /// A single from the low 32 bits.
    BitsF32 "bits.f32.i64" [I64] F32 None;

    /// Sum.
    FaddS "fadd.f32" [F32 F32] F32 Rm FP_ENV;
    /// Difference.
    FsubS "fsub.f32" [F32 F32] F32 Rm FP_ENV;
    /// Product.
    FmulS "fmul.f32" [F32 F32] F32 Rm FP_ENV;
    /// Quotient.
    FdivS "fdiv.f32" [F32 F32] F32 Rm FP_ENV;
    /// Square root.
    FsqrtS "fsqrt.f32" [F32] F32 Rm FP_ENV;
    /// First times second plus third, rounded once.
    FmaS "fma.f32" [F32 F32 F32] F32 Rm FP_ENV;
    /// First times second minus third, rounded once.
    FmsS "fms.f32" [F32 F32 F32] F32 Rm FP_ENV;
    /// Third minus first times second, rounded once (`fnmsub`).
    FnmsS "fnms.f32" [F32 F32 F32] F32 Rm FP_ENV;
    /// Minus (first times second) minus third, rounded once (`fnmadd`).
    FnmaS "fnma.f32" [F32 F32 F32] F32 Rm FP_ENV;
    /// `fmin.s`: minimumNumber, -0 below +0.
    FminS "fmin.f32" [F32 F32] F32 None FP_ENV;
    /// `fmax.s`: maximumNumber, -0 below +0.
    FmaxS "fmax.f32" [F32 F32] F32 None FP_ENV;
    /// Magnitude of the first, sign of the second.
    FsgnjS "fsgnj.f32" [F32 F32] F32 None;
    /// Magnitude of the first, opposite of the second's sign.
    FsgnjnS "fsgnjn.f32" [F32 F32] F32 None;
    /// Magnitude of the first, exclusive or of the signs.
    FsgnjxS "fsgnjx.f32" [F32 F32] F32 None;
    /// 1 if equal; a quiet comparison.
    FeqS "feq.f32" [F32 F32] I64 None FP_ENV;
    /// 1 if less; a signalling comparison.
    FltS "flt.f32" [F32 F32] I64 None FP_ENV;
    /// 1 if less or equal; a signalling comparison.
    FleS "fle.f32" [F32 F32] I64 None FP_ENV;
    /// The class mask of `fclass.s`.
    FclassS "fclass.f32" [F32] I64 None;

    /// Sum.
    FaddD "fadd.f64" [F64 F64] F64 Rm FP_ENV;
    /// Difference.
    FsubD "fsub.f64" [F64 F64] F64 Rm FP_ENV;
    /// Product.
    FmulD "fmul.f64" [F64 F64] F64 Rm FP_ENV;
    /// Quotient.
    FdivD "fdiv.f64" [F64 F64] F64 Rm FP_ENV;
    /// Square root.
    FsqrtD "fsqrt.f64" [F64] F64 Rm FP_ENV;
    /// First times second plus third, rounded once.
    FmaD "fma.f64" [F64 F64 F64] F64 Rm FP_ENV;
    /// First times second minus third, rounded once.
    FmsD "fms.f64" [F64 F64 F64] F64 Rm FP_ENV;
    /// Third minus first times second, rounded once (`fnmsub`).
    FnmsD "fnms.f64" [F64 F64 F64] F64 Rm FP_ENV;
    /// Minus (first times second) minus third, rounded once (`fnmadd`).
    FnmaD "fnma.f64" [F64 F64 F64] F64 Rm FP_ENV;
    /// `fmin.d`: minimumNumber, -0 below +0.
    FminD "fmin.f64" [F64 F64] F64 None FP_ENV;
    /// `fmax.d`: maximumNumber, -0 below +0.
    FmaxD "fmax.f64" [F64 F64] F64 None FP_ENV;
    /// Magnitude of the first, sign of the second.
    FsgnjD "fsgnj.f64" [F64 F64] F64 None;
    /// Magnitude of the first, opposite of the second's sign.
    FsgnjnD "fsgnjn.f64" [F64 F64] F64 None;
    /// Magnitude of the first, exclusive or of the signs.
    FsgnjxD "fsgnjx.f64" [F64 F64] F64 None;
    /// 1 if equal; a quiet comparison.
    FeqD "feq.f64" [F64 F64] I64 None FP_ENV;
    /// 1 if less; a signalling comparison.
    FltD "flt.f64" [F64 F64] I64 None FP_ENV;
    /// 1 if less or equal; a signalling comparison.
    FleD "fle.f64" [F64 F64] I64 None FP_ENV;
    /// The class mask of `fclass.d`.
    FclassD "fclass.f64" [F64] I64 None;

    /// Single to signed 32 bits, sign-extended; RISC-V's saturation and flags, as for all conversions to integers.
    CvtS32F32 "cvt.s32.f32" [F32] I64 Rm FP_ENV;
    /// Single to unsigned 32 bits, sign-extended as RV64 does.
    CvtU32F32 "cvt.u32.f32" [F32] I64 Rm FP_ENV;
    /// Single to signed 64 bits.
    CvtS64F32 "cvt.s64.f32" [F32] I64 Rm FP_ENV;
    /// Single to unsigned 64 bits.
    CvtU64F32 "cvt.u64.f32" [F32] I64 Rm FP_ENV;
    /// Double to signed 32 bits, sign-extended.
    CvtS32F64 "cvt.s32.f64" [F64] I64 Rm FP_ENV;
    /// Double to unsigned 32 bits, sign-extended as RV64 does.
    CvtU32F64 "cvt.u32.f64" [F64] I64 Rm FP_ENV;
    /// Double to signed 64 bits.
    CvtS64F64 "cvt.s64.f64" [F64] I64 Rm FP_ENV;
    /// Double to unsigned 64 bits.
    CvtU64F64 "cvt.u64.f64" [F64] I64 Rm FP_ENV;
    /// Signed low 32 bits to single.
    CvtF32S32 "cvt.f32.s32" [I64] F32 Rm FP_ENV;
    /// Unsigned low 32 bits to single.
    CvtF32U32 "cvt.f32.u32" [I64] F32 Rm FP_ENV;
    /// Signed 64 bits to single.
    CvtF32S64 "cvt.f32.s64" [I64] F32 Rm FP_ENV;
    /// Unsigned 64 bits to single.
    CvtF32U64 "cvt.f32.u64" [I64] F32 Rm FP_ENV;
    /// Signed low 32 bits to double; always exact.
    CvtF64S32 "cvt.f64.s32" [I64] F64 None;
    /// Unsigned low 32 bits to double; always exact.
    CvtF64U32 "cvt.f64.u32" [I64] F64 None;
    /// Signed 64 bits to double.
    CvtF64S64 "cvt.f64.s64" [I64] F64 Rm FP_ENV;
    /// Unsigned 64 bits to double.
    CvtF64U64 "cvt.f64.u64" [I64] F64 Rm FP_ENV;
    /// Double to single.
    CvtF32F64 "cvt.f32.f64" [F64] F32 Rm FP_ENV;
    /// Single to double; exact, but a signalling NaN sets NV.
    CvtF64F32 "cvt.f64.f32" [F32] F64 None FP_ENV;

    /// An address in the file that the code is from: the immediate, added to where the file is loaded. Where nobody says
    /// where that is, it is at 0. Only code that is compiled ahead of time has it.
    Addr "addr" [] I64 Const;
}

impl Op {
    /// Whether it computes with the low 32 bits of two operands, and sign-extends the 32 bits of its result.
    pub const fn is_word(self) -> bool {
        matches!(
            self,
            Op::Add32
                | Op::Sub32
                | Op::Shl32
                | Op::ShrU32
                | Op::ShrS32
                | Op::Rotl32
                | Op::Rotr32
                | Op::Mul32
                | Op::DivS32
                | Op::DivU32
                | Op::RemS32
                | Op::RemU32
        )
    }

    /// Whether it is a division or takes the remainder of one.
    pub const fn divides(self) -> bool {
        matches!(self, Op::DivS | Op::DivU | Op::RemS | Op::RemU | Op::DivS32 | Op::DivU32 | Op::RemS32 | Op::RemU32)
    }

    /// Whether it is an atomic on 64 bits: the others of them are on 32.
    pub const fn is_wide_atomic(self) -> bool {
        matches!(
            self,
            Op::Lr64
                | Op::Sc64
                | Op::AmoSwap64
                | Op::AmoAdd64
                | Op::AmoXor64
                | Op::AmoAnd64
                | Op::AmoOr64
                | Op::AmoMinS64
                | Op::AmoMaxS64
                | Op::AmoMinU64
                | Op::AmoMaxU64
        )
    }
}

/// The condition of a two-way branch on two integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Cond {
    /// Equal.
    Eq,
    /// Different.
    Ne,
    /// Less, signed.
    LtS,
    /// Greater or equal, signed.
    GeS,
    /// Less, unsigned.
    LtU,
    /// Greater or equal, unsigned.
    GeU,
}

impl Cond {
    /// Every condition.
    pub const ALL: [Cond; 6] = [Cond::Eq, Cond::Ne, Cond::LtS, Cond::GeS, Cond::LtU, Cond::GeU];

    /// The name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Cond::Eq => "eq",
            Cond::Ne => "ne",
            Cond::LtS => "lt.s",
            Cond::GeS => "ge.s",
            Cond::LtU => "lt.u",
            Cond::GeU => "ge.u",
        }
    }

    /// The condition that holds exactly when this one does not.
    pub const fn negate(self) -> Cond {
        match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::LtS => Cond::GeS,
            Cond::GeS => Cond::LtS,
            Cond::LtU => Cond::GeU,
            Cond::GeU => Cond::LtU,
        }
    }

    /// Whether the condition holds for `a` and `b`.
    pub const fn holds(self, a: u64, b: u64) -> bool {
        match self {
            Cond::Eq => a == b,
            Cond::Ne => a != b,
            Cond::LtS => (a as i64) < (b as i64),
            Cond::GeS => (a as i64) >= (b as i64),
            Cond::LtU => a < b,
            Cond::GeU => a >= b,
        }
    }
}
