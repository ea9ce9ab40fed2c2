//! Tars, as layers and as root file systems.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| friscy_fuzz_inputs::tar::check(bytes));
