//! The loopback interface as ioctl(2) of sockets shows it, netdevice(7).

use super::IoResult;
use crate::Ctx;
use friscy_abi::Errno;
use friscy_abi::socket::{
    AF_INET, IFF_LOOPBACK, IFF_RUNNING, IFF_UP, SIOCGIFADDR, SIOCGIFBRDADDR, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFHWADDR,
    SIOCGIFINDEX, SIOCGIFMTU, SIOCGIFNAME, SIOCGIFNETMASK, SIOCGIFTXQLEN,
};

/// Size of `struct ifreq`, in bytes.
const REQUEST: usize = 40;
/// Size of the name in it (`IFNAMSIZ`).
const NAME: usize = 16;
/// `ARPHRD_LOOPBACK`: the hardware type.
const LOOPBACK_HARDWARE: u16 = 772;
/// The interface's number.
pub(super) const INDEX: i32 = 1;
/// Its largest packet, in bytes.
pub(super) const MTU: u32 = 65_536;

fn address(ip: [u8; 4]) -> [u8; 16] {
    let mut out = [0; 16];
    out[..2].copy_from_slice(&(AF_INET as u16).to_le_bytes());
    out[4..8].copy_from_slice(&ip);
    out
}

/// Requests about interfaces.
pub(super) fn ioctl(cx: &mut Ctx<'_>, request: u32, arg: u64) -> IoResult<u64> {
    if request == SIOCGIFCONF {
        return configuration(cx, arg);
    }
    if request == SIOCGIFNAME {
        let index: i32 = cx.read_struct(arg + NAME as u64)?;
        if index != INDEX {
            return Err(Errno::ENODEV.into());
        }
        let mut name = [0; NAME];
        name[..2].copy_from_slice(b"lo");
        cx.write_bytes(arg, &name)?;
        return Ok(0);
    }
    let known = matches!(
        request,
        SIOCGIFADDR
            | SIOCGIFBRDADDR
            | SIOCGIFFLAGS
            | SIOCGIFHWADDR
            | SIOCGIFINDEX
            | SIOCGIFMTU
            | SIOCGIFNETMASK
            | SIOCGIFTXQLEN
    );
    if !known {
        return Err(Errno::ENOTTY.into());
    }
    let name: [u8; NAME] = cx.read_struct(arg)?;
    if name.split(|&byte| byte == 0).next() != Some(b"lo") {
        return Err(Errno::ENODEV.into());
    }
    let mut value = [0u8; REQUEST - NAME];
    let mut put = |bytes: &[u8]| value.iter_mut().zip(bytes).for_each(|(slot, &byte)| *slot = byte);
    match request {
        SIOCGIFADDR => put(&address([127, 0, 0, 1])),
        SIOCGIFBRDADDR => put(&address([0; 4])),
        SIOCGIFNETMASK => put(&address([255, 0, 0, 0])),
        SIOCGIFFLAGS => put(&((IFF_UP | IFF_LOOPBACK | IFF_RUNNING) as u16).to_le_bytes()),
        SIOCGIFHWADDR => put(&LOOPBACK_HARDWARE.to_le_bytes()),
        SIOCGIFMTU => put(&MTU.to_le_bytes()),
        SIOCGIFTXQLEN => put(&1000u32.to_le_bytes()),
        _ => put(&INDEX.to_le_bytes()),
    }
    // Only what the answer has is written: a union's other bytes stay.
    let len = match request {
        SIOCGIFADDR | SIOCGIFBRDADDR | SIOCGIFNETMASK | SIOCGIFHWADDR => 16,
        SIOCGIFFLAGS => 2,
        _ => 4,
    };
    cx.write_bytes(arg + NAME as u64, value.get(..len).unwrap_or(&value))?;
    Ok(0)
}

/// `SIOCGIFCONF`: `struct ifconf` has a length and the address of a list of `struct ifreq`.
fn configuration(cx: &mut Ctx<'_>, arg: u64) -> IoResult<u64> {
    let [room, list]: [u64; 2] = cx.read_struct(arg)?;
    let room = room as i32;
    let length = if list != 0 && room < REQUEST as i32 {
        0
    } else {
        if list != 0 {
            let mut entry = [0; REQUEST];
            entry[..2].copy_from_slice(b"lo");
            entry[NAME..NAME + 16].copy_from_slice(&address([127, 0, 0, 1]));
            cx.write_bytes(list, &entry)?;
        }
        REQUEST as i32
    };
    cx.write_struct(arg, &length)?;
    Ok(0)
}
