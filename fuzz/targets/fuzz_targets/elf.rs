//! Programs: the loader, and what runs then.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| friscy_fuzz_inputs::elf::check(bytes));
