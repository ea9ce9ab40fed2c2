# The code ends in the middle: what comes before retires first.
addi a0,a0,1
bne a0,a1,8
addi a0,a0,2
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0 4]:
    +0 v0 = get.x x10
    +0 v1 = iconst 1
    +0 v2 = add.i64 v0, v1
    +0 set.x x10, v2
    +4 v3 = get.x x10
    +4 v4 = get.x x11
    br.ne v3, v4, 0x1000c, block1
block1 @0x10008 [0]:
    +0 v5 = get.x x10
    +0 v6 = iconst 2
    +0 v7 = add.i64 v5, v6
    +0 set.x x10, v7
    jump 0x1000c

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0 4]:
    +0 v0 = get.x x10
    +0 v1 = iconst 1
    +0 v2 = add.i64 v0, v1
    +0 set.x x10, v2
    +4 v3 = get.x x11
    br.ne v2, v3, 0x1000c, block1
block1 @0x10008 [0]:
    +0 v4 = get.x x10
    +0 v5 = iconst 2
    +0 v6 = add.i64 v4, v5
    +0 set.x x10, v6
    jump 0x1000c
