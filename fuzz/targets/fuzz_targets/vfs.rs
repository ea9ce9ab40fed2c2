//! Operations on files, against Linux in a folder of the host.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| friscy_fuzz_inputs::vfs::check(bytes));
