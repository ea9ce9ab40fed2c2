//! The line discipline N_TTY: what happens to typed bytes on their way to a reader, and to written bytes on their way
//! to the terminal. Pure data: signals and wake-ups are reported to the caller.

use super::termios::{self, DISABLED};
use friscy_abi::layout::Termios2;
use friscy_abi::signal::{SIGINT, SIGQUIT, SIGTSTP};
use friscy_abi::tty::{
    ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, ECHONL, ICANON, ICRNL, IEXTEN, IGNCR, INLCR, ISIG, ISTRIP, IUCLC, IUTF8,
    IXANY, IXON, NOFLSH, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, VEOF, VEOL, VEOL2, VERASE, VINTR, VKILL, VLNEXT,
    VMIN, VQUIT, VREPRINT, VSTART, VSTOP, VSUSP, VTIME, VWERASE, XTABS,
};
use std::collections::VecDeque;

/// How many bytes of input are kept; more are dropped (`N_TTY_BUF_SIZE`).
const INPUT_LIMIT: usize = 4096;
/// How many bytes may wait for the terminal before writers block.
const OUTPUT_LIMIT: usize = 65_536;

/// Line discipline state of one terminal.
#[derive(Debug)]
pub struct LineDiscipline {
    /// The settings.
    pub termios: Termios2,
    /// Bytes that a reader may take.
    ready: VecDeque<u8>,
    /// Lengths of the complete lines at the start of `ready`; an end-of-file character makes a line without delimiter.
    lines: VecDeque<usize>,
    /// The line being typed.
    edit: Vec<u8>,
    /// Bytes for the terminal.
    output: VecDeque<u8>,
    /// The next byte is taken literally.
    literal_next: bool,
    /// Output is held (^S).
    stopped: bool,
    /// The column of the cursor.
    column: usize,
    /// The column at which the line being typed started.
    edit_column: usize,
}

impl Default for LineDiscipline {
    fn default() -> LineDiscipline {
        LineDiscipline {
            termios: termios::initial(),
            ready: VecDeque::new(),
            lines: VecDeque::new(),
            edit: Vec::new(),
            output: VecDeque::new(),
            literal_next: false,
            stopped: false,
            column: 0,
            edit_column: 0,
        }
    }
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

impl LineDiscipline {
    fn local(&self, flag: u32) -> bool {
        self.termios.c_lflag & flag != 0
    }

    fn input_mode(&self, flag: u32) -> bool {
        self.termios.c_iflag & flag != 0
    }

    /// The control character at an index of `c_cc`.
    #[must_use]
    pub fn control(&self, index: usize) -> u8 {
        self.termios.c_cc.get(index).copied().unwrap_or(DISABLED)
    }

    fn matches(&self, byte: u8, index: usize) -> bool {
        let control = self.control(index);
        control != DISABLED && control == byte
    }

    /// Whether lines are collected before a reader sees them.
    #[must_use]
    pub fn canonical(&self) -> bool {
        self.local(ICANON)
    }

    /// Takes one typed byte. The answer is the signal for the foreground group, if it makes one.
    pub fn receive(&mut self, byte: u8) -> Option<u32> {
        let mut byte = byte;
        if self.input_mode(ISTRIP) {
            byte &= 0x7f;
        }
        if self.input_mode(IUCLC) && self.local(IEXTEN) {
            byte = byte.to_ascii_lowercase();
        }
        if std::mem::take(&mut self.literal_next) {
            self.accept(byte);
            return None;
        }
        if self.input_mode(IXON) {
            if self.matches(byte, VSTART) {
                self.stopped = false;
                return None;
            }
            if self.matches(byte, VSTOP) {
                self.stopped = true;
                return None;
            }
        }
        if self.local(ISIG) {
            for (index, signo) in [(VINTR, SIGINT), (VQUIT, SIGQUIT), (VSUSP, SIGTSTP)] {
                if self.matches(byte, index) {
                    if !self.local(NOFLSH) {
                        self.flush_input();
                        self.output.clear();
                    }
                    self.stopped &= !self.input_mode(IXON);
                    if self.local(ECHO) {
                        self.echo(byte);
                    }
                    return Some(signo);
                }
            }
        }
        if self.input_mode(IXON) && self.input_mode(IXANY) {
            self.stopped = false;
        }
        match byte {
            b'\r' if self.input_mode(IGNCR) => return None,
            b'\r' if self.input_mode(ICRNL) => byte = b'\n',
            b'\n' if self.input_mode(INLCR) => byte = b'\r',
            _ => {}
        }
        if self.canonical() && self.receive_canonical(byte) {
            return None;
        }
        self.accept(byte);
        None
    }

    /// Handles the special characters of canonical mode; false for an ordinary one.
    fn receive_canonical(&mut self, byte: u8) -> bool {
        let extended = self.local(IEXTEN);
        if self.matches(byte, VERASE) || self.matches(byte, VKILL) || (extended && self.matches(byte, VWERASE)) {
            self.erase(byte);
            return true;
        }
        if extended && self.matches(byte, VLNEXT) {
            self.literal_next = true;
            if self.local(ECHO) && self.local(ECHOCTL) {
                self.put_raw(b"^\x08");
            }
            return true;
        }
        if extended && self.local(ECHO) && self.matches(byte, VREPRINT) {
            self.echo(byte);
            self.put(b'\n');
            self.edit_column = 0;
            for at in 0..self.edit.len() {
                let Some(&typed) = self.edit.get(at) else { break };
                self.echo(typed);
            }
            return true;
        }
        if byte == b'\n' {
            if self.local(ECHO) || self.local(ECHONL) {
                self.put(b'\n');
            }
            self.edit.push(b'\n');
            self.finish_line();
            return true;
        }
        if self.matches(byte, VEOF) {
            self.finish_line();
            return true;
        }
        if self.matches(byte, VEOL) || (extended && self.matches(byte, VEOL2)) {
            if self.local(ECHO) {
                self.echo(byte);
            }
            self.edit.push(byte);
            self.finish_line();
            return true;
        }
        false
    }

    /// An ordinary byte.
    fn accept(&mut self, byte: u8) {
        if self.ready.len() + self.edit.len() >= INPUT_LIMIT - 1 {
            return;
        }
        if self.local(ECHO) {
            if byte == b'\n' {
                self.put(b'\n');
            } else {
                if self.edit.is_empty() {
                    self.edit_column = self.column;
                }
                self.echo(byte);
            }
        }
        if self.canonical() {
            self.edit.push(byte);
        } else {
            self.ready.push_back(byte);
        }
    }

    fn finish_line(&mut self) {
        self.lines.push_back(self.edit.len());
        self.ready.extend(self.edit.drain(..));
    }

    /// The erase, kill and word-erase characters.
    fn erase(&mut self, byte: u8) {
        if self.edit.is_empty() {
            return;
        }
        let kill = self.matches(byte, VKILL);
        let word = !kill && !self.matches(byte, VERASE);
        if kill && !(self.local(ECHO) && self.local(ECHOK) && self.local(ECHOKE) && self.local(ECHOE)) {
            self.edit.clear();
            if self.local(ECHO) {
                self.echo(byte);
                if self.local(ECHOK) {
                    self.put(b'\n');
                }
            }
            return;
        }
        let mut seen_word = false;
        while let Some(&last) = self.edit.last() {
            // A character is its last byte and, in UTF-8, the continuation bytes before it.
            let mut length = 1;
            if self.input_mode(IUTF8) && is_continuation(last) {
                let rest = self.edit.iter().rev().skip(1).take(3);
                let continuations = rest.take_while(|&&other| is_continuation(other)).count();
                length = (2 + continuations).min(self.edit.len());
            }
            let start = self.edit.len() - length;
            let first = self.edit.get(start).copied().unwrap_or(last);
            if word {
                let in_word = first.is_ascii_alphanumeric() || first == b'_' || first >= 0x80;
                if in_word {
                    seen_word = true;
                } else if seen_word {
                    break;
                }
            }
            self.edit.truncate(start);
            if self.local(ECHO) {
                if !kill && !word && !self.local(ECHOE) {
                    self.echo(byte);
                } else if first == b'\t' {
                    self.erase_tab();
                } else {
                    if is_control(first) && self.local(ECHOCTL) {
                        self.put_raw(b"\x08 \x08");
                    }
                    if !is_control(first) || self.local(ECHOCTL) {
                        self.put_raw(b"\x08 \x08");
                    }
                }
            }
            if !kill && !word {
                break;
            }
        }
    }

    /// Moves the cursor back over a tab that was just removed from the line.
    fn erase_tab(&mut self) {
        let mut width = 0;
        let mut after_tab = false;
        for &byte in self.edit.iter().rev() {
            if byte == b'\t' {
                after_tab = true;
                break;
            }
            if is_control(byte) {
                width += if self.local(ECHOCTL) { 2 } else { 0 };
            } else if !(self.input_mode(IUTF8) && is_continuation(byte)) {
                width += 1;
            }
        }
        if !after_tab {
            width += self.edit_column;
        }
        for _ in 0..8 - (width & 7) {
            self.put_raw(b"\x08");
        }
    }

    /// Shows a typed byte: control characters as `^X`.
    fn echo(&mut self, byte: u8) {
        if self.local(ECHOCTL) && is_control(byte) && byte != b'\t' {
            self.put_raw(&[b'^', byte ^ 0x40]);
        } else {
            self.put(byte);
        }
    }

    /// Bytes for the terminal that are not processed, but move the cursor.
    fn put_raw(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.track(byte);
            self.output.push_back(byte);
        }
    }

    fn track(&mut self, byte: u8) {
        match byte {
            b'\n' if self.termios.c_oflag & ONLRET != 0 => self.column = 0,
            b'\r' => self.column = 0,
            b'\x08' => self.column = self.column.saturating_sub(1),
            b'\t' => self.column = (self.column | 7) + 1,
            _ if is_control(byte) || (self.input_mode(IUTF8) && is_continuation(byte)) => {}
            _ => self.column += 1,
        }
    }

    /// One byte for the terminal, processed as `c_oflag` says.
    fn put(&mut self, byte: u8) {
        let flags = self.termios.c_oflag;
        if flags & OPOST == 0 {
            self.output.push_back(byte);
            return;
        }
        match byte {
            b'\n' if flags & ONLCR != 0 => self.put_raw(b"\r\n"),
            b'\r' if flags & ONOCR != 0 && self.column == 0 => {}
            b'\r' if flags & OCRNL != 0 => self.put_raw(b"\n"),
            b'\t' if flags & XTABS == XTABS => {
                for _ in 0..8 - (self.column & 7) {
                    self.put_raw(b" ");
                }
            }
            _ if flags & OLCUC != 0 => self.put_raw(&[byte.to_ascii_uppercase()]),
            _ => self.put_raw(&[byte]),
        }
    }

    /// Takes bytes that a process writes, and returns how many: none while output is held or too much waits.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        if self.stopped {
            return 0;
        }
        let mut taken = 0;
        for &byte in bytes {
            if self.output.len() >= OUTPUT_LIMIT {
                break;
            }
            self.put(byte);
            taken += 1;
        }
        taken
    }

    /// Whether a write would take something.
    #[must_use]
    pub fn writable(&self) -> bool {
        !self.stopped && self.output.len() < OUTPUT_LIMIT
    }

    /// How many bytes wait for the terminal.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Bytes for the terminal, without taking them; none while output is held.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        if self.stopped { &[] } else { self.output.as_slices().0 }
    }

    /// Drops bytes that the terminal has taken.
    pub fn consume_output(&mut self, count: usize) {
        self.output.drain(..count.min(self.output.len()));
    }

    /// Holds or lets go output (TCXONC).
    pub fn set_stopped(&mut self, stopped: bool) {
        self.stopped = stopped;
    }

    /// Forgets input that nobody has read.
    pub fn flush_input(&mut self) {
        self.ready.clear();
        self.lines.clear();
        self.edit.clear();
        self.literal_next = false;
    }

    /// Forgets output that the terminal has not taken.
    pub fn flush_output(&mut self) {
        self.output.clear();
    }

    /// Changes the settings. Leaving canonical mode makes the unfinished line readable.
    pub fn set_termios(&mut self, new: Termios2) {
        let was_canonical = self.canonical();
        self.termios = new;
        if was_canonical && !self.canonical() {
            self.lines.clear();
            self.ready.extend(self.edit.drain(..));
        } else if !was_canonical && self.canonical() && !self.ready.is_empty() {
            // What was typed before is a line of its own, as Linux treats it.
            self.lines.push_back(self.ready.len());
        }
        if !self.input_mode(IXON) {
            self.stopped = false;
        }
    }

    /// How many bytes a read could give now (FIONREAD).
    #[must_use]
    pub fn readable_len(&self) -> usize {
        self.ready.len()
    }

    /// Whether poll(2) says that a read gives something.
    #[must_use]
    pub fn readable(&self) -> bool {
        if self.canonical() {
            return !self.lines.is_empty();
        }
        let min = usize::from(self.control(VMIN));
        let enough = if self.control(VTIME) == 0 && min > 0 { min } else { 1 };
        self.ready.len() >= enough
    }

    /// Reads in canonical mode: at most one line. `None` while there is none.
    pub fn read_line(&mut self, buf: &mut [u8]) -> Option<usize> {
        let line = self.lines.front_mut()?;
        let count = (*line).min(buf.len());
        *line -= count;
        if *line == 0 {
            self.lines.pop_front();
        }
        self.take(&mut buf[..count]);
        Some(count)
    }

    /// Reads what is there, whatever the mode.
    pub fn read_raw(&mut self, buf: &mut [u8]) -> usize {
        let count = self.ready.len().min(buf.len());
        self.take(&mut buf[..count]);
        count
    }

    fn take(&mut self, buf: &mut [u8]) {
        let count = buf.len().min(self.ready.len());
        for (slot, byte) in buf.iter_mut().zip(self.ready.drain(..count)) {
            *slot = byte;
        }
    }
}

#[cfg(test)]
#[path = "ldisc_tests.rs"]
mod tests;
