# fflags inline; frm is known where the region is made for round-to-nearest-even; a write of it ends the block.
csrrs a0,fflags,zero
csrrw zero,fflags,a1
csrrwi a2,fflags,3
csrrsi a3,fflags,1
csrrc a4,fflags,a1
csrrs a5,fcsr,zero
csrrs a6,frm,zero
csrrw a7,fcsr,a1
ebreak
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0 4 8 12 16 20 24 28]:
    +0 v0 = get.fflags
    +0 set.x x10, v0
    +4 v1 = get.x x11
    +4 set.fflags v1
    +8 v2 = get.fflags
    +8 v3 = iconst 3
    +8 set.x x12, v2
    +8 set.fflags v3
    +12 v4 = get.fflags
    +12 v5 = iconst 1
    +12 v6 = or.i64 v4, v5
    +12 set.x x13, v4
    +12 set.fflags v6
    +16 v7 = get.fflags
    +16 v8 = get.x x11
    +16 v9 = iconst -1
    +16 v10 = xor.i64 v8, v9
    +16 v11 = and.i64 v7, v10
    +16 set.x x14, v7
    +16 set.fflags v11
    +20 v12 = get.fflags
    +20 v13 = iconst 0
    +20 v14 = iconst 5
    +20 v15 = shl.i64 v13, v14
    +20 v16 = or.i64 v12, v15
    +20 set.x x15, v16
    +24 v17 = iconst 0
    +24 set.x x16, v17
    +28 v18 = get.fflags
    +28 v19 = iconst 0
    +28 v20 = iconst 5
    +28 v21 = shl.i64 v19, v20
    +28 v22 = or.i64 v18, v21
    +28 v23 = get.x x11
    +28 set.x x17, v22
    +28 set.fflags v23
    +28 v24 = iconst 5
    +28 v25 = shr.i64.u v23, v24
    +28 set.frm v25
    exit.mode_change 0x10020

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0 4 8 12 16 20 24 28]:
    +0 v0 = get.fflags
    +0 set.x x10, v0
    +4 v1 = get.x x11
    +4 set.fflags v1
    +8 v2 = get.fflags
    +8 v3 = iconst 3
    +8 set.x x12, v2
    +8 set.fflags v3
    +12 v4 = get.fflags
    +12 v5 = iconst 1
    +12 v6 = or.i64 v4, v5
    +12 set.x x13, v4
    +12 set.fflags v6
    +16 v7 = get.fflags
    +16 v8 = iconst -1
    +16 v9 = xor.i64 v1, v8
    +16 v10 = and.i64 v7, v9
    +16 set.x x14, v7
    +16 set.fflags v10
    +20 v11 = get.fflags
    +20 v12 = iconst 0
    +20 v13 = iconst 5
    +20 set.x x15, v11
    +24 set.x x16, v12
    +28 v14 = get.fflags
    +28 set.x x17, v14
    +28 set.fflags v1
    +28 v15 = shr.i64.u v1, v13
    +28 set.frm v15
    exit.mode_change 0x10020
