# A single held as such in a loop.
flw fa5, 0(a0)
fadd.s fa0, fa0, fa5
addi a0, a0, 4
bne a0, a1, -12
jalr zero, 0(ra)
