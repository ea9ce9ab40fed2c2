# A jump by a table that leads to two places of the function, mostly.
.targets 12, 24
slli a1, a1, 3
add a1, a0, a1
addi a2, a2, 1
ld t1, 0(a1)
jalr zero, 0(t1)
addi zero, zero, 0
addi a2, a2, 2
ld t1, 8(a1)
jalr zero, 0(t1)
