//! Clocks and timers: clock_gettime(2), timer_create(2), setitimer(2).

use crate::table::constants;

constants! {
    /// Clock numbers.
    CLOCKS: u32;
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_PROCESS_CPUTIME_ID = 2,
    CLOCK_THREAD_CPUTIME_ID = 3,
    CLOCK_MONOTONIC_RAW = 4,
    CLOCK_REALTIME_COARSE = 5,
    CLOCK_MONOTONIC_COARSE = 6,
    CLOCK_BOOTTIME = 7,
    CLOCK_REALTIME_ALARM = 8,
    CLOCK_BOOTTIME_ALARM = 9,
    CLOCK_TAI = 11,
}

constants! {
    /// Flags of clock_nanosleep(2) and timer_settime(2).
    TIMER_FLAGS: u32;
    TIMER_ABSTIME = 1,
}

constants! {
    /// Timers of setitimer(2).
    ITIMERS: u32;
    ITIMER_REAL = 0,
    ITIMER_VIRTUAL = 1,
    ITIMER_PROF = 2,
}

constants! {
    /// Values of `tv_nsec` in utimensat(2).
    UTIME_SPECIALS: u64;
    UTIME_NOW = 0x3fff_ffff,
    UTIME_OMIT = 0x3fff_fffe,
}
