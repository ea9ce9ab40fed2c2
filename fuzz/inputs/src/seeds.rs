//! Inputs that are as they should be, which tests and fuzzers change.

use crate::manifest::END;
use std::path::Path;
use std::{fs, io};
use tar::{Builder, EntryType, Header};

/// The seeds of a target, by its name; none for a target that begins with anything.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "elf" => vec![program(None), program(Some(b"/i")), b"#!/i one\n".to_vec()],
        "tar" => vec![layer(), small()],
        "manifest" => vec![oci(), docker()],
        "image" => {
            let image = |documents: Vec<u8>| crate::manifest::archive(&documents);
            vec![image(oci()), image(docker()), small(), layer(), program(None)]
        }
        "vfs" => (0..8).map(|seed| (0..241_u32).map(|at| (at * at * 7 + at * seed) as u8).collect()).collect(),
        _ => Vec::new(),
    }
}

/// Writes the seeds of a target into a folder, a file each.
///
/// # Errors
/// The host's.
pub fn write_seeds(target: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    seeds(target).iter().enumerate().try_for_each(|(at, seed)| fs::write(folder.join(format!("seed-{at}")), seed))
}

/// A program that exits with status 0: code, data that is written, a stack that is not executable.
fn program(interpreter: Option<&[u8]>) -> Vec<u8> {
    const AT: u64 = 0x1_0000;
    let code: [u32; 6] = [
        0x0000_0517, // auipc a0,0
        0x0005_2583, // lw a1,0(a0)
        0xfeb1_3c23, // sd a1,-8(sp)
        0x0000_0513, // li a0,0
        0x05d0_0893, // li a7,93
        0x0000_0073, // ecall
    ];
    let mut segments = vec![(1u32, 5u32, 0u64, AT, 0x200u64, 0x200u64), (1, 6, 0x100, AT + 0x1100, 0x40, 0x2000)];
    segments.push((0x6474_e551, 6, 0, 0, 0, 0));
    if let Some(path) = interpreter {
        segments.push((3, 4, 0x1e0, AT + 0x1e0, path.len() as u64 + 1, path.len() as u64 + 1));
    }
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let kind = if interpreter.is_some() { 3 } else { 2 };
    elf.extend([kind, 243u16].into_iter().flat_map(u16::to_le_bytes));
    elf.extend(1u32.to_le_bytes());
    elf.extend([AT + 0x180, 64, 0].into_iter().flat_map(u64::to_le_bytes));
    elf.extend(5u32.to_le_bytes());
    elf.extend([64u16, 56, segments.len() as u16, 0, 0, 0].into_iter().flat_map(u16::to_le_bytes));
    for (kind, flags, offset, at, in_file, in_memory) in segments {
        elf.extend([kind, flags].into_iter().flat_map(u32::to_le_bytes));
        elf.extend([offset, at, at, in_file, in_memory, 0x1000].into_iter().flat_map(u64::to_le_bytes));
    }
    elf.resize(0x180, 0);
    elf.extend(code.into_iter().flat_map(u32::to_le_bytes));
    elf.resize(0x1e0, 0);
    elf.extend(interpreter.unwrap_or_default());
    elf.resize(0x200, 0);
    elf
}

fn header(kind: EntryType, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(0o644);
    header
}

/// A root file system.
fn small() -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    let mut file = |name: &str, data: &[u8]| {
        tar.append_data(&mut header(EntryType::Regular, data.len()), name, data).expect("memory");
    };
    file("bin/sh", &program(None));
    file("etc/passwd", b"root:x:0:0::/:/bin/sh\n");
    tar.into_inner().expect("memory")
}

/// A layer with an entry of each kind.
fn layer() -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    let memory = "memory";
    tar.append_data(&mut header(EntryType::Directory, 0), "d", &[][..]).expect(memory);
    for (name, data) in [("d/f", &[7; 700][..]), (&"n/".repeat(120), b"1"), ("d/.wh.x", b""), ("d/.wh..wh..opq", b"")] {
        let name = name.trim_end_matches('/');
        tar.append_data(&mut header(EntryType::Regular, data.len()), name, data).expect(memory);
    }
    tar.append_link(&mut header(EntryType::Link, 0), "h", "d/later").expect(memory);
    tar.append_data(&mut header(EntryType::Regular, 1), "d/later", &b"x"[..]).expect(memory);
    tar.append_link(&mut header(EntryType::Symlink, 0), "s", "d").expect(memory);
    tar.append_data(&mut header(EntryType::Regular, 1), "s/t", &b"t"[..]).expect(memory);
    for kind in [EntryType::Char, EntryType::Fifo] {
        let mut device = header(kind, 0);
        device.set_device_major(1).and_then(|()| device.set_device_minor(3)).expect(memory);
        tar.append_data(&mut device, format!("dev/{}", kind.as_byte()), &[][..]).expect(memory);
    }
    let records: [(&str, &[u8]); 2] = [("mtime", b"-1.5"), ("SCHILY.xattr.user.one", b"value")];
    tar.append_pax_extensions(records).expect(memory);
    tar.append_data(&mut header(EntryType::Regular, 1), "pax", &b"p"[..]).expect(memory);
    tar.into_inner().expect(memory)
}

/// The documents of an image with one layer without files, as the OCI specifications have them.
fn oci() -> Vec<u8> {
    let layer = vec![0; 1024];
    let config = br#"{"architecture":"riscv64","os":"linux","config":{"Entrypoint":["/e"],"Cmd":["c"],"Env":["A=b"],
        "WorkingDir":"/w","User":"1:2"},"rootfs":{"type":"layers","diff_ids":["@0"]}}"#;
    let manifest = br#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",
        "digest":"@1","size":204},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"@0","size":1024}]}"#;
    let index = br#"{"schemaVersion":2,"manifests":[{"digest":"@2","size":1,"platform":{"os":"linux",
        "architecture":"riscv64"},"annotations":{"org.opencontainers.image.ref.name":"one"}}]}"#;
    [&layer[..], config, manifest, index].join(&END)
}

/// The same as `docker save` once wrote it.
fn docker() -> Vec<u8> {
    let layer = vec![0; 1024];
    let config = br#"{"architecture":"riscv64","os":"linux","config":null,"rootfs":{"diff_ids":["@0"]}}"#;
    let manifest = br#"[{"Config":"%1","RepoTags":["a:b"],"Layers":["%0"]}]"#;
    [&layer[..], config, manifest].join(&END)
}
