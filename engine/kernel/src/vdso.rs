//! The vDSO image: assembled offline from `vdso/vdso.s` and committed; a test assembles it again and compares.

/// The ELF image, less than a page. It is position-independent and mapped readable and executable.
pub static IMAGE: &[u8] = include_bytes!("vdso/vdso.so");

/// Offset of `__vdso_rt_sigreturn` in the image: where signal handlers return to.
pub const RT_SIGRETURN: u64 = 0x554;
