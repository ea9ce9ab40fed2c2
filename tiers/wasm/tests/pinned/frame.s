# A frame: accesses by one register are looked at together.
addi sp, sp, -32
sd ra, 24(sp)
sd s0, 16(sp)
sd s1, 8(sp)
addi s0, a0, 0
jal ra, 64
add a0, a0, s0
ld ra, 24(sp)
ld s0, 16(sp)
ld s1, 8(sp)
addi sp, sp, 32
jalr zero, 0(ra)
