# A jump by a table.
slli a1, a1, 3
add a0, a0, a1
ld t1, 0(a0)
jalr zero, 0(t1)
