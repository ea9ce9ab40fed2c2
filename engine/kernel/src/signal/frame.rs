//! The signal frame of riscv64 (`struct rt_sigframe`), written at delivery and read back by rt_sigreturn(2).

use super::{AltStack, SIGSEGV, SS_AUTODISARM, SigAction, SigInfo, SigSet};
use crate::Tid;
use crate::kernel::Kernel;
use bytemuck::Zeroable;
use friscy_abi::Errno;
use friscy_abi::layout::{Mcontext, SigStack, Sigframe, Siginfo, Ucontext};
use friscy_abi::signal::SA_ONSTACK;
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
    // Bit 0 of `sepc` is always zero.
    regs.pc = mcontext.gregs[0] & !1;
    regs.x = mcontext.gregs;
    regs.x[0] = 0;
    regs.f = mcontext.fregs;
    regs.fflags = mcontext.fcsr & 0x1f;
    regs.frm = mcontext.fcsr >> 5 & 7;
}

/// Whether what follows the registers is as Linux writes it without the V extension: the reserved word and the header
/// that ends the list of extensions (`END_MAGIC`, `END_HDR_SIZE`) are zero.
fn ends_properly(mcontext: &Mcontext) -> bool {
    mcontext.pad[30] >> 32 == 0 && mcontext.pad[31] == 0
}

impl Kernel {
    /// Writes the frame and sets the registers for the handler.
    pub(super) fn push_frame(&mut self, tid: Tid, info: &SigInfo, action: &SigAction) -> Result<(), Errno> {
        let task = self.task_mut(tid);
        let sp = task.regs.x[SP];
        let alt = task.altstack;
        let on_alt = alt.contains(sp);
        // A frame that does not fit on the alternate stack any more is refused rather than written below it.
        if on_alt && !alt.contains(sp.wrapping_sub(FRAME_SIZE)) {
            return Err(Errno::EFAULT);
        }
        let switches = action.flags & SA_ONSTACK != 0 && alt.size != 0 && !on_alt;
        let top = if switches { alt.sp.wrapping_add(alt.size) } else { sp };
        let at = top.wrapping_sub(FRAME_SIZE) & !0xf;
        let bytes = info.to_bytes();
        let frame = Sigframe {
            info: *bytemuck::from_bytes::<Siginfo>(&AlignedInfo(bytes).0),
            uc: Ucontext {
                uc_flags: 0,
                uc_link: 0,
                uc_stack: SigStack { ss_sp: alt.sp, ss_flags: alt.flags as i32, pad: 0, ss_size: alt.size },
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
    /// read, or is followed by what this kernel never wrote, is SIGSEGV.
    pub fn sigreturn(&mut self, tid: Tid) {
        let task = self.task(tid);
        let (sp, mm) = (task.regs.x[SP], task.mm_id);
        let mut frame = Sigframe::zeroed();
        if self.read_mem(mm, sp, bytemuck::bytes_of_mut(&mut frame)).is_err() {
            self.force_signal(tid, SigInfo::kernel(SIGSEGV));
            return;
        }
        self.set_mask(tid, SigSet(frame.uc.uc_sigmask));
        let task = self.task_mut(tid);
        restore(&frame.uc.uc_mcontext, &mut task.regs);
        if !ends_properly(&frame.uc.uc_mcontext) {
            self.force_signal(tid, SigInfo::kernel(SIGSEGV));
            return;
        }
        let stack = frame.uc.uc_stack;
        let sp = task.regs.x[SP];
        // As with sigaltstack(2), the stack in use cannot be changed; errors are ignored.
        let _ = task.altstack.set(sp, stack.ss_sp, stack.ss_flags as u32, stack.ss_size);
    }
}

/// `siginfo_t` is aligned to 8 bytes.
#[repr(align(8))]
struct AlignedInfo([u8; 128]);
