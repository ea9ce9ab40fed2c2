# Immediates, x0 as source and destination, 32-bit forms and folding of constants.
.one-block
addi a0,a1,16
addi zero,a1,16
addi a2,zero,-1
addi a3,a2,0
sltiu a4,a1,1
sltu a5,zero,a1
addiw a6,a1,0
slli a7,a1,32
srli a7,a7,32
lui t0,0x12345
addi t0,t0,0x678
auipc t1,0x1
sub t2,a1,a1
mulhsu t3,a1,a0
remw t4,a1,a0
c.mv s2,a1
ret_from:
jalr zero,0(ra)
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0 4 8 12 16 20 24 28 32 36 40 44 48 52 56 60 62]:
    +0 v0 = get.x x11
    +0 v1 = iconst 16
    +0 v2 = add.i64 v0, v1
    +0 set.x x10, v2
    +8 v3 = iconst -1
    +8 set.x x12, v3
    +12 v4 = get.x x12
    +12 set.x x13, v4
    +16 v5 = get.x x11
    +16 v6 = iconst 0
    +16 v7 = eq.i64 v5, v6
    +16 set.x x14, v7
    +20 v8 = iconst 0
    +20 v9 = get.x x11
    +20 v10 = lt.i64.u v8, v9
    +20 set.x x15, v10
    +24 v11 = get.x x11
    +24 v12 = sext.i32 v11
    +24 set.x x16, v12
    +28 v13 = get.x x11
    +28 v14 = iconst 32
    +28 v15 = shl.i64 v13, v14
    +28 set.x x17, v15
    +32 v16 = get.x x17
    +32 v17 = iconst 32
    +32 v18 = shr.i64.u v16, v17
    +32 set.x x17, v18
    +36 v19 = iconst 0x12345000
    +36 set.x x5, v19
    +40 v20 = get.x x5
    +40 v21 = iconst 1656
    +40 v22 = add.i64 v20, v21
    +40 set.x x5, v22
    +44 v23 = iconst 0x1102c
    +44 set.x x6, v23
    +48 v24 = get.x x11
    +48 v25 = get.x x11
    +48 v26 = sub.i64 v24, v25
    +48 set.x x7, v26
    +52 v27 = get.x x11
    +52 v28 = get.x x10
    +52 v29 = mulh.i64.su v27, v28
    +52 set.x x28, v29
    +56 v30 = get.x x11
    +56 v31 = get.x x10
    +56 v32 = rem.i32.s v30, v31
    +56 set.x x29, v32
    +60 v33 = get.x x11
    +60 set.x x18, v33
    +62 v34 = get.x x1
    indirect.return v34, 0

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0 4 8 12 16 20 24 28 32 36 40 44 48 52 56 60 62]:
    +0 v0 = get.x x11
    +0 v1 = iconst 16
    +0 v2 = add.i64 v0, v1
    +0 set.x x10, v2
    +8 v3 = iconst -1
    +8 set.x x12, v3
    +12 set.x x13, v3
    +16 v4 = iconst 0
    +16 v5 = eq.i64 v0, v4
    +16 set.x x14, v5
    +20 v6 = ne.i64 v0, v4
    +20 set.x x15, v6
    +24 v7 = sext.i32 v0
    +24 set.x x16, v7
    +32 v8 = zext.i32 v0
    +32 set.x x17, v8
    +40 v9 = iconst 0x12345678
    +40 set.x x5, v9
    +44 v10 = iconst 0x1102c
    +44 set.x x6, v10
    +48 set.x x7, v4
    +52 v11 = mulh.i64.su v0, v2
    +52 set.x x28, v11
    +56 v12 = rem.i32.s v0, v2
    +56 set.x x29, v12
    +60 set.x x18, v0
    +62 v13 = get.x x1
    indirect.return v13, 0
