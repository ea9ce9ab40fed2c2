//! Whole files given as images.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| friscy_fuzz_inputs::image::check(bytes));
