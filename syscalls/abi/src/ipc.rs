//! System V interprocess communication: sysvipc(7).

use crate::table::constants;

/// The key of an object that cannot be found.
pub const IPC_PRIVATE: i32 = 0;

constants! {
    /// Flags of the calls that make objects.
    IPC_FLAGS: u32;
    IPC_CREAT = 0o1000,
    IPC_EXCL = 0o2000,
    IPC_NOWAIT = 0o4000,
}

constants! {
    /// Commands of every kind.
    IPC_COMMANDS: u32;
    IPC_RMID = 0,
    IPC_SET = 1,
    IPC_STAT = 2,
    IPC_INFO = 3,
}

constants! {
    /// Commands of shmctl(2).
    SHM_COMMANDS: u32;
    SHM_LOCK = 11,
    SHM_UNLOCK = 12,
    SHM_STAT = 13,
    SHM_INFO = 14,
    SHM_STAT_ANY = 15,
}

constants! {
    /// Flags of shmat(2).
    SHM_FLAGS: u32;
    SHM_RDONLY = 0o1_0000,
    SHM_RND = 0o2_0000,
    SHM_REMAP = 0o4_0000,
    SHM_EXEC = 0o10_0000,
}

constants! {
    /// What a segment's mode adds.
    SHM_MODES: u32;
    SHM_DEST = 0o1000,
}

constants! {
    /// Commands of semctl(2).
    SEM_COMMANDS: u32;
    GETPID = 11,
    GETVAL = 12,
    GETALL = 13,
    GETNCNT = 14,
    GETZCNT = 15,
    SETVAL = 16,
    SETALL = 17,
    SEM_STAT = 18,
    SEM_INFO = 19,
    SEM_STAT_ANY = 20,
}

constants! {
    /// Flags of semop(2).
    SEM_FLAGS: u32;
    SEM_UNDO = 0x1000,
}

constants! {
    /// Commands of msgctl(2).
    MSG_COMMANDS: u32;
    MSG_STAT = 11,
    MSG_INFO = 12,
    MSG_STAT_ANY = 13,
}

constants! {
    /// Flags of msgrcv(2).
    MSGRCV_FLAGS: u32;
    MSG_NOERROR = 0o1_0000,
    MSG_EXCEPT = 0o2_0000,
    MSG_COPY = 0o4_0000,
}
