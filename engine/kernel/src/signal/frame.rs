//! The signal frame of riscv64 (`struct rt_sigframe`), written at delivery and read back by rt_sigreturn(2).

use super::{AltStack, SIGSEGV, SS_AUTODISARM, SigAction, SigInfo, SigSet};
use crate::Tid;
use crate::kernel::Kernel;
use bytemuck::Zeroable;
use friscy_abi::Errno;
use friscy_abi::layout::{Mcontext, SigStack, Sigframe, Siginfo, Ucontext};
use friscy_abi::signal::{SA_ONSTACK, SS_DISABLE, SS_ONSTACK};
use friscy_boundary::Regs;

const RA: usize = 1;
const SP: usize = 2;
const A0: usize = 10;
const A1: usize = 11;
const A2: usize = 12;

/// Bytes of a signal frame.
pub const FRAME_SIZE: u64 = size_of::<Sigframe>() as u64;

fn save(regs: &Regs) -> Mcontext {
    let mut mcontext = Mcontext::zeroed();
    mcontext.gregs = regs.x;
    mcontext.gregs[0] = regs.pc;
    mcontext.fregs = regs.f;
    mcontext.fcsr = regs.fflags & 0x1f | (regs.frm & 7) << 5;
    mcontext
}

fn restore(mcontext: &Mcontext, regs: &mut Regs) {
    regs.pc = mcontext.gregs[0];
    regs.x = mcontext.gregs;
    regs.x[0] = 0;
    regs.f = mcontext.fregs;
    regs.fflags = mcontext.fcsr & 0x1f;
    regs.frm = mcontext.fcsr >> 5 & 7;
}

impl Kernel {
    /// Writes the frame and sets the registers for the handler.
    pub(super) fn push_frame(&mut self, tid: Tid, info: &SigInfo, action: &SigAction) -> Result<(), Errno> {
        let task = self.task_mut(tid);
        let sp = task.regs.x[SP];
        let alt = task.altstack;
        let on_alt = alt.contains(sp);
        let top = if action.flags & SA_ONSTACK != 0 && alt.flags & SS_DISABLE == 0 && alt.size != 0 && !on_alt {
            alt.sp.wrapping_add(alt.size)
        } else {
            sp
        };
        let at = top.wrapping_sub(FRAME_SIZE) & !0xf;
        // A frame that does not fit on the alternate stack any more is refused rather than written below it.
        if on_alt && !alt.contains(at.wrapping_add(1)) {
            return Err(Errno::EFAULT);
        }
        let bytes = info.to_bytes();
        let frame = Sigframe {
            info: *bytemuck::from_bytes::<Siginfo>(&AlignedInfo(bytes).0),
            uc: Ucontext {
                uc_flags: 0,
                uc_link: 0,
                uc_stack: SigStack {
                    ss_sp: alt.sp,
                    ss_flags: alt.reported_flags(sp) as i32,
                    pad: 0,
                    ss_size: alt.size,
                },
                uc_sigmask: task.saved_mask.unwrap_or(task.mask).0,
                unused: [0; 16],
                uc_mcontext: save(&task.regs),
            },
        };
        let mm = task.mm_id;
        let vdso = task.mm.borrow().vdso;
        self.write_mem(mm, at, bytemuck::bytes_of(&frame))?;
        let task = self.task_mut(tid);
        if alt.flags & SS_AUTODISARM != 0 {
            task.altstack = AltStack::default();
        }
        let regs = &mut task.regs;
        regs.x[RA] = vdso.wrapping_add(crate::vdso::RT_SIGRETURN);
        regs.x[SP] = at;
        regs.x[A0] = u64::from(info.signo);
        regs.x[A1] = at;
        regs.x[A2] = at.wrapping_add(size_of::<Siginfo>() as u64);
        regs.pc = action.handler;
        Ok(())
    }

    /// rt_sigreturn(2): takes registers, mask and alternate stack back from the frame at `sp`. A frame that cannot be
    /// read is SIGSEGV.
    pub fn sigreturn(&mut self, tid: Tid) {
        let task = self.task(tid);
        let (sp, mm) = (task.regs.x[SP], task.mm_id);
        let mut frame = Sigframe::zeroed();
        if sp % 16 != 0 || self.read_mem(mm, sp, bytemuck::bytes_of_mut(&mut frame)).is_err() {
            self.force_segv(tid, SIGSEGV);
            return;
        }
        self.set_mask(tid, SigSet(frame.uc.uc_sigmask));
        let task = self.task_mut(tid);
        restore(&frame.uc.uc_mcontext, &mut task.regs);
        let stack = frame.uc.uc_stack;
        // As with sigaltstack(2), the stack in use cannot be changed; errors are ignored.
        if !task.altstack.contains(task.regs.x[SP]) {
            let flags = stack.ss_flags as u32 & !SS_ONSTACK;
            task.altstack = if flags & SS_DISABLE != 0 || stack.ss_size == 0 {
                AltStack::default()
            } else {
                AltStack { sp: stack.ss_sp, flags: flags & SS_AUTODISARM, size: stack.ss_size }
            };
        }
    }
}

/// `siginfo_t` is aligned to 8 bytes.
#[repr(align(8))]
struct AlignedInfo([u8; 128]);
