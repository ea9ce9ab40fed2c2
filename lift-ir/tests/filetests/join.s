# A join: what both ways agree on needs no parameter; a set that both overwrite before anything observes it goes.
addi a3,zero,1
addi t0,a1,1
beq a0,zero,other
addi a0,zero,2
addi a3,zero,3
jal zero,join
other:
addi a0,zero,4
addi a3,zero,5
join:
add a0,a0,t0
c.beqz a0,8
addi a4,zero,1
c.addi zero,0
jalr zero,0(ra)
---- optimised
region 0x10000 rne
block0 @0x10000 entry [0 4 8]:
    +0 v0 = get.x x1
    +0 v1 = iconst 1
    +4 v2 = get.x x11
    +4 v3 = add.i64 v2, v1
    +4 set.x x5, v3
    +8 v4 = get.x x10
    +8 v5 = iconst 0
    br.eq v4, v5, block2, block1
block1 @0x1000c [0 4 8]:
    +0 v6 = iconst 2
    +0 set.x x10, v6
    +4 v7 = iconst 3
    +4 set.x x13, v7
    jump block3(v6) preempt
block2 @0x10018 [0 4]:
    +0 v8 = iconst 4
    +4 v9 = iconst 5
    +4 set.x x13, v9
    jump block3(v8)
block3(v10: i64) @0x10020 [0 4]:
    +0 v11 = add.i64 v10, v3
    +0 set.x x10, v11
    +4 v12 = iconst 0
    br.eq v11, v12, block5, block4
block4 @0x10026 [0 4]:
    +0 v13 = iconst 1
    +0 set.x x14, v13
    jump block5
block5 @0x1002c [0]:
    indirect.return v0, 0
