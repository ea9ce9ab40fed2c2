//! The documents of images.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| friscy_fuzz_inputs::manifest::check(bytes));
