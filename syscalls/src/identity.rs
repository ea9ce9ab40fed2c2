//! Who a process is: user and group ids, capabilities, credentials(7).

use crate::args::Args;
use friscy_abi::Errno;
use friscy_abi::layout::{CapData, CapHeader};
use friscy_abi::sched::{_LINUX_CAPABILITY_VERSION_1, _LINUX_CAPABILITY_VERSION_2, _LINUX_CAPABILITY_VERSION_3};
use friscy_kernel::cred::{ALL_CAPS, Cred};
use friscy_kernel::{Ctx, SysResult};
use std::rc::Rc;

const CAP_SETGID: u32 = 6;
const CAP_SETUID: u32 = 7;
/// An id argument that changes nothing.
const KEEP: u32 = u32::MAX;

fn change(cx: &mut Ctx<'_>, act: impl FnOnce(&mut Cred)) {
    act(Rc::make_mut(&mut cx.task_mut().cred));
}

/// What changing user ids does to capabilities: they go with the last id of root, capabilities(7).
fn fix_capabilities(cred: &mut Cred, old: &Cred) {
    let had_root = old.uid == 0 || old.euid == 0 || old.suid == 0;
    if had_root && cred.uid != 0 && cred.euid != 0 && cred.suid != 0 && !cred.keep_caps {
        cred.cap_permitted = 0;
        cred.cap_effective = 0;
        cred.cap_ambient = 0;
    }
    if old.euid == 0 && cred.euid != 0 {
        cred.cap_effective = 0;
    }
    if old.euid != 0 && cred.euid == 0 {
        cred.cap_effective = cred.cap_permitted;
    }
}

fn set_uids(cx: &mut Ctx<'_>, uid: u32, euid: u32, suid: u32) {
    change(cx, |cred| {
        let old = cred.clone();
        for (slot, id) in [(&mut cred.uid, uid), (&mut cred.euid, euid), (&mut cred.suid, suid)] {
            if id != KEEP {
                *slot = id;
            }
        }
        cred.fsuid = cred.euid;
        fix_capabilities(cred, &old);
    });
}

fn set_gids(cx: &mut Ctx<'_>, gid: u32, egid: u32, sgid: u32) {
    change(cx, |cred| {
        for (slot, id) in [(&mut cred.gid, gid), (&mut cred.egid, egid), (&mut cred.sgid, sgid)] {
            if id != KEEP {
                *slot = id;
            }
        }
        cred.fsgid = cred.egid;
    });
}

fn check_ids(ids: &[u32], own: &[u32], privileged: bool) -> Result<(), Errno> {
    if privileged || ids.iter().all(|&id| id == KEEP || own.contains(&id)) { Ok(()) } else { Err(Errno::EPERM) }
}

macro_rules! getters {
    ($($name:ident: $field:ident;)*) => {$(
        /// The call of that name.
        pub(crate) fn $name(cx: &mut Ctx<'_>, _a: &Args) -> SysResult {
            Ok(u64::from(cx.task().cred.$field))
        }
    )*};
}

getters! {
    getuid: uid;
    geteuid: euid;
    getgid: gid;
    getegid: egid;
}

/// setuid(2).
pub(crate) fn setuid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let id = a.u32::<0>();
    if id == KEEP {
        return Err(Errno::EINVAL.into());
    }
    let cred = Rc::clone(&cx.task().cred);
    if cred.capable(CAP_SETUID) {
        set_uids(cx, id, id, id);
    } else {
        check_ids(&[id], &[cred.uid, cred.suid], false)?;
        set_uids(cx, KEEP, id, KEEP);
    }
    Ok(0)
}

/// setgid(2).
pub(crate) fn setgid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let id = a.u32::<0>();
    if id == KEEP {
        return Err(Errno::EINVAL.into());
    }
    let cred = Rc::clone(&cx.task().cred);
    if cred.capable(CAP_SETGID) {
        set_gids(cx, id, id, id);
    } else {
        check_ids(&[id], &[cred.gid, cred.sgid], false)?;
        set_gids(cx, KEEP, id, KEEP);
    }
    Ok(0)
}

/// setreuid(2).
pub(crate) fn setreuid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (uid, euid) = (a.u32::<0>(), a.u32::<1>());
    let cred = Rc::clone(&cx.task().cred);
    let privileged = cred.capable(CAP_SETUID);
    check_ids(&[uid], &[cred.uid, cred.euid], privileged)?;
    check_ids(&[euid], &[cred.uid, cred.euid, cred.suid], privileged)?;
    // The saved id follows when the real one is set or the effective one becomes another than the real one was.
    let saved = if uid != KEEP || euid != KEEP && euid != cred.uid {
        if euid == KEEP { cred.euid } else { euid }
    } else {
        KEEP
    };
    set_uids(cx, uid, euid, saved);
    Ok(0)
}

/// setregid(2).
pub(crate) fn setregid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (gid, egid) = (a.u32::<0>(), a.u32::<1>());
    let cred = Rc::clone(&cx.task().cred);
    let privileged = cred.capable(CAP_SETGID);
    check_ids(&[gid], &[cred.gid, cred.egid], privileged)?;
    check_ids(&[egid], &[cred.gid, cred.egid, cred.sgid], privileged)?;
    let saved = if gid != KEEP || egid != KEEP && egid != cred.gid {
        if egid == KEEP { cred.egid } else { egid }
    } else {
        KEEP
    };
    set_gids(cx, gid, egid, saved);
    Ok(0)
}

/// setresuid(2).
pub(crate) fn setresuid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let cred = Rc::clone(&cx.task().cred);
    let ids = [a.u32::<0>(), a.u32::<1>(), a.u32::<2>()];
    check_ids(&ids, &[cred.uid, cred.euid, cred.suid], cred.capable(CAP_SETUID))?;
    set_uids(cx, ids[0], ids[1], ids[2]);
    Ok(0)
}

/// setresgid(2).
pub(crate) fn setresgid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let cred = Rc::clone(&cx.task().cred);
    let ids = [a.u32::<0>(), a.u32::<1>(), a.u32::<2>()];
    check_ids(&ids, &[cred.gid, cred.egid, cred.sgid], cred.capable(CAP_SETGID))?;
    set_gids(cx, ids[0], ids[1], ids[2]);
    Ok(0)
}

/// getresuid(2).
pub(crate) fn getresuid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let cred = Rc::clone(&cx.task().cred);
    cx.write_struct(a.u64::<0>(), &cred.uid)?;
    cx.write_struct(a.u64::<1>(), &cred.euid)?;
    cx.write_struct(a.u64::<2>(), &cred.suid)?;
    Ok(0)
}

/// getresgid(2).
pub(crate) fn getresgid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let cred = Rc::clone(&cx.task().cred);
    cx.write_struct(a.u64::<0>(), &cred.gid)?;
    cx.write_struct(a.u64::<1>(), &cred.egid)?;
    cx.write_struct(a.u64::<2>(), &cred.sgid)?;
    Ok(0)
}

/// setfsuid(2): the old id is the result, whether it was changed or not.
pub(crate) fn setfsuid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let cred = Rc::clone(&cx.task().cred);
    let id = a.u32::<0>();
    if id != KEEP && check_ids(&[id], &[cred.uid, cred.euid, cred.suid, cred.fsuid], cred.capable(CAP_SETUID)).is_ok() {
        change(cx, |cred| cred.fsuid = id);
    }
    Ok(u64::from(cred.fsuid))
}

/// setfsgid(2).
pub(crate) fn setfsgid(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let cred = Rc::clone(&cx.task().cred);
    let id = a.u32::<0>();
    if id != KEEP && check_ids(&[id], &[cred.gid, cred.egid, cred.sgid, cred.fsgid], cred.capable(CAP_SETGID)).is_ok() {
        change(cx, |cred| cred.fsgid = id);
    }
    Ok(u64::from(cred.fsgid))
}

/// getgroups(2).
pub(crate) fn getgroups(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let groups = cx.task().cred.groups.clone();
    let size = a.i32::<0>();
    if size < 0 || size > 0 && (size as usize) < groups.len() {
        return Err(Errno::EINVAL.into());
    }
    if size > 0 {
        cx.write_bytes(a.u64::<1>(), bytemuck::cast_slice(&groups))?;
    }
    Ok(groups.len() as u64)
}

/// setgroups(2).
pub(crate) fn setgroups(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    const MOST: u64 = 65_536;
    if !cx.task().cred.capable(CAP_SETGID) {
        return Err(Errno::EPERM.into());
    }
    if a.u64::<0>() > MOST {
        return Err(Errno::EINVAL.into());
    }
    let mut groups: Vec<u32> = cx.read_array(a.u64::<1>(), a.u64::<0>())?;
    groups.sort_unstable();
    change(cx, |cred| cred.groups = groups);
    Ok(0)
}

/// Reads the header of capget(2) and says how many data structures its version has.
fn capability_header(cx: &mut Ctx<'_>, addr: u64) -> Result<(CapHeader, usize), Errno> {
    let mut header: CapHeader = cx.read_struct(addr)?;
    match header.version {
        _LINUX_CAPABILITY_VERSION_1 => Ok((header, 1)),
        _LINUX_CAPABILITY_VERSION_2 | _LINUX_CAPABILITY_VERSION_3 => Ok((header, 2)),
        _ => {
            header.version = _LINUX_CAPABILITY_VERSION_3;
            cx.write_struct(addr, &header)?;
            Err(Errno::EINVAL)
        }
    }
}

/// capget(2).
pub(crate) fn capget(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (header, count) = match capability_header(cx, a.u64::<0>()) {
        // Asking for the version alone is no error.
        Err(Errno::EINVAL) if a.u64::<1>() == 0 => return Ok(0),
        result => result?,
    };
    if header.pid < 0 {
        return Err(Errno::EINVAL.into());
    }
    let tid = if header.pid == 0 { cx.tid } else { header.pid as u32 };
    let cred = Rc::clone(&cx.kernel.tasks.get(&tid).ok_or(Errno::ESRCH)?.cred);
    if a.u64::<1>() == 0 {
        return Ok(0);
    }
    let data = [0, 32].map(|shift| CapData {
        effective: (cred.cap_effective >> shift) as u32,
        permitted: (cred.cap_permitted >> shift) as u32,
        inheritable: (cred.cap_inheritable >> shift) as u32,
    });
    cx.write_bytes(a.u64::<1>(), bytemuck::cast_slice(data.get(..count).unwrap_or(&data)))?;
    Ok(0)
}

/// capset(2).
pub(crate) fn capset(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (header, count) = capability_header(cx, a.u64::<0>())?;
    if header.pid != 0 && header.pid as u32 != cx.tid {
        return Err(Errno::EPERM.into());
    }
    let data: Vec<CapData> = cx.read_array(a.u64::<1>(), count as u64)?;
    let join = |part: fn(&CapData) -> u32| {
        data.iter().rev().fold(0u64, |all, item| all << 32 | u64::from(part(item))) & ALL_CAPS
    };
    let (effective, permitted, inheritable) =
        (join(|item| item.effective), join(|item| item.permitted), join(|item| item.inheritable));
    let cred = Rc::clone(&cx.task().cred);
    if permitted & !cred.cap_permitted != 0
        || effective & !permitted != 0
        || inheritable & !(cred.cap_inheritable | cred.cap_bounding) != 0
    {
        return Err(Errno::EPERM.into());
    }
    change(cx, |cred| {
        cred.cap_effective = effective;
        cred.cap_permitted = permitted;
        cred.cap_inheritable = inheritable;
        cred.cap_ambient &= permitted & inheritable;
    });
    Ok(0)
}
