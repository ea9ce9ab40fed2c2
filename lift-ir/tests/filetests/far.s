# Far calls and jumps by way of a link register, as LuaJIT makes them, are direct ones whatever the hints say.
auipc t0,0x2
jalr ra,-8(t0)
beq a0,zero,back
auipc t0,0x3
jalr zero,16(t0)
back:
jalr zero,0(ra)
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0 4]:
    +0 v0 = iconst 0x12000
    +0 set.x x5, v0
    +4 v1 = get.x x5
    +4 v2 = iconst 0x10008
    +4 set.x x1, v2
    indirect.return_call v1, -8
block1 @0x10008 entry [0]:
    +0 v3 = get.x x10
    +0 v4 = iconst 0
    br.eq v3, v4, block3, block2
block2 @0x1000c [0 4]:
    +0 v5 = iconst 0x1300c
    +0 set.x x5, v5
    +4 v6 = get.x x5
    indirect.return v6, 16
block3 @0x10014 [0]:
    +0 v7 = get.x x1
    indirect.return v7, 0

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0 4]:
    +0 v0 = iconst 0x12000
    +0 set.x x5, v0
    +4 v1 = iconst 0x10008
    +4 set.x x1, v1
    call 0x11ff8, 0x10008
block1 @0x10008 entry [0]:
    +0 v2 = get.x x10
    +0 v3 = iconst 0
    br.eq v2, v3, block3, block2
block2 @0x1000c [0 4]:
    +0 v4 = iconst 0x1300c
    +0 set.x x5, v4
    jump 0x1301c preempt
block3 @0x10014 [0]:
    +0 v5 = get.x x1
    indirect.return v5, 0

---- optimised
region 0x10000 rne
block0 @0x10000 entry [0 4]:
    +0 v0 = iconst 0x12000
    +0 set.x x5, v0
    +4 v1 = iconst 0x10008
    +4 set.x x1, v1
    call 0x11ff8, 0x10008
block1 @0x10008 entry [0]:
    +0 v2 = get.x x1
    +0 v3 = get.x x10
    +0 v4 = iconst 0
    br.eq v3, v4, block3, block2
block2 @0x1000c [0 4]:
    +0 v5 = iconst 0x1300c
    +0 set.x x5, v5
    jump 0x1301c preempt
block3 @0x10014 [0]:
    indirect.return v2, 0
