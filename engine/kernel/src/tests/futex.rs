//! Futexes.

use super::{DATA, kernel, thread};
use crate::error::{SysError, SysResult};
use crate::task::RunState;
use crate::{Kernel, Tid};
use friscy_abi::Errno;

const ANY: u32 = u32::MAX;

/// Executes FUTEX_WAIT as the machine does: a block is entered.
fn wait(k: &mut Kernel, tid: Tid, addr: u64, value: u32, deadline: Option<u64>) -> SysResult {
    let result = k.futex_wait(tid, addr, true, value, ANY, deadline);
    if let Err(SysError::Block(wait)) = &result {
        k.block(tid, wait.clone());
    }
    result
}

fn blocks(result: SysResult) -> bool {
    matches!(result, Err(SysError::Block(_)))
}

#[test]
fn wakes_in_order() {
    let mut k = kernel();
    let (a, b) = (thread(&mut k, 1), thread(&mut k, 1));
    assert_eq!(wait(&mut k, a, DATA, 1, None), Err(Errno::EAGAIN.into()));
    assert!(blocks(wait(&mut k, a, DATA, 0, None)));
    assert!(blocks(wait(&mut k, b, DATA, 0, None)));
    assert_eq!(k.futex_wake(1, DATA + 4, true, 9, ANY), Ok(0));
    assert_eq!(k.futex_wake(1, DATA, true, 1, ANY), Ok(1));
    assert_eq!((k.task(a).state.clone(), k.task(a).scratch.woken), (RunState::Ready, true));
    assert!(matches!(k.task(b).state, RunState::Blocked(_)));
    assert_eq!(wait(&mut k, a, DATA, 0, None), Ok(0));
    assert_eq!(k.futex_wake(1, DATA, true, 9, ANY), Ok(1));
    assert_eq!(k.futex_wake(1, DATA + 1, true, 9, ANY), Err(Errno::EINVAL));
}

#[test]
fn times_out() {
    let mut k = kernel();
    let a = thread(&mut k, 1);
    let deadline = k.now() + 1000;
    assert!(blocks(wait(&mut k, a, DATA, 0, Some(deadline))));
    k.advance(1000);
    let now = k.now();
    k.fire_timers(now);
    assert_eq!(k.task(a).state, RunState::Ready);
    assert_eq!(wait(&mut k, a, DATA, 0, Some(deadline)), Err(Errno::ETIMEDOUT.into()));
    assert_eq!(k.futex_wake(1, DATA, true, 9, ANY), Ok(0));
}

#[test]
fn requeue_and_wake_op() {
    let mut k = kernel();
    let tids = [thread(&mut k, 1), thread(&mut k, 1), thread(&mut k, 1)];
    for tid in tids {
        assert!(blocks(wait(&mut k, tid, DATA, 0, None)));
    }
    assert_eq!(k.futex_requeue(1, DATA, DATA + 8, true, 1, 9, Some(1)), Err(Errno::EAGAIN));
    assert_eq!(k.futex_requeue(1, DATA, DATA + 8, true, 1, 9, Some(0)), Ok(3));
    assert_eq!(k.futex_wake(1, DATA, true, 9, ANY), Ok(0));
    // FUTEX_OP_ADD 5, woken at the second address when the old value equals 0.
    let operation = 1 << 28 | 5 << 12;
    assert_eq!(k.futex_wake_op(1, DATA, DATA + 8, true, 1, 1, operation), Ok(1));
    assert_eq!(k.futex_wake_op(1, DATA, DATA + 8, true, 1, 1, operation), Ok(0));
    let mut word = [0; 4];
    let mm = k.task(1).mm_id;
    k.read_mem(mm, DATA + 8, &mut word).unwrap();
    assert_eq!(u32::from_le_bytes(word), 10);
}

#[test]
fn the_end_of_a_thread_wakes_who_joins_it_and_marks_its_locks() {
    let mut k = kernel();
    let a = thread(&mut k, 1);
    let mm = k.task(1).mm_id;
    k.task_mut(a).clear_child_tid = DATA + 64;
    k.write_mem(mm, DATA + 64, &a.to_le_bytes()).unwrap();
    // A robust list of one lock: head at +128, its node at +256, its word 32 bytes after the node.
    k.task_mut(a).robust_list = DATA + 128;
    for (at, value) in [(128, DATA + 256), (136, 32), (144, 0), (256, DATA + 128)] {
        k.write_mem(mm, DATA + at, &value.to_le_bytes()).unwrap();
    }
    k.write_mem(mm, DATA + 288, &(a | 0x8000_0000).to_le_bytes()).unwrap();
    // Linux wakes without FUTEX_PRIVATE_FLAG.
    let waits = k.futex_wait(1, DATA + 64, false, a, ANY, None);
    assert!(blocks(waits));
    k.block(1, Box::default());
    k.exit_thread(a, 0);
    assert!(k.task(1).scratch.woken);
    let mut word = [0; 4];
    k.read_mem(mm, DATA + 64, &mut word).unwrap();
    assert_eq!(word, [0; 4]);
    k.read_mem(mm, DATA + 288, &mut word).unwrap();
    assert_eq!(u32::from_le_bytes(word), 0xc000_0000);
    assert!(!k.tasks.contains_key(&a));
}
