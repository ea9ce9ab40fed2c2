//! Urgent data of stream sockets (`MSG_OOB`): one byte of the stream that is marked, tcp(7), unix(7), send(2), recv(2),
//! sockatmark(3).

use super::effects::Effect;
use super::socket::Socket;
use super::{IoError, IoResult, Owner};
use friscy_abi::Errno;
use friscy_abi::signal::SIGURG;
use friscy_abi::socket::{SO_OOBINLINE, SOCK_STREAM};
use std::cell::Cell;

/// The mark in what a socket has received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mark {
    /// How many bytes of the stream are to be read before the urgent one.
    ahead: usize,
    /// The urgent byte was received by itself.
    taken: bool,
}

/// A socket's part in urgent data.
#[derive(Debug, Default)]
pub(super) struct Urgent {
    mark: Cell<Option<Mark>>,
    /// Who gets SIGURG.
    owner: Cell<Owner>,
}

impl Urgent {
    /// Forgets the mark.
    pub(super) fn clear(&self) {
        self.mark.set(None);
    }
}

impl Socket {
    /// Says who gets SIGURG (`F_SETOWN`).
    pub fn set_owner(&self, owner: Owner) {
        self.urgent.owner.set(owner);
    }

    fn inline(&self) -> bool {
        self.inet.flag(SO_OOBINLINE)
    }

    /// The last byte that the other end has sent is urgent.
    pub fn mark_urgent(&self) {
        let Some(peer) = self.peer().filter(|peer| self.kind() == SOCK_STREAM && !peer.closed.get()) else { return };
        let urgent = &peer.urgent;
        // A mark that is reached and not read past gives way, with its byte.
        if urgent.mark.get().is_some_and(|mark| mark.ahead == 0) && peer.queued.get() > 1 {
            peer.skip_urgent();
        }
        urgent.mark.set(Some(Mark { ahead: peer.queued.get().saturating_sub(1), taken: false }));
        peer.point().effect(Effect::SignalOwner { owner: urgent.owner.get(), signo: SIGURG });
        peer.point().notify();
    }

    /// Whether the next byte of the stream is the marked one (`SIOCATMARK`).
    #[must_use]
    pub fn at_mark(&self) -> bool {
        self.urgent.mark.get().is_some_and(|mark| mark.ahead == 0)
    }

    /// How many bytes can be read up to the mark, or the end of what is there.
    pub(super) fn before_mark(&self) -> usize {
        let mark = self.urgent.mark.get().filter(|_| !self.inline());
        mark.map_or(self.queued.get(), |mark| mark.ahead)
    }

    /// A read stops at the mark: how many bytes of a buffer it may fill.
    pub(super) fn until_mark(&self, len_bytes: usize) -> usize {
        match self.urgent.mark.get() {
            Some(Mark { ahead: ahead @ 1.., .. }) => len_bytes.min(ahead),
            _ => len_bytes,
        }
    }

    /// Whether the next byte is one that reads of the stream leave out.
    pub(super) fn skips_next(&self) -> bool {
        self.at_mark() && !self.inline()
    }

    /// Whether there is urgent data that was not received by itself.
    pub(super) fn has_urgent(&self) -> bool {
        self.urgent.mark.get().is_some_and(|mark| !mark.taken)
    }

    /// Takes a byte that is left out off the stream, if it is next.
    pub(super) fn skip_urgent(&self) {
        if !self.skips_next() {
            return;
        }
        let mut queue = self.queue.borrow_mut();
        if let Some(message) = queue.front_mut() {
            message.taken += 1;
            if message.len() == 0 {
                queue.pop_front();
            }
            self.queued.set(self.queued.get().saturating_sub(1));
        }
        self.urgent.mark.set(None);
    }

    /// Bytes of the stream were read; once that goes past the mark there is none.
    pub(super) fn pass(&self, count: usize) {
        if let Some(mark) = self.urgent.mark.get() {
            let left = mark.ahead.checked_sub(count).map(|ahead| Mark { ahead, ..mark });
            self.urgent.mark.set(left);
        }
    }

    /// Receives the urgent byte by itself.
    ///
    /// # Errors
    /// `EINVAL` if there is none, it was received, or it is part of the stream (`SO_OOBINLINE`).
    pub fn receive_urgent(&self, peek: bool) -> IoResult<u8> {
        let mark = self.urgent.mark.get().filter(|mark| !self.inline() && !mark.taken);
        let mark = mark.ok_or(Errno::EINVAL)?;
        let mut left = mark.ahead;
        let queue = self.queue.borrow();
        let byte = queue.iter().find_map(|message| {
            let byte = message.bytes.get(message.taken + left);
            left = left.saturating_sub(message.len());
            byte
        });
        let byte = *byte.ok_or(IoError::from(Errno::EINVAL))?;
        if !peek {
            self.urgent.mark.set(Some(Mark { taken: true, ..mark }));
        }
        Ok(byte)
    }
}
