//! Addresses of sockets as guest memory has them: `struct sockaddr_un`, `sockaddr_in`, `sockaddr_in6`.

use friscy_abi::Errno;
use friscy_abi::socket::{AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC, SOCK_STREAM};
use friscy_kernel::Ctx;
use friscy_kernel::files::{Endpoint, Socket};

/// Size of `sa_family_t`.
const FAMILY_SIZE: usize = 2;
/// Size of `struct sockaddr_storage`.
const ADDRESS_MAX: u32 = 128;
/// Size of `struct sockaddr_un`.
const UNIX_SIZE: u32 = 110;
/// Size of `struct sockaddr_in`.
const INET_SIZE: u32 = 16;
/// Size of `struct sockaddr_in6` without its scope (RFC 2133).
const INET6_SIZE: u32 = 24;

/// An address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Address {
    /// A `sun_path`: a zero byte first for an abstract name, empty for none.
    Unix(Vec<u8>),
    /// An Internet address.
    Inet(Endpoint),
    /// `AF_UNSPEC`: no address.
    None,
}

/// Reads an address for a socket.
///
/// # Errors
/// `EINVAL` for a wrong length, and for another family than AF_UNIX; `EAFNOSUPPORT`.
pub(crate) fn address(cx: &mut Ctx<'_>, socket: &Socket, addr: u64, len: u32) -> Result<Address, Errno> {
    if len > ADDRESS_MAX || (len as usize) < FAMILY_SIZE {
        return Err(Errno::EINVAL);
    }
    let bytes = cx.read_bytes(addr, u64::from(len))?;
    let (family, rest) = bytes.split_at_checked(FAMILY_SIZE).ok_or(Errno::EINVAL)?;
    let family = family.first_chunk().map_or(0, |&family| u32::from(u16::from_le_bytes(family)));
    match (socket.domain(), family) {
        (AF_UNIX, AF_UNIX) if len <= UNIX_SIZE => {
            if rest.first().is_none_or(|&byte| byte == 0) {
                return Ok(Address::Unix(rest.to_vec()));
            }
            let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
            Ok(Address::Unix(rest.get(..end).unwrap_or(rest).to_vec()))
        }
        (AF_UNIX, AF_UNSPEC) => Ok(Address::None),
        (AF_UNIX, _) => Err(Errno::EINVAL),
        (AF_INET, _) if len < INET_SIZE => {
            if family == AF_UNSPEC {
                Ok(Address::None)
            } else {
                Err(Errno::EINVAL)
            }
        }
        (AF_INET6, AF_INET6) if len < INET6_SIZE => Err(Errno::EINVAL),
        (AF_INET6, AF_INET) if len < INET_SIZE || socket.kind() == SOCK_STREAM => {
            Err(if len < INET6_SIZE { Errno::EINVAL } else { Errno::EAFNOSUPPORT })
        }
        (AF_INET, AF_INET) | (AF_INET6, AF_INET | AF_INET6) => Ok(Address::Inet(Endpoint::decode(family, rest)?)),
        (_, AF_UNSPEC) => Ok(Address::None),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// An address as `struct sockaddr` has it: `name` is what [`Socket::name`] gives.
pub(crate) fn sockaddr(socket: &Socket, name: &[u8]) -> Vec<u8> {
    let mut bytes = (socket.domain() as u16).to_le_bytes().to_vec();
    bytes.extend_from_slice(name);
    // A path ends with a zero byte, which counts; an abstract name does not.
    if socket.domain() == AF_UNIX && name.first().is_some_and(|&byte| byte != 0) {
        bytes.push(0);
    }
    bytes
}

/// Stores an address and its length, cut to what the caller has room for.
///
/// # Errors
/// `EINVAL` for a negative room, `EFAULT`.
pub(crate) fn give_address(cx: &mut Ctx<'_>, bytes: &[u8], addr: u64, len_addr: u64) -> Result<(), Errno> {
    let room: u32 = cx.read_struct(len_addr)?;
    if room as i32 <= -1 {
        return Err(Errno::EINVAL);
    }
    let shown = bytes.len().min(room as usize);
    cx.write_bytes(addr, bytes.get(..shown).unwrap_or(bytes))?;
    cx.write_struct(len_addr, &(bytes.len() as u32))
}
