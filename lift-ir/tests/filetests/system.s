# Exits, and what follows an ecall as another entry.
ecall
fence.i
ebreak
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0]:
    exit.ecall 0x10000
block1 @0x10004 entry [0]:
    exit.fence_i 0x10008

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0]:
    exit.ecall 0x10000
block1 @0x10004 entry [0]:
    exit.fence_i 0x10008
