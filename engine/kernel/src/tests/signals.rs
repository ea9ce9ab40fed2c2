//! Delivery of signals.

use super::{DATA, DATA_LEN, anonymous, fork, kernel, thread};
use crate::cpu::ObjectRef;
use crate::error::{RestartKind, WaitFor};
use crate::mm::{MapRequest, VmaBacking, VmaFlags};
use crate::process::ExitStatus;
use crate::signal::{
    AltStack, Delivered, FRAME_SIZE, SIG_IGN_ACTION, SIGBUS, SIGINT, SIGKILL, SIGSEGV, SIGUSR1, SIGUSR2, SigAction,
    SigInfo, SigSet,
};
use crate::{Kernel, RunState};
use bytemuck::Zeroable;
use friscy_abi::Errno;
use friscy_abi::layout::Sigframe;
use friscy_abi::signal::{SA_NODEFER, SA_ONSTACK, SA_RESETHAND, SA_RESTART, SEGV_MAPERR};
use friscy_boundary::Exit;

const HANDLER: u64 = 0x8000;

fn handle(k: &mut Kernel, signo: u32, flags: u64) {
    let action = SigAction { handler: HANDLER, flags, mask: SigSet::of(SIGUSR2) };
    k.sigaction(1, signo, Some(action)).unwrap();
}

fn frame(k: &mut Kernel, at: u64) -> Sigframe {
    let mut frame = Sigframe::zeroed();
    let mm = k.task(1).mm_id;
    k.read_mem(mm, at, bytemuck::bytes_of_mut(&mut frame)).unwrap();
    frame
}

#[test]
fn a_handler_gets_its_frame_and_returns() {
    let mut k = kernel();
    handle(&mut k, SIGUSR1, 0);
    let task = k.task_mut(1);
    for (number, slot) in task.regs.x.iter_mut().enumerate().skip(3) {
        *slot = number as u64 * 3;
    }
    task.regs.f[7] = 0x4000_0000_0000_0000;
    (task.regs.fflags, task.regs.frm) = (0x11, 2);
    let before = task.regs.clone();
    k.kill(1, 1, SIGUSR1).unwrap();
    assert_eq!(k.deliver_signals(1, None), Delivered::Go);
    let regs = k.task(1).regs.clone();
    let sp = (DATA + DATA_LEN - FRAME_SIZE) & !0xf;
    assert_eq!((regs.pc, regs.x[2], regs.x[10]), (HANDLER, sp, u64::from(SIGUSR1)));
    assert_eq!((regs.x[11], regs.x[12]), (sp, sp + 128));
    assert_eq!(regs.x[1], 0x7000_0000 + crate::vdso::RT_SIGRETURN);
    assert_eq!(k.task(1).mask, SigSet::of(SIGUSR1).or(SigSet::of(SIGUSR2)));
    let frame = frame(&mut k, sp);
    assert_eq!((frame.info.si_signo, frame.info.si_code), (10, 0));
    assert_eq!(frame.uc.uc_mcontext.gregs[0], before.pc);
    assert_eq!(frame.uc.uc_mcontext.gregs[1..], before.x[1..]);
    assert_eq!(frame.uc.uc_mcontext.fcsr, 0x11 | 2 << 5);
    assert_eq!((frame.uc.uc_sigmask, frame.uc.uc_flags), (0, 0));
    k.sigreturn(1);
    assert_eq!(k.task(1).regs, before);
    assert_eq!(k.task(1).mask, SigSet::EMPTY);
}

#[test]
fn an_interrupted_call_restarts_or_fails() {
    #[track_caller]
    fn check(flags: u64, kind: RestartKind, done: u64, expected: (u64, u64)) {
        let mut k = kernel();
        handle(&mut k, SIGUSR1, flags);
        let task = k.task_mut(1);
        task.in_syscall = true;
        task.regs.x[10] = 77;
        task.scratch.done = done;
        k.block(1, Box::new(WaitFor::default().restart(kind)));
        k.kill(1, 1, SIGUSR1).unwrap();
        assert_eq!(k.task(1).state, RunState::Ready);
        assert_eq!(k.deliver_signals(1, Some(kind)), Delivered::Go);
        k.sigreturn(1);
        let regs = &k.task(1).regs;
        assert_eq!((regs.pc - 0x4000, regs.x[10]), expected);
        assert!(!k.task(1).in_syscall);
    }
    let eintr = Errno::EINTR.to_ret();
    check(0, RestartKind::Sys, 0, (4, eintr));
    check(SA_RESTART, RestartKind::Sys, 0, (0, 77));
    check(SA_RESTART, RestartKind::NoHandler, 0, (4, eintr));
    check(0, RestartKind::Always, 0, (0, 77));
    check(SA_RESTART, RestartKind::Never, 0, (4, eintr));
    check(SA_RESTART, RestartKind::Sys, 5, (4, 5));
}

#[test]
fn without_a_handler_a_call_goes_on() {
    let mut k = kernel();
    k.task_mut(1).in_syscall = true;
    assert_eq!(k.deliver_signals(1, Some(RestartKind::NoHandler)), Delivered::Go);
    assert!(k.task(1).in_syscall);
    assert_eq!(k.deliver_signals(1, Some(RestartKind::Never)), Delivered::Go);
    assert!(!k.task(1).in_syscall);
    assert_eq!(k.task(1).regs.x[10], Errno::EINTR.to_ret());
}

#[test]
fn flags_of_an_action() {
    let mut k = kernel();
    handle(&mut k, SIGUSR1, SA_NODEFER | SA_RESETHAND);
    k.kill(1, 1, SIGUSR1).unwrap();
    k.deliver_signals(1, None);
    assert_eq!(k.task(1).mask, SigSet::of(SIGUSR2));
    let kept = k.sigaction(1, SIGUSR1, None).unwrap();
    assert!(kept.is_default());
    assert_eq!(kept.flags, SA_NODEFER | SA_RESETHAND);
    // The second one ends the process.
    k.kill(1, 1, SIGUSR1).unwrap();
    assert_eq!(k.deliver_signals(1, None), Delivered::Off);
    assert_eq!(k.exit_status, Some(ExitStatus::Signaled { signo: SIGUSR1, core: false }));
}

#[test]
fn the_alternate_stack_is_used_once() {
    let mut k = kernel();
    handle(&mut k, SIGUSR1, SA_ONSTACK | SA_NODEFER);
    let alt = AltStack { sp: DATA, flags: 0, size: 0x2000 };
    k.task_mut(1).altstack = alt;
    for depth in 1..=2 {
        k.kill(1, 1, SIGUSR1).unwrap();
        k.deliver_signals(1, None);
        assert_eq!(k.task(1).regs.x[2], DATA + 0x2000 - depth * FRAME_SIZE);
    }
    // As it was set, not whether it is in use.
    assert_eq!(frame(&mut k, DATA + 0x2000 - 2 * FRAME_SIZE).uc.uc_stack.ss_flags, 0);
    k.sigreturn(1);
    k.sigreturn(1);
    assert_eq!((k.task(1).regs.x[2], k.task(1).altstack), (DATA + DATA_LEN, alt));
}

#[test]
fn faults_cannot_be_ignored() {
    let mut k = kernel();
    k.sigaction(1, SIGSEGV, Some(SIG_IGN_ACTION)).unwrap();
    k.force_signal(1, SigInfo::fault(SIGSEGV, SEGV_MAPERR, 8));
    assert_eq!(k.deliver_signals(1, None), Delivered::Off);
    assert_eq!(k.exit_status, Some(ExitStatus::Signaled { signo: SIGSEGV, core: false }));
}

#[test]
fn a_frame_that_does_not_fit_is_a_fault() {
    let mut k = kernel();
    handle(&mut k, SIGUSR1, 0);
    k.task_mut(1).regs.x[2] = 0x10;
    k.kill(1, 1, SIGUSR1).unwrap();
    assert_eq!(k.deliver_signals(1, None), Delivered::Off);
    assert_eq!(k.exit_status, Some(ExitStatus::Signaled { signo: SIGSEGV, core: false }));
}

#[test]
fn queues_merge_standard_signals_only() {
    let mut k = kernel();
    k.set_mask(1, SigSet(u64::MAX));
    for _ in 0..2 {
        k.kill(1, 1, SIGUSR1).unwrap();
        k.kill(1, 1, 40).unwrap();
    }
    assert_eq!(k.process(1).pending.places(), 3);
    let all = SigSet(u64::MAX);
    let order: Vec<u32> = std::iter::from_fn(|| k.take_signal(1, all)).map(|info| info.signo).collect();
    assert_eq!(order, [SIGUSR1, 40, 40]);
}

#[test]
fn a_thread_that_does_not_block_it_takes_it() {
    let mut k = kernel();
    let other = thread(&mut k, 1);
    k.set_mask(1, SigSet::of(SIGINT));
    k.block(other, Box::default());
    k.block(1, Box::default());
    k.kill(1, 1, SIGINT).unwrap();
    assert!(matches!(k.task(1).state, RunState::Blocked(_)));
    assert_eq!(k.task(other).state, RunState::Ready);
    assert!(k.needs_attention(other) && !k.needs_attention(1));
}

#[test]
fn the_cpu_hears_of_who_looks_at_faults() {
    let looks = |k: &Kernel, tid| k.task(tid).mm.borrow().exact_faults;
    let mut k = kernel();
    handle(&mut k, SIGUSR1, 0);
    k.sigaction(1, SIGSEGV, Some(SIG_IGN_ACTION)).unwrap();
    assert!(!looks(&k, 1));
    let child = fork(&mut k, 1);
    for signo in [SIGSEGV, SIGBUS] {
        let mut k = kernel();
        handle(&mut k, signo, 0);
        k.sigaction(1, signo, Some(SigAction::default())).unwrap();
        assert!(looks(&k, 1));
        let child = fork(&mut k, 1);
        assert!(looks(&k, child));
    }
    for (flags, expected) in [(VmaFlags::SHARED, false), (VmaFlags::SHARED | VmaFlags::MAYWRITE, true)] {
        let object = ObjectRef::create(&k.cpu, DATA_LEN).unwrap();
        let backing = VmaBacking::Object { object, offset: 0, file: None };
        let mm = k.task(1).mm.clone();
        mm.borrow_mut().map(&k.cpu, MapRequest { flags, backing, ..anonymous(0, DATA_LEN) }).unwrap();
        assert_eq!(looks(&k, 1), expected);
    }
    assert!(!looks(&k, child));
}

#[test]
fn a_process_whose_address_space_failed_is_a_crash() {
    let mut k = kernel();
    k.cpu_fault(1, Exit::Poisoned);
    k.settle();
    assert_eq!(k.exit_status, Some(ExitStatus::Signaled { signo: SIGKILL, core: false }));
    let crashes = k.take_crashes();
    assert_eq!(crashes.iter().map(|c| (c.pid, c.info.signo, c.regs.pc)).collect::<Vec<_>>(), [(1, SIGKILL, 0x4000)]);
}
