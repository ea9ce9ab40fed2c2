//! Measures friscy, and its web engine, beside native code, qemu-user and wasm, in the same run. It knows commands and
//! their times; what happens inside of them it must never know.
//!
//! Kernels are the same C source for guest and host (`bench/kernels`, a folder for each group). Each round runs every
//! contender once, one after the other, so that what else the machine does meets all alike; figures are medians over
//! rounds, with the spread.

pub mod contender;
pub mod kernels;
pub mod markdown;
pub mod measure;
pub mod places;
pub mod report;
pub mod sevenzip;
pub mod starts;
