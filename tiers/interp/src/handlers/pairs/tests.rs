//! Every pair's handler does what the two instructions' own handlers do.

use super::*;
use crate::entry::run;
use crate::handlers::forward;
use crate::ins::{Ins, JUMP_CACHE_LINES, JumpEntry, Word, exit};
use crate::testing::{Random, Window};
use friscy_lift_ir::ExitKind;
use friscy_seam::State;
use friscy_seam::access::window_offset;
use friscy_seam::number_of;

/// Where the taken and the other edge of an end lead, in elements.
const TAKEN: usize = 3;
const OTHER: usize = 5;

fn slots(state: &mut State) -> &mut [u64] {
    // SAFETY: the state begins with 256 slots, as `ins` asserts.
    unsafe { std::slice::from_raw_parts_mut(state.x.as_mut_ptr(), 256) }
}

fn element(kind: Kind, [a, b, c, d]: [u8; 4], imm: i32) -> Ins {
    Ins { h: Word { handler: kind.handler().expect("kinds of pairs have handlers") }, a, b, c, d, imm }
}

fn distance(from: usize, to: usize) -> i32 {
    ((to - from) * size_of::<Ins>()) as i32
}

/// Two instructions and where they may go on.
fn code(first: Kind, second: Kind, slots: [[u8; 4]; 2], imms: [i32; 2], cache: *const JumpEntry) -> Vec<Ins> {
    let mut code = vec![element(first, slots[0], imms[0])];
    let [_, b, c, _] = slots[1];
    match second {
        Kind::Jump(_) | Kind::Branch(..) => {
            code.push(element(second, [7, b, c, 1], distance(1, TAKEN)));
            code.push(Ins::data(distance(1, OTHER) as isize, 0x1234_5678_9abc));
        }
        Kind::Indirect => {
            code.push(element(second, [7, b, c, 1], imms[1]));
            let mut data = Ins::data(0, 0);
            data.h = Word { cache };
            code.push(data);
        }
        _ => {
            code.push(element(second, slots[1], imms[1]));
            code.push(element(Kind::Jump(false), [9, 0, 0, 0], distance(2, TAKEN)));
        }
    }
    for pc in [0x1000, 0x2000] {
        code.push(element(Kind::Exit(number_of(ExitKind::Ebreak) as u8), [0, 0, 0, 0], 0));
        code.push(Ins::data(0, pc));
    }
    code
}

/// What a run leaves: exit code, pc, fuel, flags, all slots, and what is where it stored.
fn outcome(
    code: &[Ins],
    state: &mut State,
    before: &[u64],
    fuel: i64,
    window: &Window,
    stores: [Option<(u8, i32)>; 2],
) -> Vec<u64> {
    slots(state).copy_from_slice(before);
    state.fuel = fuel;
    state.fflags = 0;
    let offset = |state: &mut State, (slot, imm): (u8, i32)| window_offset(slots(state)[slot as usize], imm);
    let first = stores[0].map(|store| offset(state, store));
    // SAFETY: the code ends in exits and every access succeeds in this window.
    let result = unsafe { run(code.as_ptr(), state) };
    let second = stores[1].map(|store| offset(state, store));
    let mut outcome = vec![result, state.pc, state.fuel as u64, state.fflags as u64];
    outcome.extend(slots(state).iter());
    for at in [first, second].into_iter().flatten() {
        outcome.push(window.read(at));
    }
    for at in [first, second].into_iter().flatten() {
        window.write(at, 0);
    }
    outcome
}

#[test]
fn pairs_do_what_their_instructions_do() {
    let window = Window::new();
    let mut state = window.state();
    let mut random = Random(1);
    let cache = vec![JumpEntry { key: 0, ip: std::ptr::null() }; JUMP_CACHE_LINES];
    let is_store = |kind: Kind| matches!(kind, Kind::Store(_));
    let is_end = |kind: Kind| matches!(kind, Kind::Jump(_) | Kind::Branch(..) | Kind::Indirect);
    let (mut taken, mut preempted) = (0, 0);
    for &first in FIRSTS {
        for &second in SECONDS {
            for forwards in [forward::NONE, forward::B, forward::C] {
                if is_store(first) && forwards != forward::NONE {
                    continue;
                }
                for variant in 0..12 {
                    // The first instruction's result may be where an operand of it was, and the second's where the first's
                    // is; both operands of the second may be the first's result.
                    let result = if variant & 1 == 0 { 100 } else { 101 };
                    let mut places =
                        [[result, 101, 102, 103], [if variant & 2 == 0 { 110 } else { result }, 111, 112, 113]];
                    match forwards {
                        forward::B => places[1][1] = result,
                        forward::C => places[1][2] = result,
                        _ => {}
                    }
                    if forwards == forward::B && variant & 4 != 0 {
                        places[1][2] = result;
                    }
                    let imm = random.operand() as i32 % 2048;
                    let imms = [imm, random.operand() as i32 % 2048];
                    let mut code = code(first, second, places, imms, cache.as_ptr());
                    let before: Vec<u64> = (0..256).map(|_| random.operand()).collect();
                    let fuel = [5, 263, 264, 1000][variant as usize & 3];
                    let store = |kind, n: usize| is_store(kind).then_some((places[n][1], imms[n]));
                    let stores = [store(first, 0), store(second, 1)];
                    let singly = outcome(&code, &mut state, &before, fuel, &window, stores);
                    let handler = pair(first, second, forwards).expect("every pair of the lists has a handler");
                    code[0].h = Word { handler };
                    let together = outcome(&code, &mut state, &before, fuel, &window, stores);
                    assert_eq!(singly, together, "{first:?} then {second:?}, forward {forwards}, variant {variant}");
                    taken += u32::from(is_end(second) && singly[1] == 0x1000);
                    preempted += u32::from(is_end(second) && singly[0] == exit::FUEL);
                }
            }
        }
    }
    assert!(taken > 1000 && preempted > 1000, "{taken} ends went on, {preempted} were preempted");
}
