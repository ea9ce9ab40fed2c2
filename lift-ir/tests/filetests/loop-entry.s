# The entry is a loop's head: the loop gets parameters behind an entry without guest instructions.
loop:
addi a0,a0,3
addi a1,a1,-1
bne a1,zero,loop
ecall
jal zero,loop
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0 4 8]:
    +0 v0 = get.x x10
    +0 v1 = iconst 3
    +0 v2 = add.i64 v0, v1
    +0 set.x x10, v2
    +4 v3 = get.x x11
    +4 v4 = iconst -1
    +4 v5 = add.i64 v3, v4
    +4 set.x x11, v5
    +8 v6 = get.x x11
    +8 v7 = iconst 0
    br.ne v6, v7, block0 preempt, block1
block1 @0x1000c [0]:
    exit.ecall 0x1000c
block2 @0x10010 entry [0]:
    jump block0 preempt

---- optimised
region 0x10000 rne
block0 @0x10000 entry []:
    +0 v0 = get.x x10
    +0 v1 = get.x x11
    jump block1(v0, v1)
block1(v2: i64, v3: i64) @0x10000 [0 4 8]:
    +0 v4 = iconst 3
    +0 v5 = add.i64 v2, v4
    +0 set.x x10, v5
    +4 v6 = iconst -1
    +4 v7 = add.i64 v3, v6
    +4 set.x x11, v7
    +8 v8 = iconst 0
    br.ne v7, v8, block1(v5, v7) preempt, block2
block2 @0x1000c [0]:
    exit.ecall 0x1000c
block3 @0x10010 entry [0]:
    +0 v9 = get.x x10
    +0 v10 = get.x x11
    jump block1(v9, v10) preempt
