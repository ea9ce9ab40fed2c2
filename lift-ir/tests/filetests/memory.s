# A set that is overwritten goes only if nothing in between may leave; a load to x0 still happens.
.one-block
addi a0,a0,8
addi a0,a0,8
lw a1,4(a0)
addi a0,a0,8
sd a1,-8(a0)
lbu zero,0(a1)
addi a0,a0,8
addi a0,a0,8
lr.w.aq t0,(a0)
sc.w.rl t1,t0,(a0)
amoadd.d.aqrl zero,a1,(a2)
fence rw,w
jalr zero,0(ra)
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0 4 8 12 16 20 24 28 32 36 40 44 48]:
    +0 v0 = get.x x10
    +0 v1 = iconst 8
    +0 v2 = add.i64 v0, v1
    +0 set.x x10, v2
    +4 v3 = get.x x10
    +4 v4 = iconst 8
    +4 v5 = add.i64 v3, v4
    +4 set.x x10, v5
    +8 v6 = get.x x10
    +8 v7 = load.i32.s v6, 4
    +8 set.x x11, v7
    +12 v8 = get.x x10
    +12 v9 = iconst 8
    +12 v10 = add.i64 v8, v9
    +12 set.x x10, v10
    +16 v11 = get.x x10
    +16 v12 = get.x x11
    +16 store.i64 v11, v12, -8
    +20 v13 = get.x x11
    +20 v14 = load.i8.u v13, 0
    +24 v15 = get.x x10
    +24 v16 = iconst 8
    +24 v17 = add.i64 v15, v16
    +24 set.x x10, v17
    +28 v18 = get.x x10
    +28 v19 = iconst 8
    +28 v20 = add.i64 v18, v19
    +28 set.x x10, v20
    +32 v21 = get.x x10
    +32 v22 = lr.i32 v21, 2
    +32 set.x x5, v22
    +36 v23 = get.x x10
    +36 v24 = get.x x5
    +36 v25 = sc.i32 v23, v24, 1
    +36 set.x x6, v25
    +40 v26 = get.x x12
    +40 v27 = get.x x11
    +40 v28 = amo.add.i64 v26, v27, 3
    +44 fence 49
    +48 v29 = get.x x1
    indirect.return v29, 0

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0 4 8 12 16 20 24 28 32 36 40 44 48]:
    +0 v0 = get.x x10
    +0 v1 = iconst 8
    +0 v2 = add.i64 v0, v1
    +4 v3 = add.i64 v2, v1
    +4 set.x x10, v3
    +8 v4 = load.i32.s v3, 4
    +8 set.x x11, v4
    +12 v5 = add.i64 v3, v1
    +12 set.x x10, v5
    +16 store.i64 v5, v4, -8
    +20 v6 = load.i8.u v4, 0
    +24 v7 = add.i64 v5, v1
    +28 v8 = add.i64 v7, v1
    +28 set.x x10, v8
    +32 v9 = lr.i32 v8, 2
    +32 set.x x5, v9
    +36 v10 = sc.i32 v8, v9, 1
    +36 set.x x6, v10
    +40 v11 = get.x x12
    +40 v12 = amo.add.i64 v11, v4, 3
    +44 fence 49
    +48 v13 = get.x x1
    indirect.return v13, 0
