//! System calls whose arguments are drawn by the table's types.

#![no_main]

use friscy_fuzz_calls::{run, steps_from_bytes};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    run(&steps_from_bytes(bytes));
});
