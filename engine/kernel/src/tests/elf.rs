//! Files that are no programs are refused with a reason.

use super::empty_kernel;
use crate::cred::Cred;
use crate::process::ExecRequest;
use crate::{FsContext, SysError};
use friscy_abi::Errno;
use friscy_vfs::{Creds, PathContext};

/// What execve(2) makes of a file with these bytes, and the reason in words; `None` when it is a program.
fn exec(bytes: &[u8]) -> Option<(Errno, String)> {
    let mut k = empty_kernel();
    let root = k.vfs.root();
    let ctx = PathContext { root: root.clone(), cwd: root.clone(), creds: Creds::root() };
    let flags = friscy_abi::fcntl::O_CREAT | friscy_abi::fcntl::O_WRONLY;
    let file = k.vfs.open(&ctx, &root, b"/f", flags, 0o755, 0).unwrap();
    file.write_at(&ctx.creds, 0, bytes).unwrap();
    let request = ExecRequest {
        file: file.location().clone(),
        path: b"/f".to_vec(),
        argv: vec![b"f".to_vec()],
        envp: Vec::new(),
    };
    let fs = FsContext { root: root.clone(), cwd: root, umask: 0 };
    let result = k.spawn_init(request, Cred::new(0, 0, Vec::new()), fs, Default::default());
    let errno = match result {
        Ok(_) => return None,
        Err(SysError::Errno(errno)) => errno,
        other => panic!("{other:?}"),
    };
    assert!(k.tasks.is_empty());
    Some((errno, k.exec_fault().map(|fault| fault.reason.clone()).unwrap_or_default()))
}

#[track_caller]
fn check(bytes: &[u8], errno: Errno, reason: &str) {
    assert_eq!(exec(bytes), Some((errno, reason.to_string())));
}

/// A program of one segment that holds the whole file.
fn program() -> Vec<u8> {
    let mut elf = vec![0u8; 128];
    elf[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    let mut put = |at: usize, value: u64, len: usize| elf[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
    put(16, 2, 2);
    put(18, 243, 2);
    put(20, 1, 4);
    put(24, 0x1_0078, 8);
    put(32, 64, 8);
    put(52, 64, 2);
    put(54, 56, 2);
    put(56, 1, 2);
    put(64, 1, 4);
    put(68, 5, 4);
    put(80, 0x1_0000, 8);
    put(96, 128, 8);
    put(104, 128, 8);
    put(112, 4096, 8);
    elf
}

fn changed(at: usize, value: u8) -> Vec<u8> {
    let mut elf = program();
    elf[at] = value;
    elf
}

#[test]
fn refused() {
    let noexec = Errno::ENOEXEC;
    check(b"", noexec, "it is neither an ELF image nor a script");
    check(&program()[..63], noexec, "the ELF header is truncated");
    check(&[b'x'; 80], noexec, "it is neither an ELF image nor a script");
    check(&program()[..100], noexec, "its program headers are truncated");
    check(&changed(18, 62), noexec, "it is for x86-64; only riscv64 programs can run");
    check(&changed(18, 183), noexec, "it is for aarch64; only riscv64 programs can run");
    check(&changed(4, 1), noexec, "it is for riscv32; only riscv64 programs can run");
    check(&changed(5, 2), noexec, "it is a big-endian or malformed ELF image");
    check(&changed(16, 1), noexec, "it is an object or core file, not a program");
    check(&changed(97, 9), noexec, "a segment is malformed");
    check(&changed(65, 9), noexec, "it has nothing to load");
    check(&changed(82, 0), noexec, "a segment lies below the lowest address");
    let mut long = program();
    long[97] = 1;
    long[105] = 1;
    check(&long, noexec, "the file is truncated: a segment lies beyond its end");
    check(b"#!\n", noexec, "its #! line names no program");
    check(b"#!/none\n", Errno::ENOENT, "");
    check(b"#!/f\n", Errno::ELOOP, "");
}

#[test]
fn no_byte_makes_the_loader_panic() {
    let elf = program();
    assert_eq!(exec(&elf), None);
    for at in 0..elf.len() {
        exec(&elf[..at]);
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            exec(&changed(at, value));
        }
    }
}
