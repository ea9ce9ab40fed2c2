//! Credentials of a task, credentials(7) and capabilities(7).

/// User and group identities and capability sets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of credentials(7)")]
pub struct Cred {
    pub uid: u32,
    pub euid: u32,
    pub suid: u32,
    pub fsuid: u32,
    pub gid: u32,
    pub egid: u32,
    pub sgid: u32,
    pub fsgid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    pub cap_effective: u64,
    pub cap_permitted: u64,
    pub cap_inheritable: u64,
    pub cap_bounding: u64,
    pub cap_ambient: u64,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// `PR_SET_KEEPCAPS`.
    pub keep_caps: bool,
}

/// Every capability of this kernel: numbers 0 to 40.
pub const ALL_CAPS: u64 = (1 << 41) - 1;

impl Cred {
    /// The credentials of a user who logs in with these numbers: all capabilities for user 0, none for others.
    #[must_use]
    pub fn new(uid: u32, gid: u32, groups: Vec<u32>) -> Cred {
        let caps = if uid == 0 { ALL_CAPS } else { 0 };
        Cred {
            uid,
            euid: uid,
            suid: uid,
            fsuid: uid,
            gid,
            egid: gid,
            sgid: gid,
            fsgid: gid,
            groups,
            cap_effective: caps,
            cap_permitted: caps,
            cap_inheritable: 0,
            cap_bounding: ALL_CAPS,
            cap_ambient: 0,
            no_new_privs: false,
            keep_caps: false,
        }
    }

    /// Whether the effective set holds capability number `cap`.
    #[must_use]
    pub fn capable(&self, cap: u32) -> bool {
        cap < 64 && self.cap_effective & (1 << cap) != 0
    }

    /// Whether `gid` is the file-system group or a supplementary one.
    #[must_use]
    pub fn in_group(&self, gid: u32) -> bool {
        self.fsgid == gid || self.groups.contains(&gid)
    }
}
