# Comparisons, branches both ways, a division that never traps.
beq a1, zero, 12
divw a0, a0, a1
jalr zero, 0(ra)
addi a0, zero, -1
jalr zero, 0(ra)
