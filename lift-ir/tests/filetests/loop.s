# A loop behind its entry: registers become block parameters, their sets stay where the preemption point sees them.
addi a0,zero,0
loop:
slli a3,a1,3
add a4,a2,a3
ld a5,0(a4)
ld a6,0(a4)
add a0,a0,a5
add a0,a0,a6
addi a1,a1,-1
bne a1,zero,loop
fadd.d fa0,fa0,fa1
jalr zero,0(ra)
---- promoted
region 0x10000 rne
block0 @0x10000 entry [0]:
    +0 v0 = get.x x1
    +0 v1 = get.x x11
    +0 v2 = get.x x12
    +0 v3 = get.f f10
    +0 v4 = get.f f11
    +0 v5 = iconst 0
    +0 set.x x10, v5
    jump block1(v5, v1)
block1(v6: i64, v7: i64) @0x10004 [0 4 8 12 16 20 24 28]:
    +0 v8 = iconst 3
    +0 v9 = shl.i64 v7, v8
    +0 set.x x13, v9
    +4 v10 = add.i64 v2, v9
    +4 set.x x14, v10
    +8 v11 = load.i64 v10, 0
    +8 set.x x15, v11
    +12 v12 = load.i64 v10, 0
    +12 set.x x16, v12
    +16 v13 = add.i64 v6, v11
    +16 set.x x10, v13
    +20 v14 = add.i64 v13, v12
    +20 set.x x10, v14
    +24 v15 = iconst -1
    +24 v16 = add.i64 v7, v15
    +24 set.x x11, v16
    +28 v17 = iconst 0
    br.ne v16, v17, block1(v14, v16) preempt, block2
block2 @0x10024 [0 4]:
    +0 v18 = fadd.f64 v3, v4, rne
    +0 set.f f10, v18
    indirect.return v0, 0

---- optimised
region 0x10000 rne
block0 @0x10000 entry [0]:
    +0 v0 = get.x x1
    +0 v1 = get.x x11
    +0 v2 = get.x x12
    +0 v3 = get.f f10
    +0 v4 = get.f f11
    +0 v5 = iconst 0
    +0 set.x x10, v5
    jump block1(v5, v1)
block1(v6: i64, v7: i64) @0x10004 [0 4 8 12 16 20 24 28]:
    +0 v8 = iconst 3
    +0 v9 = shl.i64 v7, v8
    +0 set.x x13, v9
    +4 v10 = add.i64 v2, v9
    +4 set.x x14, v10
    +8 v11 = load.i64 v10, 0
    +8 set.x x15, v11
    +12 set.x x16, v11
    +16 v12 = add.i64 v6, v11
    +20 v13 = add.i64 v12, v11
    +20 set.x x10, v13
    +24 v14 = iconst -1
    +24 v15 = add.i64 v7, v14
    +24 set.x x11, v15
    +28 v16 = iconst 0
    br.ne v15, v16, block1(v13, v15) preempt, block2
block2 @0x10024 [0 4]:
    +0 v17 = fadd.f64 v3, v4, rne
    +0 set.f f10, v17
    indirect.return v0, 0
