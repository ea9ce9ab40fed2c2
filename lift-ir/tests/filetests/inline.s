# A loop that calls two functions: one that becomes part of it, with what it does where it seldom goes, and one that does
# not, since it calls another. Where only the first comes back is no entry any more.
loop:
jal ra,clamp
jal ra,outer
addi a1,a1,-1
bne a1,zero,loop
ecall
clamp:
addi a0,a0,3
bge a0,a2,high
jalr zero,0(ra)
high:
addi a0,zero,7
jalr zero,0(ra)
outer:
addi sp,sp,-16
sd ra,8(sp)
jal ra,clamp
ld ra,8(sp)
addi sp,sp,16
jalr zero,0(ra)
---- inlined
region 0x10000 rne
block0 @0x10000 entry [0]:
    +0 v0 = iconst 0x10004
    +0 set.x x1, v0
    jump block7 preempt
block1 @0x10004 [0]:
    +0 v1 = iconst 0x10008
    +0 set.x x1, v1
    call 0x10028, 0x10008
block2 @0x10008 entry [0 4]:
    +0 v2 = get.x x11
    +0 v3 = iconst -1
    +0 v4 = add.i64 v2, v3
    +0 set.x x11, v4
    +4 v5 = get.x x11
    +4 v6 = iconst 0
    br.ne v5, v6, block0 preempt, block3
block3 @0x10010 [0]:
    exit.ecall 0x10010
block4 @0x10014 entry [0 4]:
    +0 v7 = get.x x10
    +0 v8 = iconst 3
    +0 v9 = add.i64 v7, v8
    +0 set.x x10, v9
    +4 v10 = get.x x10
    +4 v11 = get.x x12
    br.ge.s v10, v11, block6, block5
block5 @0x1001c [0]:
    +0 v12 = get.x x1
    indirect.return v12, 0
block6 @0x10020 [0 4]:
    +0 v13 = iconst 7
    +0 set.x x10, v13
    +4 v14 = get.x x1
    indirect.return v14, 0
block7 @0x10014 inlined [0 4]:
    +0 v15 = get.x x10
    +0 v16 = iconst 3
    +0 v17 = add.i64 v15, v16
    +0 set.x x10, v17
    +4 v18 = get.x x10
    +4 v19 = get.x x12
    br.ge.s v18, v19, block9, block8
block8 @0x1001c inlined [0]:
    +0 v20 = get.x x1
    indirect.return v20, 0, block1
block9 @0x10020 inlined [0 4]:
    +0 v21 = iconst 7
    +0 set.x x10, v21
    +4 v22 = get.x x1
    indirect.return v22, 0, block1

---- inlined, optimised
region 0x10000 rne
block0 @0x10000 entry []:
    +0 v0 = get.x x10
    +0 v1 = get.x x12
    jump block1(v0, v1)
block1(v2: i64, v3: i64) @0x10000 [0]:
    +0 v4 = iconst 0x10004
    +0 set.x x1, v4
    jump block8 preempt
block2 @0x10004 [0]:
    +0 v5 = iconst 0x10008
    +0 set.x x1, v5
    call 0x10028, 0x10008
block3 @0x10008 entry [0 4]:
    +0 v6 = get.x x10
    +0 v7 = get.x x12
    +0 v8 = get.x x11
    +0 v9 = iconst -1
    +0 v10 = add.i64 v8, v9
    +0 set.x x11, v10
    +4 v11 = iconst 0
    br.ne v10, v11, block1(v6, v7) preempt, block4
block4 @0x10010 [0]:
    exit.ecall 0x10010
block5 @0x10014 entry [0 4]:
    +0 v12 = get.x x1
    +0 v13 = get.x x10
    +0 v14 = iconst 3
    +0 v15 = add.i64 v13, v14
    +0 set.x x10, v15
    +4 v16 = get.x x12
    br.ge.s v15, v16, block7, block6
block6 @0x1001c [0]:
    indirect.return v12, 0
block7 @0x10020 [0 4]:
    +0 v17 = iconst 7
    +0 set.x x10, v17
    indirect.return v12, 0
block8 @0x10014 inlined [0 4]:
    +0 v18 = iconst 3
    +0 v19 = add.i64 v2, v18
    +0 set.x x10, v19
    br.ge.s v19, v3, block10, block9
block9 @0x1001c inlined [0]:
    jump block2 preempt
block10 @0x10020 inlined [0 4]:
    +0 v20 = iconst 7
    +0 set.x x10, v20
    jump block2 preempt
