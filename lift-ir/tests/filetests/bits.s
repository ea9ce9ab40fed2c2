# Zba, Zbb and Zbs become basic ops.
.one-block
sh2add a0,a1,a2
add.uw a0,a1,a2
sh3add.uw a3,a1,a2
slli.uw a4,a1,7
andn a5,a1,a2
orn a5,a1,a2
xnor a6,a1,a2
bclr a7,a1,a2
bseti t0,a1,63
bexti t1,a1,5
binv t2,a1,a2
rori t3,a1,9
rev8 t4,a1
zext.h t5,a1
jalr zero,0(ra)
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0 4 8 12 16 20 24 28 32 36 40 44 48 52 56]:
    +0 v0 = get.x x11
    +0 v1 = iconst 2
    +0 v2 = shl.i64 v0, v1
    +0 v3 = get.x x12
    +0 v4 = add.i64 v2, v3
    +0 set.x x10, v4
    +4 v5 = get.x x11
    +4 v6 = zext.i32 v5
    +4 v7 = get.x x12
    +4 v8 = add.i64 v6, v7
    +4 set.x x10, v8
    +8 v9 = get.x x11
    +8 v10 = zext.i32 v9
    +8 v11 = iconst 3
    +8 v12 = shl.i64 v10, v11
    +8 v13 = get.x x12
    +8 v14 = add.i64 v12, v13
    +8 set.x x13, v14
    +12 v15 = get.x x11
    +12 v16 = zext.i32 v15
    +12 v17 = iconst 7
    +12 v18 = shl.i64 v16, v17
    +12 set.x x14, v18
    +16 v19 = get.x x11
    +16 v20 = get.x x12
    +16 v21 = iconst -1
    +16 v22 = xor.i64 v20, v21
    +16 v23 = and.i64 v19, v22
    +16 set.x x15, v23
    +20 v24 = get.x x11
    +20 v25 = get.x x12
    +20 v26 = iconst -1
    +20 v27 = xor.i64 v25, v26
    +20 v28 = or.i64 v24, v27
    +20 set.x x15, v28
    +24 v29 = get.x x11
    +24 v30 = get.x x12
    +24 v31 = xor.i64 v29, v30
    +24 v32 = iconst -1
    +24 v33 = xor.i64 v31, v32
    +24 set.x x16, v33
    +28 v34 = get.x x11
    +28 v35 = iconst 1
    +28 v36 = get.x x12
    +28 v37 = shl.i64 v35, v36
    +28 v38 = iconst -1
    +28 v39 = xor.i64 v37, v38
    +28 v40 = and.i64 v34, v39
    +28 set.x x17, v40
    +32 v41 = get.x x11
    +32 v42 = iconst 0x8000000000000000
    +32 v43 = or.i64 v41, v42
    +32 set.x x5, v43
    +36 v44 = get.x x11
    +36 v45 = iconst 5
    +36 v46 = shr.i64.u v44, v45
    +36 v47 = iconst 1
    +36 v48 = and.i64 v46, v47
    +36 set.x x6, v48
    +40 v49 = get.x x11
    +40 v50 = iconst 1
    +40 v51 = get.x x12
    +40 v52 = shl.i64 v50, v51
    +40 v53 = xor.i64 v49, v52
    +40 set.x x7, v53
    +44 v54 = get.x x11
    +44 v55 = iconst 9
    +44 v56 = rotr.i64 v54, v55
    +44 set.x x28, v56
    +48 v57 = get.x x11
    +48 v58 = bswap.i64 v57
    +48 set.x x29, v58
    +52 v59 = get.x x11
    +52 v60 = zext.i16 v59
    +52 set.x x30, v60
    +56 v61 = get.x x1
    indirect.return v61, 0

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0 4 8 12 16 20 24 28 32 36 40 44 48 52 56]:
    +0 v0 = get.x x11
    +0 v1 = get.x x12
    +4 v2 = zext.i32 v0
    +4 v3 = add.i64 v2, v1
    +4 set.x x10, v3
    +8 v4 = zext.i32 v0
    +8 v5 = iconst 3
    +8 v6 = shl.i64 v4, v5
    +8 v7 = add.i64 v6, v1
    +8 set.x x13, v7
    +12 v8 = zext.i32 v0
    +12 v9 = iconst 7
    +12 v10 = shl.i64 v8, v9
    +12 set.x x14, v10
    +16 v11 = iconst -1
    +20 v12 = xor.i64 v1, v11
    +20 v13 = or.i64 v0, v12
    +20 set.x x15, v13
    +24 v14 = xor.i64 v0, v1
    +24 v15 = xor.i64 v14, v11
    +24 set.x x16, v15
    +28 v16 = iconst 1
    +28 v17 = shl.i64 v16, v1
    +28 v18 = xor.i64 v17, v11
    +28 v19 = and.i64 v0, v18
    +28 set.x x17, v19
    +32 v20 = iconst 0x8000000000000000
    +32 v21 = or.i64 v0, v20
    +32 set.x x5, v21
    +36 v22 = iconst 5
    +36 v23 = shr.i64.u v0, v22
    +36 v24 = and.i64 v23, v16
    +36 set.x x6, v24
    +40 v25 = shl.i64 v16, v1
    +40 v26 = xor.i64 v0, v25
    +40 set.x x7, v26
    +44 v27 = iconst 9
    +44 v28 = rotr.i64 v0, v27
    +44 set.x x28, v28
    +48 v29 = bswap.i64 v0
    +48 set.x x29, v29
    +52 v30 = zext.i16 v0
    +52 set.x x30, v30
    +56 v31 = get.x x1
    indirect.return v31, 0
