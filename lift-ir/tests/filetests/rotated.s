# A loop's first round begins behind an entry, which the loop alone leads to: the entry gets a copy of that block, so that
# the loop is entered where it begins.
outer:
addi a0,a0,1
beq a2,zero,middle
jal ra,outer
top:
addi a1,a1,2
middle:
addi a2,a2,-1
bne a2,zero,top
bne a0,a3,outer
ecall
---- optimised
region 0x10000 rne
block0 @0x10000 entry []:
    +0 v0 = get.x x10
    +0 v1 = get.x x11
    +0 v2 = get.x x12
    +0 v3 = get.x x13
    jump block1(v0, v1, v2, v3)
block1(v4: i64, v5: i64, v6: i64, v7: i64) @0x10000 [0 4]:
    +0 v8 = iconst 1
    +0 v9 = add.i64 v4, v8
    +0 set.x x10, v9
    +4 v10 = iconst 0
    br.eq v6, v10, block5(v9, v5, v6, v7), block2
block2 @0x10008 [0]:
    +0 v11 = iconst 0x1000c
    +0 set.x x1, v11
    call 0x10000, 0x1000c
block3 @0x1000c entry [0]:
    +0 v12 = get.x x10
    +0 v13 = get.x x12
    +0 v14 = get.x x13
    +0 v15 = get.x x11
    +0 v16 = iconst 2
    +0 v17 = add.i64 v15, v16
    +0 set.x x11, v17
    jump block5(v12, v17, v13, v14)
block4 @0x1000c [0]:
    +0 v18 = iconst 2
    +0 v19 = add.i64 v21, v18
    +0 set.x x11, v19
    jump block5(v20, v19, v25, v23)
block5(v20: i64, v21: i64, v22: i64, v23: i64) @0x10010 [0 4]:
    +0 v24 = iconst -1
    +0 v25 = add.i64 v22, v24
    +0 set.x x12, v25
    +4 v26 = iconst 0
    br.ne v25, v26, block4 preempt, block6
block6 @0x10018 [0]:
    br.ne v20, v23, block1(v20, v21, v25, v23) preempt, block7
block7 @0x1001c [0]:
    exit.ecall 0x1001c
