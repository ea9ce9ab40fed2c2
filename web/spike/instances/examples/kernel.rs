//! The kernel instance of the spike: tasks, memory maps, a pipe, a shared page, a round-robin scheduler. It reaches the
//! cpu instances only through imports that carry plain data.
#![no_std]
#![no_main]
extern crate alloc;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use friscy_spike_instances::{EXIT_FUEL, EXIT_SYSCALL, REGS};

#[link(wasm_import_module = "glue")]
unsafe extern "C" {
    /// Makes an empty memory map and returns its number.
    fn create() -> u32;
    /// Makes a copy of a memory map.
    fn fork(parent: u32) -> u32;
    /// Frees a memory map.
    fn destroy(mm: u32);
    /// Maps zero pages.
    fn map(mm: u32, addr: u32, len: u32);
    /// Puts program `number` at its place.
    fn load(mm: u32, number: u32);
    /// Copies from a memory map.
    fn copy_in(mm: u32, addr: u32, to: *mut u8, len: usize);
    /// Copies into a memory map.
    fn copy_out(mm: u32, addr: u32, from: *const u8, len: usize);
    /// Whether the page was written since last asked.
    fn take_dirty(mm: u32, addr: u32) -> u32;
    /// Runs; registers go in and out at `regs`.
    fn run(mm: u32, regs: *mut i32, fuel: u32) -> i32;
    /// Prints a line.
    fn print(from: *const u8, len: usize);
}

const SHARED_AT: u32 = 0x2_0000;
const PAGE: usize = 4096;

#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Ready,
    Pipe,
    Child,
    VforkDone(usize),
    Dead(i32),
    Reaped,
}

struct Task {
    mm: u32,
    regs: [i32; REGS + 1],
    parent: usize,
    wait: Wait,
    shares: bool,
    borrows: bool,
}

struct Kernel {
    tasks: Vec<Task>,
    pipe: VecDeque<u8>,
    shared: Vec<u8>,
}

fn fresh(program: u32) -> u32 {
    // SAFETY: plain data.
    unsafe {
        let mm = create();
        map(mm, 0x1_0000, 0x1_0000);
        map(mm, 0x3_0000, 0x1000);
        map(mm, 0xefff_0000, 0x1000);
        load(mm, program);
        mm
    }
}

/// Runs program 0 until it exits; returns its status, or a negative number when nothing can run any more.
#[unsafe(no_mangle)]
extern "C" fn main_loop() -> i32 {
    let mut k = Kernel { tasks: Vec::new(), pipe: VecDeque::new(), shared: alloc::vec![0; PAGE] };
    let mut regs = [0; REGS + 1];
    regs[REGS] = 0x1_0000;
    k.tasks.push(Task { mm: fresh(0), regs, parent: 0, wait: Wait::Ready, shares: false, borrows: false });
    let mut idle = 0;
    let mut at = 0;
    loop {
        if let Wait::Dead(status) = k.tasks[0].wait {
            return status;
        }
        if k.ready(at) {
            idle = 0;
            if let Err(status) = k.step(at) {
                return status;
            }
        } else {
            idle += 1;
            if idle > k.tasks.len() {
                return -1;
            }
        }
        at = (at + 1) % k.tasks.len();
    }
}

impl Kernel {
    fn ready(&self, at: usize) -> bool {
        match self.tasks[at].wait {
            Wait::Ready => true,
            Wait::Pipe => self.pipe.len() >= 16,
            Wait::Child => self.tasks.iter().any(|t| t.parent == at && matches!(t.wait, Wait::Dead(_))),
            Wait::VforkDone(child) => !self.tasks[child].borrows,
            Wait::Dead(_) | Wait::Reaped => false,
        }
    }

    fn step(&mut self, at: usize) -> Result<(), i32> {
        let shares = self.tasks[at].shares;
        let mm = self.tasks[at].mm;
        let regs = &raw mut self.tasks[at].regs;
        match self.tasks[at].wait {
            Wait::Pipe => {
                let bytes: Vec<u8> = self.pipe.drain(..16).collect();
                // SAFETY: plain data.
                unsafe { copy_out(mm, self.tasks[at].regs[2] as u32, bytes.as_ptr(), 16) };
            }
            Wait::Child => {
                let dead = self.tasks.iter().position(|t| t.parent == at && matches!(t.wait, Wait::Dead(_)));
                if let Some(Wait::Dead(status)) = dead.map(|d| self.tasks[d].wait) {
                    self.tasks[dead.unwrap_or(0)].wait = Wait::Reaped;
                    self.tasks[at].regs[0] = status;
                }
            }
            _ => {}
        }
        self.tasks[at].wait = Wait::Ready;
        // SAFETY: plain data; `regs` points into the task for the length of the call.
        let exit = unsafe {
            if shares {
                copy_out(mm, SHARED_AT, self.shared.as_ptr(), PAGE);
            }
            let exit = run(mm, regs.cast(), 7);
            if shares && take_dirty(mm, SHARED_AT) != 0 {
                copy_in(mm, SHARED_AT, self.shared.as_mut_ptr(), PAGE);
            }
            exit
        };
        match exit {
            EXIT_FUEL => Ok(()),
            EXIT_SYSCALL => {
                self.syscall(at);
                Ok(())
            }
            _ => Err(-2),
        }
    }

    fn syscall(&mut self, at: usize) {
        let r = self.tasks[at].regs;
        let mm = self.tasks[at].mm;
        match r[0] {
            1 => {
                if self.tasks[at].borrows {
                    self.tasks[at].borrows = false;
                } else {
                    // SAFETY: plain data.
                    unsafe { destroy(mm) };
                }
                self.tasks[at].wait = Wait::Dead(r[1]);
            }
            2 | 3 => {
                let borrows = r[0] == 3;
                // SAFETY: plain data.
                let child_mm = if borrows { mm } else { unsafe { fork(mm) } };
                let child = self.tasks.len();
                let mut regs = r;
                regs[0] = 0;
                let shares = self.tasks[at].shares;
                self.tasks.push(Task { mm: child_mm, regs, parent: at, wait: Wait::Ready, shares, borrows });
                self.tasks[at].regs[0] = child as i32;
                if borrows {
                    self.tasks[at].wait = Wait::VforkDone(child);
                }
            }
            4 => {
                if !self.tasks[at].borrows {
                    // SAFETY: plain data.
                    unsafe { destroy(mm) };
                }
                let task = &mut self.tasks[at];
                (task.borrows, task.shares) = (false, false);
                task.mm = fresh(r[1] as u32);
                task.regs = [0; REGS + 1];
                task.regs[REGS] = 0x1_0000;
            }
            5 => {
                let mut bytes = alloc::vec![0; r[3] as usize];
                // SAFETY: plain data.
                unsafe { copy_in(mm, r[2] as u32, bytes.as_mut_ptr(), bytes.len()) };
                self.pipe.extend(bytes);
            }
            6 => self.tasks[at].wait = Wait::Pipe,
            7 => self.tasks[at].wait = Wait::Child,
            8 => {
                // SAFETY: plain data.
                unsafe { map(mm, SHARED_AT, PAGE as u32) };
                self.tasks[at].shares = true;
            }
            9 => {
                let mut bytes = alloc::vec![0; r[3] as usize];
                // SAFETY: plain data.
                unsafe {
                    copy_in(mm, r[2] as u32, bytes.as_mut_ptr(), bytes.len());
                    print(bytes.as_ptr(), bytes.len());
                }
            }
            _ => self.tasks[at].wait = Wait::Dead(-3),
        }
    }
}
