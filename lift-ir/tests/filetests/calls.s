# Calls end blocks, return sites are entries; auipc and jalr make a direct call or jump; hints of jalr.
jal ra,far
auipc ra,0x2
jalr ra,-8(ra)
jalr t0,0(ra)
beq a0,a1,tail
jalr a0,0(a1)
tail:
auipc t1,0x3
jalr zero,16(t1)
far:
jalr zero,0(t0)
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0]:
    +0 v0 = iconst 0x10004
    +0 set.x x1, v0
    call 0x10020, 0x10004
block1 @0x10004 entry [0 4]:
    +0 v1 = iconst 0x12004
    +0 set.x x1, v1
    +4 v2 = get.x x1
    +4 v3 = iconst 0x1000c
    +4 set.x x1, v3
    indirect.call v2, -8
block2 @0x1000c entry [0]:
    +0 v4 = get.x x1
    +0 v5 = iconst 0x10010
    +0 set.x x5, v5
    indirect.return_call v4, 0
block3 @0x10010 entry [0]:
    +0 v6 = get.x x10
    +0 v7 = get.x x11
    br.eq v6, v7, block5, block4
block4 @0x10014 [0]:
    +0 v8 = get.x x11
    +0 v9 = iconst 0x10018
    +0 set.x x10, v9
    indirect.jump v8, 0
block5 @0x10018 [0 4]:
    +0 v10 = iconst 0x13018
    +0 set.x x6, v10
    +4 v11 = get.x x6
    indirect.jump v11, 16

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0]:
    +0 v0 = iconst 0x10004
    +0 set.x x1, v0
    call 0x10020, 0x10004
block1 @0x10004 entry [0 4]:
    +4 v1 = iconst 0x1000c
    +4 set.x x1, v1
    call 0x11ffc, 0x1000c
block2 @0x1000c entry [0]:
    +0 v2 = get.x x1
    +0 v3 = iconst 0x10010
    +0 set.x x5, v3
    indirect.return_call v2, 0
block3 @0x10010 entry [0]:
    +0 v4 = get.x x10
    +0 v5 = get.x x11
    br.eq v4, v5, block5, block4
block4 @0x10014 [0]:
    +0 v6 = get.x x11
    +0 v7 = iconst 0x10018
    +0 set.x x10, v7
    indirect.jump v6, 0
block5 @0x10018 [0 4]:
    +0 v8 = iconst 0x13018
    +0 set.x x6, v8
    jump 0x13028 preempt

---- optimised
region 0x10000 rne
block0 @0x10000 entry [0]:
    +0 v0 = iconst 0x10004
    +0 set.x x1, v0
    call 0x10020, 0x10004
block1 @0x10004 entry [0 4]:
    +4 v1 = iconst 0x1000c
    +4 set.x x1, v1
    call 0x11ffc, 0x1000c
block2 @0x1000c entry [0]:
    +0 v2 = get.x x1
    +0 v3 = iconst 0x10010
    +0 set.x x5, v3
    indirect.return_call v2, 0
block3 @0x10010 entry [0]:
    +0 v4 = get.x x10
    +0 v5 = get.x x11
    br.eq v4, v5, block5, block4
block4 @0x10014 [0]:
    +0 v6 = iconst 0x10018
    +0 set.x x10, v6
    indirect.jump v5, 0
block5 @0x10018 [0 4]:
    +0 v7 = iconst 0x13018
    +0 set.x x6, v7
    jump 0x13028 preempt
