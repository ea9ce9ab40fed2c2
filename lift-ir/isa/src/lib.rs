//! The RISC-V instruction table and what is generated from it: decoder, encoder, assembler, disassembler.
