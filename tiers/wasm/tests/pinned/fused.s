# One rounding, and the flags.
fmadd.d fa0, fa0, fa1, fa2
fdiv.d fa0, fa0, fa1
jalr zero, 0(ra)
