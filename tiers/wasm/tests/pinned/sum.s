# A sum of words: one page is looked at a time.
lw a3, 0(a0)
addi a0, a0, 4
addw a2, a2, a3
bne a0, a1, -12
addi a0, a2, 0
jalr zero, 0(ra)
