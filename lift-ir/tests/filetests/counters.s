# Counters are read by the kernel; writing them is illegal.
csrrs a0,time,zero
csrrw a1,cycle,zero
---- lifted
region 0x10000 rne
block0 @0x10000 entry [0]:
    exit.csr 0x10000
block1 @0x10004 entry [0]:
    exit.illegal 0x10004

---- simplified
region 0x10000 rne
block0 @0x10000 entry [0]:
    exit.csr 0x10000
block1 @0x10004 entry [0]:
    exit.illegal 0x10004
