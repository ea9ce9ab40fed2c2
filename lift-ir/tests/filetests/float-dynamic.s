# Dynamic rounding reads frm.
.rounding dynamic
.one-block
fadd.d fa0,fa1,fa2
fadd.d fa0,fa1,fa2,rup
fcvt.d.w ft0,a0
csrrs a0,frm,zero
jalr zero,0(ra)
---- lifted
region 0x10000 dynamic
block0 @0x10000 entry [0 4 8 12 16]:
    +0 v0 = get.f f11
    +0 v1 = get.f f12
    +0 v2 = fadd.f64 v0, v1, dyn
    +0 set.f f10, v2
    +4 v3 = get.f f11
    +4 v4 = get.f f12
    +4 v5 = fadd.f64 v3, v4, rup
    +4 set.f f10, v5
    +8 v6 = get.x x10
    +8 v7 = cvt.f64.s32 v6
    +8 set.f f0, v7
    +12 v8 = get.frm
    +12 set.x x10, v8
    +16 v9 = get.x x1
    indirect.return v9, 0

---- simplified
region 0x10000 dynamic
block0 @0x10000 entry [0 4 8 12 16]:
    +0 v0 = get.f f11
    +0 v1 = get.f f12
    +0 v2 = fadd.f64 v0, v1, dyn
    +4 v3 = fadd.f64 v0, v1, rup
    +4 set.f f10, v3
    +8 v4 = get.x x10
    +8 v5 = cvt.f64.s32 v4
    +8 set.f f0, v5
    +12 v6 = get.frm
    +12 set.x x10, v6
    +16 v7 = get.x x1
    indirect.return v7, 0
