# An atomic.
amoadd.w.aqrl a0, a1, (a2)
jalr zero, 0(ra)
