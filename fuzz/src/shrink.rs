//! Making a program that differs smaller.

use crate::compare::{Difference, Totals, compare};
use crate::program::{Item, Program};

/// Tries that one shrinking may take.
const MOST_TRIES: u32 = 20_000;

/// The smallest program found that still differs, and how it does.
pub fn shrink(program: Program, difference: Difference) -> (Program, Difference) {
    let mut shrinker = Shrinker { program, difference, tries: MOST_TRIES };
    loop {
        let before = shrinker.program.clone();
        shrinker.drop_slices();
        shrinker.drop_items();
        shrinker.zero_registers();
        shrinker.simplify_rest();
        if shrinker.program == before || shrinker.tries == 0 {
            return (shrinker.program, shrinker.difference);
        }
    }
}

struct Shrinker {
    program: Program,
    difference: Difference,
    tries: u32,
}

impl Shrinker {
    /// Takes `program` if it differs too.
    fn accept(&mut self, program: Program) -> bool {
        if self.tries == 0 {
            return false;
        }
        self.tries -= 1;
        match compare(&program, &mut Totals::default()) {
            Ok(()) => false,
            Err(difference) => {
                (self.program, self.difference) = (program, difference);
                true
            }
        }
    }

    fn drop_slices(&mut self) {
        let mut program = self.program.clone();
        program.slices.truncate(self.difference.slice + 1);
        if program.slices.len() < self.program.slices.len() {
            self.accept(program);
        }
        let mut n = 0;
        while n < self.program.slices.len() {
            let mut program = self.program.clone();
            program.slices.remove(n);
            if !self.accept(program) {
                n += 1;
            }
        }
    }

    fn drop_items(&mut self) {
        let mut len = (self.program.items.len() / 2).max(1);
        loop {
            let mut at = 0;
            while at < self.program.items.len() {
                let program = without(&self.program, at, len);
                if !self.accept(program) {
                    at += len;
                }
            }
            if len == 1 {
                return;
            }
            len /= 2;
        }
    }

    fn zero_registers(&mut self) {
        for r in 1..32 {
            if self.program.regs.x[r] != 0 {
                let mut program = self.program.clone();
                program.regs.x[r] = 0;
                self.accept(program);
            }
        }
        for r in 0..32 {
            if self.program.regs.f[r] != 0 {
                let mut program = self.program.clone();
                program.regs.f[r] = 0;
                self.accept(program);
            }
        }
    }

    fn simplify_rest(&mut self) {
        let changes: [fn(&mut Program); 6] = [
            |p| p.fill = None,
            |p| p.start = 0,
            |p| p.kernel = 1,
            |p| p.table.clear(),
            |p| p.regs.frm = 0,
            |p| p.regs.fflags = 0,
        ];
        for change in changes {
            let mut program = self.program.clone();
            change(&mut program);
            if program != self.program {
                self.accept(program);
            }
        }
    }
}

/// The program without `len` items from `at` on; what led to them leads to what follows.
fn without(program: &Program, at: usize, len: usize) -> Program {
    let end = (at + len).min(program.items.len());
    let moved = |to: usize| if to >= end { to - (end - at) } else { to.min(at) };
    let mut program = program.clone();
    program.items.drain(at..end);
    for item in &mut program.items {
        match item {
            Item::To(_, to) | Item::AddressOf(_, to) => *to = moved(*to),
            _ => {}
        }
    }
    for to in &mut program.table {
        *to = moved(*to);
    }
    program
}
