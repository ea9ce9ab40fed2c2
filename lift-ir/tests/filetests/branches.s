# Blocks, a branch into the middle of a lifted block, preemption points, folded conditions.
beq a0,zero,out
loop:
addi a1,a1,1
middle:
addi a0,a0,-1
slt a2,a0,a3
bne a2,zero,loop
bltu a3,a4,middle
jal zero,loop
out:
beq zero,zero,end
ebreak
end:
jalr zero,0(ra)
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0]:
    +0 v0 = get.x x10
    +0 v1 = iconst 0
    br.eq v0, v1, block5, block1
block1 @0x10004 [0]:
    +0 v2 = get.x x11
    +0 v3 = iconst 1
    +0 v4 = add.i64 v2, v3
    +0 set.x x11, v4
    jump block2
block2 @0x10008 [0 4 8]:
    +0 v5 = get.x x10
    +0 v6 = iconst -1
    +0 v7 = add.i64 v5, v6
    +0 set.x x10, v7
    +4 v8 = get.x x10
    +4 v9 = get.x x13
    +4 v10 = lt.i64.s v8, v9
    +4 set.x x12, v10
    +8 v11 = get.x x12
    +8 v12 = iconst 0
    br.ne v11, v12, block1 preempt, block3
block3 @0x10014 [0]:
    +0 v13 = get.x x13
    +0 v14 = get.x x14
    br.lt.u v13, v14, block2 preempt, block4
block4 @0x10018 [0]:
    jump block1 preempt
block5 @0x1001c [0]:
    +0 v15 = iconst 0
    +0 v16 = iconst 0
    br.eq v15, v16, block7, block6
block6 @0x10020 [0]:
    exit.ebreak 0x10020
block7 @0x10024 [0]:
    +0 v17 = get.x x1
    indirect.return v17, 0

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0]:
    +0 v0 = get.x x10
    +0 v1 = iconst 0
    br.eq v0, v1, block5, block1
block1 @0x10004 [0]:
    +0 v2 = get.x x11
    +0 v3 = iconst 1
    +0 v4 = add.i64 v2, v3
    +0 set.x x11, v4
    jump block2
block2 @0x10008 [0 4 8]:
    +0 v5 = get.x x10
    +0 v6 = iconst -1
    +0 v7 = add.i64 v5, v6
    +0 set.x x10, v7
    +4 v8 = get.x x13
    +4 v9 = lt.i64.s v7, v8
    +4 set.x x12, v9
    br.lt.s v7, v8, block1 preempt, block3
block3 @0x10014 [0]:
    +0 v10 = get.x x13
    +0 v11 = get.x x14
    br.lt.u v10, v11, block2 preempt, block4
block4 @0x10018 [0]:
    jump block1 preempt
block5 @0x1001c [0]:
    jump block7
block6 @0x10020 [0]:
    exit.ebreak 0x10020
block7 @0x10024 [0]:
    +0 v12 = get.x x1
    indirect.return v12, 0

---- optimised
region 0x10000 rne
block0 @0x10000 entry [0]:
    +0 v0 = get.x x1
    +0 v1 = get.x x11
    +0 v2 = get.x x13
    +0 v3 = get.x x14
    +0 v4 = get.x x10
    +0 v5 = iconst 0
    br.eq v4, v5, block5, block1(v4, v1)
block1(v6: i64, v7: i64) @0x10004 [0]:
    +0 v8 = iconst 1
    +0 v9 = add.i64 v7, v8
    +0 set.x x11, v9
    jump block2(v6)
block2(v10: i64) @0x10008 [0 4 8]:
    +0 v11 = iconst -1
    +0 v12 = add.i64 v10, v11
    +0 set.x x10, v12
    +4 v13 = lt.i64.s v12, v2
    +4 set.x x12, v13
    br.lt.s v12, v2, block1(v12, v9) preempt, block3
block3 @0x10014 [0]:
    br.lt.u v2, v3, block2(v12) preempt, block4
block4 @0x10018 [0]:
    jump block1(v12, v9) preempt
block5 @0x1001c [0]:
    jump block6
block6 @0x10024 [0]:
    indirect.return v0, 0
