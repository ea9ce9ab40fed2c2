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

impl Cred {
    /// What execve(2) makes of them: the effective ids of a set-user-ID program, saved ids, and capabilities(7).
    pub fn exec(&mut self, set_uid: Option<u32>, set_gid: Option<u32>) {
        if let Some(uid) = set_uid {
            self.euid = uid;
        }
        if let Some(gid) = set_gid {
            self.egid = gid;
        }
        self.suid = self.euid;
        self.fsuid = self.euid;
        self.sgid = self.egid;
        self.fsgid = self.egid;
        if set_uid.is_some() || set_gid.is_some() {
            self.cap_ambient = 0;
        }
        let root = self.uid == 0 || self.euid == 0;
        self.cap_permitted = if root { self.cap_bounding | self.cap_inheritable } else { self.cap_ambient };
        self.cap_effective = if self.euid == 0 { self.cap_permitted } else { self.cap_ambient };
        self.keep_caps = false;
    }
}
