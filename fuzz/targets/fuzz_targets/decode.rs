//! Code: decoder and encoder, and the tiers against the evaluator.

#![no_main]

use friscy_fuzz::{Totals, check_bytes};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    check_bytes(bytes, &mut Totals::default()).unwrap_or_else(|text| panic!("{text}"));
});
