//! Which semantics each instruction has: one row an instruction, the mnemonic with dots as underscores and the method of
//! [`Builder`] that lifts it.

use super::builder::{Builder, Flow};
use super::csr::CsrWrite;
use super::float::Fmt;
use crate::op::{Cond, Op};
use friscy_isa::{Inst, Visitor};

macro_rules! semantics {
    ($($instruction:ident => $method:ident($($arg:expr),*);)*) => {
        impl Visitor for Builder<'_> {
            type Output = Flow;
            $(
                #[inline]
                fn $instruction(&mut self, inst: &Inst) -> Flow {
                    self.$method(inst $(, $arg)*)
                }
            )*
        }
    };
}

semantics! {
    // "RV32I Base Integer Instruction Set" and "RV64I Base Integer Instruction Set".
    lui => load_upper();
    auipc => add_upper_pc();
    jal => jump_and_link();
    jalr => jump_and_link_register();
    beq => branch(Cond::Eq);
    bne => branch(Cond::Ne);
    blt => branch(Cond::LtS);
    bge => branch(Cond::GeS);
    bltu => branch(Cond::LtU);
    bgeu => branch(Cond::GeU);
    lb => load(Op::Load8S);
    lh => load(Op::Load16S);
    lw => load(Op::Load32S);
    ld => load(Op::Load64);
    lbu => load(Op::Load8U);
    lhu => load(Op::Load16U);
    lwu => load(Op::Load32U);
    sb => store(Op::Store8);
    sh => store(Op::Store16);
    sw => store(Op::Store32);
    sd => store(Op::Store64);
    addi => add_imm();
    slti => reg_imm(Op::LtS);
    sltiu => set_less_imm_unsigned();
    xori => reg_imm(Op::Xor);
    ori => reg_imm(Op::Or);
    andi => reg_imm(Op::And);
    slli => reg_imm(Op::Shl);
    srli => reg_imm(Op::ShrU);
    srai => reg_imm(Op::ShrS);
    add => add_regs();
    sub => reg_reg(Op::Sub);
    sll => reg_reg(Op::Shl);
    slt => reg_reg(Op::LtS);
    sltu => reg_reg(Op::LtU);
    xor => reg_reg(Op::Xor);
    srl => reg_reg(Op::ShrU);
    sra => reg_reg(Op::ShrS);
    or => reg_reg(Op::Or);
    and => reg_reg(Op::And);
    addiw => add_imm_word();
    slliw => reg_imm(Op::Shl32);
    srliw => reg_imm(Op::ShrU32);
    sraiw => reg_imm(Op::ShrS32);
    addw => reg_reg(Op::Add32);
    subw => reg_reg(Op::Sub32);
    sllw => reg_reg(Op::Shl32);
    srlw => reg_reg(Op::ShrU32);
    sraw => reg_reg(Op::ShrS32);
    fence => memory_fence();
    ecall => environment_call();
    ebreak => breakpoint();
    // "Zifencei Extension".
    fence_i => instruction_fence();
    // "Zicsr Extension".
    csrrw => csr_reg(CsrWrite::Swap);
    csrrs => csr_reg(CsrWrite::Set);
    csrrc => csr_reg(CsrWrite::Clear);
    csrrwi => csr_imm(CsrWrite::Swap);
    csrrsi => csr_imm(CsrWrite::Set);
    csrrci => csr_imm(CsrWrite::Clear);
    // "M Extension".
    mul => reg_reg(Op::Mul);
    mulh => reg_reg(Op::MulhS);
    mulhsu => reg_reg(Op::MulhSU);
    mulhu => reg_reg(Op::MulhU);
    div => reg_reg(Op::DivS);
    divu => reg_reg(Op::DivU);
    rem => reg_reg(Op::RemS);
    remu => reg_reg(Op::RemU);
    mulw => reg_reg(Op::Mul32);
    divw => reg_reg(Op::DivS32);
    divuw => reg_reg(Op::DivU32);
    remw => reg_reg(Op::RemS32);
    remuw => reg_reg(Op::RemU32);
    // "A Extension".
    lr_w => load_reserved(Op::Lr32);
    sc_w => atomic(Op::Sc32);
    amoswap_w => atomic(Op::AmoSwap32);
    amoadd_w => atomic(Op::AmoAdd32);
    amoxor_w => atomic(Op::AmoXor32);
    amoand_w => atomic(Op::AmoAnd32);
    amoor_w => atomic(Op::AmoOr32);
    amomin_w => atomic(Op::AmoMinS32);
    amomax_w => atomic(Op::AmoMaxS32);
    amominu_w => atomic(Op::AmoMinU32);
    amomaxu_w => atomic(Op::AmoMaxU32);
    lr_d => load_reserved(Op::Lr64);
    sc_d => atomic(Op::Sc64);
    amoswap_d => atomic(Op::AmoSwap64);
    amoadd_d => atomic(Op::AmoAdd64);
    amoxor_d => atomic(Op::AmoXor64);
    amoand_d => atomic(Op::AmoAnd64);
    amoor_d => atomic(Op::AmoOr64);
    amomin_d => atomic(Op::AmoMinS64);
    amomax_d => atomic(Op::AmoMaxS64);
    amominu_d => atomic(Op::AmoMinU64);
    amomaxu_d => atomic(Op::AmoMaxU64);
    // "F Extension".
    flw => load_single();
    fsw => store_float(Op::StoreF32);
    fmadd_s => float_fused(Op::FmaS, Fmt::S);
    fmsub_s => float_fused(Op::FmsS, Fmt::S);
    fnmsub_s => float_fused(Op::FnmsS, Fmt::S);
    fnmadd_s => float_fused(Op::FnmaS, Fmt::S);
    fadd_s => float_binary(Op::FaddS, Fmt::S);
    fsub_s => float_binary(Op::FsubS, Fmt::S);
    fmul_s => float_binary(Op::FmulS, Fmt::S);
    fdiv_s => float_binary(Op::FdivS, Fmt::S);
    fsqrt_s => float_unary(Op::FsqrtS, Fmt::S);
    fsgnj_s => float_select(Op::FsgnjS, Fmt::S);
    fsgnjn_s => float_select(Op::FsgnjnS, Fmt::S);
    fsgnjx_s => float_select(Op::FsgnjxS, Fmt::S);
    fmin_s => float_select(Op::FminS, Fmt::S);
    fmax_s => float_select(Op::FmaxS, Fmt::S);
    fcvt_w_s => float_to_int(Op::CvtS32F32, Fmt::S);
    fcvt_wu_s => float_to_int(Op::CvtU32F32, Fmt::S);
    fcvt_l_s => float_to_int(Op::CvtS64F32, Fmt::S);
    fcvt_lu_s => float_to_int(Op::CvtU64F32, Fmt::S);
    feq_s => float_compare(Op::FeqS, Fmt::S);
    flt_s => float_compare(Op::FltS, Fmt::S);
    fle_s => float_compare(Op::FleS, Fmt::S);
    fclass_s => float_class(Op::FclassS, Fmt::S);
    fcvt_s_w => int_to_float(Op::CvtF32S32, Fmt::S);
    fcvt_s_wu => int_to_float(Op::CvtF32U32, Fmt::S);
    fcvt_s_l => int_to_float(Op::CvtF32S64, Fmt::S);
    fcvt_s_lu => int_to_float(Op::CvtF32U64, Fmt::S);
    fmv_x_w => move_word_to_int();
    fmv_w_x => move_word_from_int();
    // "D Extension".
    fld => load_double();
    fsd => store_float(Op::StoreF64);
    fmadd_d => float_fused(Op::FmaD, Fmt::D);
    fmsub_d => float_fused(Op::FmsD, Fmt::D);
    fnmsub_d => float_fused(Op::FnmsD, Fmt::D);
    fnmadd_d => float_fused(Op::FnmaD, Fmt::D);
    fadd_d => float_binary(Op::FaddD, Fmt::D);
    fsub_d => float_binary(Op::FsubD, Fmt::D);
    fmul_d => float_binary(Op::FmulD, Fmt::D);
    fdiv_d => float_binary(Op::FdivD, Fmt::D);
    fsqrt_d => float_unary(Op::FsqrtD, Fmt::D);
    fsgnj_d => float_select(Op::FsgnjD, Fmt::D);
    fsgnjn_d => float_select(Op::FsgnjnD, Fmt::D);
    fsgnjx_d => float_select(Op::FsgnjxD, Fmt::D);
    fmin_d => float_select(Op::FminD, Fmt::D);
    fmax_d => float_select(Op::FmaxD, Fmt::D);
    fcvt_s_d => double_to_single();
    fcvt_d_s => single_to_double();
    fcvt_w_d => float_to_int(Op::CvtS32F64, Fmt::D);
    fcvt_wu_d => float_to_int(Op::CvtU32F64, Fmt::D);
    fcvt_l_d => float_to_int(Op::CvtS64F64, Fmt::D);
    fcvt_lu_d => float_to_int(Op::CvtU64F64, Fmt::D);
    feq_d => float_compare(Op::FeqD, Fmt::D);
    flt_d => float_compare(Op::FltD, Fmt::D);
    fle_d => float_compare(Op::FleD, Fmt::D);
    fclass_d => float_class(Op::FclassD, Fmt::D);
    fcvt_d_w => int_to_double_exact(Op::CvtF64S32);
    fcvt_d_wu => int_to_double_exact(Op::CvtF64U32);
    fcvt_d_l => int_to_float(Op::CvtF64S64, Fmt::D);
    fcvt_d_lu => int_to_float(Op::CvtF64U64, Fmt::D);
    fmv_x_d => move_double_to_int();
    fmv_d_x => move_double_from_int();
    // "Zba Extension for Address Generation".
    add_uw => shift_add_word(0);
    sh1add => shift_add(1);
    sh2add => shift_add(2);
    sh3add => shift_add(3);
    sh1add_uw => shift_add_word(1);
    sh2add_uw => shift_add_word(2);
    sh3add_uw => shift_add_word(3);
    slli_uw => shift_word_imm();
    // "Zbb Extension for Basic Bit-Manipulation".
    andn => with_not(Op::And);
    orn => with_not(Op::Or);
    xnor => xnor_regs();
    clz => reg_unary(Op::Clz);
    ctz => reg_unary(Op::Ctz);
    cpop => reg_unary(Op::Popcnt);
    clzw => reg_unary(Op::Clz32);
    ctzw => reg_unary(Op::Ctz32);
    cpopw => reg_unary(Op::Popcnt32);
    sext_b => reg_unary(Op::Sext8);
    sext_h => reg_unary(Op::Sext16);
    zext_h => reg_unary(Op::Zext16);
    orc_b => reg_unary(Op::OrcB);
    rev8 => reg_unary(Op::Bswap);
    min => reg_reg(Op::MinS);
    minu => reg_reg(Op::MinU);
    max => reg_reg(Op::MaxS);
    maxu => reg_reg(Op::MaxU);
    rol => reg_reg(Op::Rotl);
    ror => reg_reg(Op::Rotr);
    rolw => reg_reg(Op::Rotl32);
    rorw => reg_reg(Op::Rotr32);
    rori => reg_imm(Op::Rotr);
    roriw => reg_imm(Op::Rotr32);
    // "Zbs Extension for Single-bit Instructions".
    bclr => single_bit(Op::And);
    binv => single_bit(Op::Xor);
    bset => single_bit(Op::Or);
    bclri => single_bit_imm(Op::And);
    binvi => single_bit_imm(Op::Xor);
    bseti => single_bit_imm(Op::Or);
    bext => extract_bit();
    bexti => extract_bit_imm();
}
