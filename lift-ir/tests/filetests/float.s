# Dynamic rounding is RNE here. Singles are unboxed and boxed.
.one-block
fadd.d fa0,fa1,fa2
fmul.s fa3,fa4,fa5
fadd.s fa3,fa3,fa3,rtz
fmadd.d fa0,fa0,fa1,fa2
fsgnj.s fa6,fa3,fa3
fsgnj.d fa7,fa0,fa0
fcvt.d.w ft0,a0
fcvt.w.d a1,fa0,rtz
fcvt.d.s ft1,fa3
fcvt.s.d ft2,fa0
feq.d zero,fa0,fa1
fmv.x.w a2,fa3
fmv.w.x ft3,a2
flw ft4,0(a0)
fsw ft4,4(a0)
fsd fa0,8(a0)
fclass.s a3,ft4
jalr zero,0(ra)
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0 4 8 12 16 20 24 28 32 36 40 44 48 52 56 60 64 68]:
    +0 v0 = get.f f11
    +0 v1 = get.f f12
    +0 v2 = fadd.f64 v0, v1, rne
    +0 set.f f10, v2
    +4 v3 = get.f f14
    +4 v4 = unbox.f32 v3
    +4 v5 = get.f f15
    +4 v6 = unbox.f32 v5
    +4 v7 = fmul.f32 v4, v6, rne
    +4 v8 = box.f32 v7
    +4 set.f f13, v8
    +8 v9 = get.f f13
    +8 v10 = unbox.f32 v9
    +8 v11 = get.f f13
    +8 v12 = unbox.f32 v11
    +8 v13 = fadd.f32 v10, v12, rtz
    +8 v14 = box.f32 v13
    +8 set.f f13, v14
    +12 v15 = get.f f10
    +12 v16 = get.f f11
    +12 v17 = get.f f12
    +12 v18 = fma.f64 v15, v16, v17, rne
    +12 set.f f10, v18
    +16 v19 = get.f f13
    +16 v20 = unbox.f32 v19
    +16 v21 = get.f f13
    +16 v22 = unbox.f32 v21
    +16 v23 = fsgnj.f32 v20, v22
    +16 v24 = box.f32 v23
    +16 set.f f16, v24
    +20 v25 = get.f f10
    +20 v26 = get.f f10
    +20 v27 = fsgnj.f64 v25, v26
    +20 set.f f17, v27
    +24 v28 = get.x x10
    +24 v29 = cvt.f64.s32 v28
    +24 set.f f0, v29
    +28 v30 = get.f f10
    +28 v31 = cvt.s32.f64 v30, rtz
    +28 set.x x11, v31
    +32 v32 = get.f f13
    +32 v33 = unbox.f32 v32
    +32 v34 = cvt.f64.f32 v33
    +32 set.f f1, v34
    +36 v35 = get.f f10
    +36 v36 = cvt.f32.f64 v35, rne
    +36 v37 = box.f32 v36
    +36 set.f f2, v37
    +40 v38 = get.f f10
    +40 v39 = get.f f11
    +40 v40 = feq.f64 v38, v39
    +44 v41 = get.f f13
    +44 v42 = bits.i64.f64 v41
    +44 v43 = sext.i32 v42
    +44 set.x x12, v43
    +48 v44 = get.x x12
    +48 v45 = bits.f32.i64 v44
    +48 v46 = box.f32 v45
    +48 set.f f3, v46
    +52 v47 = get.x x10
    +52 v48 = load.f32 v47, 0
    +52 v49 = box.f32 v48
    +52 set.f f4, v49
    +56 v50 = get.x x10
    +56 v51 = get.f f4
    +56 store.f32 v50, v51, 4
    +60 v52 = get.x x10
    +60 v53 = get.f f10
    +60 store.f64 v52, v53, 8
    +64 v54 = get.f f4
    +64 v55 = unbox.f32 v54
    +64 v56 = fclass.f32 v55
    +64 set.x x13, v56
    +68 v57 = get.x x1
    indirect.return v57, 0

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0 4 8 12 16 20 24 28 32 36 40 44 48 52 56 60 64 68]:
    +0 v0 = get.f f11
    +0 v1 = get.f f12
    +0 v2 = fadd.f64 v0, v1, rne
    +4 v3 = get.f f14
    +4 v4 = unbox.f32 v3
    +4 v5 = get.f f15
    +4 v6 = unbox.f32 v5
    +4 v7 = fmul.f32 v4, v6, rne
    +8 v8 = fadd.f32 v7, v7, rtz
    +8 v9 = box.f32 v8
    +8 set.f f13, v9
    +12 v10 = fma.f64 v2, v0, v1, rne
    +12 set.f f10, v10
    +16 v11 = box.f32 v8
    +16 set.f f16, v11
    +20 set.f f17, v10
    +24 v12 = get.x x10
    +24 v13 = cvt.f64.s32 v12
    +24 set.f f0, v13
    +28 v14 = cvt.s32.f64 v10, rtz
    +28 set.x x11, v14
    +32 v15 = cvt.f64.f32 v8
    +32 set.f f1, v15
    +36 v16 = cvt.f32.f64 v10, rne
    +36 v17 = box.f32 v16
    +36 set.f f2, v17
    +40 v18 = feq.f64 v10, v0
    +44 v19 = bits.i64.f64 v9
    +44 v20 = sext.i32 v19
    +44 set.x x12, v20
    +48 v21 = bits.f32.i64 v20
    +48 v22 = box.f32 v21
    +48 set.f f3, v22
    +52 v23 = load.f32 v12, 0
    +52 v24 = box.f32 v23
    +52 set.f f4, v24
    +56 store.f32 v12, v24, 4
    +60 store.f64 v12, v10, 8
    +64 v25 = fclass.f32 v23
    +64 set.x x13, v25
    +68 v26 = get.x x1
    indirect.return v26, 0
