//! Descriptor tables.

use super::FileRef;
use friscy_abi::Errno;

/// A descriptor: an open file, and whether exec closes it.
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// The open file description.
    pub file: FileRef,
    /// `FD_CLOEXEC`.
    pub cloexec: bool,
}

/// The descriptors of a process (Linux: `files_struct`).
#[derive(Clone, Debug, Default)]
pub struct FdTable {
    slots: Vec<Option<Descriptor>>,
    /// No slot below this one is free.
    lowest_free: usize,
}

impl FdTable {
    /// The open file of a descriptor.
    ///
    /// # Errors
    /// `EBADF`.
    #[inline]
    pub fn get(&self, fd: i32) -> Result<&FileRef, Errno> {
        match self.slots.get(fd as u32 as usize) {
            Some(Some(descriptor)) => Ok(&descriptor.file),
            _ => Err(Errno::EBADF),
        }
    }

    /// A descriptor with its flag.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn descriptor(&self, fd: i32) -> Result<&Descriptor, Errno> {
        self.slots.get(fd as u32 as usize).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    /// Puts a file at the lowest free descriptor that is at least `min` and below `limit` (`RLIMIT_NOFILE`).
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn insert(&mut self, file: FileRef, cloexec: bool, min: u64, limit: u64) -> Result<i32, Errno> {
        let limit = limit.min(1 << 20) as usize;
        let mut at = self.lowest_free.max(usize::try_from(min).unwrap_or(usize::MAX));
        while matches!(self.slots.get(at), Some(Some(_))) {
            at += 1;
        }
        if at >= limit {
            return Err(Errno::EMFILE);
        }
        if at >= self.slots.len() {
            self.slots.resize(at + 1, None);
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some(Descriptor { file, cloexec });
        }
        if at == self.lowest_free {
            self.lowest_free = at + 1;
        }
        Ok(at as i32)
    }

    /// Puts a file at a given descriptor and returns what was there.
    ///
    /// # Errors
    /// `EBADF` when `fd` is negative or not below `limit`.
    pub fn replace(&mut self, fd: i32, file: FileRef, cloexec: bool, limit: u64) -> Result<Option<Descriptor>, Errno> {
        if fd < 0 || fd as u64 >= limit.min(1 << 20) {
            return Err(Errno::EBADF);
        }
        let at = fd as usize;
        if at >= self.slots.len() {
            self.slots.resize(at + 1, None);
        }
        let slot = self.slots.get_mut(at).ok_or(Errno::EBADF)?;
        Ok(slot.replace(Descriptor { file, cloexec }))
    }

    /// Takes a descriptor away.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn remove(&mut self, fd: i32) -> Result<Descriptor, Errno> {
        let at = fd as u32 as usize;
        let taken = self.slots.get_mut(at).and_then(Option::take).ok_or(Errno::EBADF)?;
        self.lowest_free = self.lowest_free.min(at);
        Ok(taken)
    }

    /// Sets `FD_CLOEXEC`.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn set_cloexec(&mut self, fd: i32, cloexec: bool) -> Result<(), Errno> {
        let descriptor = self.slots.get_mut(fd as u32 as usize).and_then(Option::as_mut).ok_or(Errno::EBADF)?;
        descriptor.cloexec = cloexec;
        Ok(())
    }

    /// Open descriptors, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &Descriptor)> {
        self.slots.iter().enumerate().filter_map(|(fd, slot)| slot.as_ref().map(|descriptor| (fd as i32, descriptor)))
    }

    /// Takes away what exec closes.
    #[must_use]
    pub fn close_on_exec(&mut self) -> Vec<Descriptor> {
        let mut closed = Vec::new();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.as_ref().is_some_and(|descriptor| descriptor.cloexec) {
                closed.extend(slot.take());
                self.lowest_free = self.lowest_free.min(at);
            }
        }
        closed
    }

    /// One more than the highest descriptor that was ever open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no descriptor is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }
}
