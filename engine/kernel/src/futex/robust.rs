//! Lists of futexes that a thread holds, get_robust_list(2): what becomes of them when it ends.

use crate::Tid;
use crate::kernel::Kernel;
use friscy_abi::layout::RobustListHead;
use friscy_abi::sched::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};

/// The longest robust list that is walked, as in Linux.
const ROBUST_LIST_LIMIT: usize = 2048;

/// An entry's address: bit 0 says that its word is one of those that hold their owner.
fn address(entry: u64) -> u64 {
    entry & !1
}

impl Kernel {
    /// The owner of robust futexes ends: each is marked, and one waiter of each woken.
    pub(crate) fn exit_robust_list(&mut self, tid: Tid) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let head_addr = std::mem::take(&mut task.robust_list);
        let mm = task.mm_id;
        if head_addr == 0 {
            return;
        }
        let mut head = RobustListHead::default();
        if self.read_mem(mm, head_addr, bytemuck::bytes_of_mut(&mut head)).is_err() {
            return;
        }
        let pending = head.list_op_pending;
        let mut entry = head.list;
        for _ in 0..ROBUST_LIST_LIMIT {
            if address(entry) == head_addr {
                break;
            }
            let mut next = [0; 8];
            let more = self.read_mem(mm, address(entry), &mut next).is_ok();
            // A lock that is being taken or given back may be on the list already.
            if address(entry) != address(pending) && self.owner_died(tid, entry, head.futex_offset, false).is_none() {
                return;
            }
            if !more {
                return;
            }
            entry = u64::from_le_bytes(next);
        }
        if address(pending) != 0 {
            self.owner_died(tid, pending, head.futex_offset, true);
        }
    }

    /// Marks one robust futex; `None` if its word cannot be reached.
    fn owner_died(&mut self, tid: Tid, entry: u64, offset: i64, pending: bool) -> Option<()> {
        let addr = address(entry).wrapping_add_signed(offset);
        if addr % 4 != 0 {
            return None;
        }
        let word = self.futex_word(tid, addr).ok()?;
        let (owner, inherits) = (word & FUTEX_TID_MASK, entry & 1 != 0);
        if pending && !inherits && owner == 0 {
            // It was given back, and perhaps nobody was woken yet.
            self.futex_wake_addr(tid, addr, 1);
            return Some(());
        }
        if owner != tid {
            return Some(());
        }
        let mm = self.task(tid).mm_id;
        let new = word & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        self.write_mem(mm, addr, &new.to_le_bytes()).ok()?;
        if word & FUTEX_WAITERS != 0 && !inherits {
            self.futex_wake_addr(tid, addr, 1);
        }
        Some(())
    }
}
