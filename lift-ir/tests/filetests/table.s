# Two jumps by a table: they share one, which keeps registers in values on its ways within the region.
.targets add,double
add:
addi a0,a0,1
lw t2,0(a1)
jalr zero,0(t2)
double:
slli a0,a0,1
lw t2,4(a1)
jalr zero,4(t2)
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0 4 8]:
    +0 v0 = get.x x10
    +0 v1 = iconst 1
    +0 v2 = add.i64 v0, v1
    +0 set.x x10, v2
    +4 v3 = get.x x11
    +4 v4 = load.i32.s v3, 0
    +4 set.x x7, v4
    +8 v5 = get.x x7
    indirect.jump v5, 0, block0, block1
block1 @0x1000c entry [0 4 8]:
    +0 v6 = get.x x10
    +0 v7 = iconst 1
    +0 v8 = shl.i64 v6, v7
    +0 set.x x10, v8
    +4 v9 = get.x x11
    +4 v10 = load.i32.s v9, 4
    +4 set.x x7, v10
    +8 v11 = get.x x7
    indirect.jump v11, 4, block0, block1

---- optimised
region 0x10000 rne
block0 @0x10000 entry []:
    +0 v0 = iconst 0x10000
    jump block5(v0)
block1 @0x10000 [0 4 8]:
    +0 v1 = iconst 1
    +0 v2 = add.i64 v11, v1
    +0 set.x x10, v2
    +4 v3 = load.i32.s v14, 0
    +4 set.x x7, v3
    jump block4(v3, v2) preempt
block2 @0x1000c entry []:
    +0 v4 = iconst 0x1000c
    jump block5(v4)
block3 @0x1000c [0 4 8]:
    +0 v5 = iconst 1
    +0 v6 = shl.i64 v11, v5
    +0 set.x x10, v6
    +4 v7 = load.i32.s v14, 4
    +4 set.x x7, v7
    +8 v8 = iconst 4
    +8 v9 = add.i64 v7, v8
    jump block4(v9, v6) preempt
block4(v10: i64, v11: i64) @0x10000 []:
    indirect.jump v10, 0, block1, block3
block5(v12: i64) @0x10000 []:
    +0 v13 = get.x x10
    +0 v14 = get.x x11
    jump block4(v12, v13)
