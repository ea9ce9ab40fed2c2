//! Memory files: what guest pages are made of on the host.

use friscy_boundary::MemError;
use std::cell::Cell;
use std::ffi::CStr;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// A memory file with its length in bytes. Pages that were never written take no memory.
pub struct Memfd {
    fd: OwnedFd,
    len: Cell<u64>,
    number: u64,
    version: Cell<u64>,
    guest_writes: Cell<bool>,
}

/// How many files were made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Runs a system call again while a signal interrupts it.
fn retry(mut call: impl FnMut() -> isize) -> isize {
    loop {
        let n = call();
        if n >= 0 || std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return n;
        }
    }
}

impl Memfd {
    /// A file of `len` zero bytes, named `name` in the host's listings.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when the host refuses.
    pub fn new(name: &CStr, len: u64) -> Result<Memfd, MemError> {
        // SAFETY: `name` is a C string; the call has no other precondition.
        let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(MemError::NoMemory);
        }
        let file = Memfd {
            // SAFETY: `fd` was just made and belongs to nobody else.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            len: Cell::new(0),
            number: MADE.fetch_add(1, Ordering::Relaxed),
            version: Cell::new(0),
            guest_writes: Cell::new(false),
        };
        file.resize(len)?;
        Ok(file)
    }

    /// The host's file that `fd` is open on, if it has `len` bytes. It can be read and mapped, not written.
    ///
    /// # Errors
    /// [`MemError::NoSuch`] if it is no such file, or the host refuses.
    pub fn of_file(fd: RawFd, len: u64) -> Result<Memfd, MemError> {
        // SAFETY: plain system call; the descriptor is checked by the host.
        let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) };
        if copy < 0 {
            return Err(MemError::NoSuch);
        }
        // SAFETY: `copy` was just made and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(copy) };
        // SAFETY: an all-zero stat is a valid value, which the call fills.
        let (result, stat) = unsafe {
            let mut stat: libc::stat = std::mem::zeroed();
            (libc::fstat(copy, &mut stat), stat)
        };
        if result != 0 || stat.st_mode & libc::S_IFMT != libc::S_IFREG || u64::try_from(stat.st_size) != Ok(len) {
            return Err(MemError::NoSuch);
        }
        Ok(Memfd {
            fd,
            len: Cell::new(len),
            number: MADE.fetch_add(1, Ordering::Relaxed),
            version: Cell::new(0),
            guest_writes: Cell::new(false),
        })
    }

    /// The descriptor.
    pub fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Length in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.len.get()
    }

    /// A number that no other file of this process has.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Changes with every write to the file through this type.
    pub fn version(&self) -> u64 {
        self.version.get()
    }

    /// Notes that a guest may store to the file's own pages from now on.
    pub fn set_guest_writes(&self) {
        self.guest_writes.set(true);
    }

    /// Whether a guest may have stored to the file's own pages.
    pub fn guest_writes(&self) -> bool {
        self.guest_writes.get()
    }

    /// Sets the length; what lies beyond it is dropped, what is new reads as zero.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when the host refuses.
    pub fn resize(&self, len: u64) -> Result<(), MemError> {
        let signed = i64::try_from(len).map_err(|_| MemError::NoMemory)?;
        // SAFETY: plain system call on a descriptor that this owns.
        if retry(|| unsafe { libc::ftruncate(self.raw(), signed) } as isize) < 0 {
            return Err(MemError::NoMemory);
        }
        self.len.set(len);
        self.version.set(self.version.get() + 1);
        Ok(())
    }

    /// Reads at `offset` into `buf`; returns how many bytes lie within the file.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buf.len() {
            let Ok(at) = i64::try_from(offset.saturating_add(done as u64)) else { break };
            let rest = &mut buf[done..];
            // SAFETY: `rest` is valid for writes of its length.
            let n = retry(|| unsafe { libc::pread(self.raw(), rest.as_mut_ptr().cast(), rest.len(), at) });
            if n <= 0 {
                break;
            }
            done += n as usize;
        }
        done
    }

    /// Writes `bytes` at `offset`, growing the file as needed.
    ///
    /// # Errors
    /// [`MemError::NoMemory`] when the host refuses.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        let end = offset.checked_add(bytes.len() as u64).ok_or(MemError::NoMemory)?;
        // SAFETY: `bytes` is valid for reads of its length.
        let n = unsafe { self.write_raw(offset, bytes.as_ptr(), bytes.len()) };
        self.version.set(self.version.get() + 1);
        if n < bytes.len() {
            return Err(MemError::NoMemory);
        }
        self.len.set(self.len.get().max(end));
        Ok(())
    }

    /// Writes `len` bytes at `src` to `offset` within the file; returns how many the host took. The host reads the
    /// source itself, so that unreadable memory there ends the copy instead of faulting.
    ///
    /// # Safety
    /// Nobody may hold a Rust reference to the source that forbids reading it.
    pub unsafe fn write_raw(&self, offset: u64, src: *const u8, len: usize) -> usize {
        let mut done = 0;
        while done < len {
            let Ok(at) = i64::try_from(offset.saturating_add(done as u64)) else { break };
            // SAFETY: the host checks the source range itself; the caller vouches for aliasing.
            let n = retry(|| unsafe { libc::pwrite(self.raw(), src.wrapping_add(done).cast(), len - done, at) });
            if n <= 0 {
                break;
            }
            done += n as usize;
        }
        done
    }

    /// Makes the pages of `range` zero and gives their memory back.
    pub fn punch(&self, range: Range<u64>) {
        let (Ok(at), Ok(len)) = (i64::try_from(range.start), i64::try_from(range.end.saturating_sub(range.start)))
        else {
            return;
        };
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: plain system call on a descriptor that this owns.
        let punched = retry(|| unsafe { libc::fallocate(self.raw(), mode, at, len) } as isize);
        // Punching a hole in a memory file only fails for bad arguments.
        debug_assert!(punched >= 0);
    }

    /// The populated parts of `range`, in order.
    pub fn populated(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut found = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let Some(start) = self.seek(at, libc::SEEK_DATA) else { break };
            if start >= range.end {
                break;
            }
            let end = self.seek(start, libc::SEEK_HOLE).unwrap_or(range.end).min(range.end);
            found.push(start..end);
            at = end;
        }
        found
    }

    fn seek(&self, from: u64, whence: libc::c_int) -> Option<u64> {
        let from = i64::try_from(from).ok()?;
        // SAFETY: plain system call on a descriptor that this owns; nobody uses its position.
        let at = unsafe { libc::lseek(self.raw(), from, whence) };
        u64::try_from(at).ok()
    }
}
