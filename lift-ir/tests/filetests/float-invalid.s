# frm holds no mode: a static mode is fine, a dynamic one is illegal.
.rounding invalid
.one-block
fadd.d fa0,fa1,fa2,rup
fmin.d fa0,fa1,fa2
fcvt.d.w ft0,a0,dyn
---- lifted
region 0x10000 invalid
block0 @0x10000 entry [0 4 8]:
    +0 v0 = get.f f11
    +0 v1 = get.f f12
    +0 v2 = fadd.f64 v0, v1, rup
    +0 set.f f10, v2
    +4 v3 = get.f f11
    +4 v4 = get.f f12
    +4 v5 = fmin.f64 v3, v4
    +4 set.f f10, v5
    exit.illegal 0x10008

---- simplified
region 0x10000 invalid
block0 @0x10000 entry [0 4 8]:
    +0 v0 = get.f f11
    +0 v1 = get.f f12
    +0 v2 = fadd.f64 v0, v1, rup
    +4 v3 = fmin.f64 v0, v1
    +4 set.f f10, v3
    exit.illegal 0x10008
