//! /proc/PID/maps, smaps, mounts and mountinfo, proc(5).

use super::proc_pid::Subject;
use crate::mm::{VmaBacking, VmaFlags};
use friscy_abi::Errno;
use friscy_abi::layout::{major, minor};
use std::fmt::Write as _;

/// The lines of /proc/PID/maps with the length of each mapping.
pub(super) fn map_lines(subject: &Subject<'_>) -> Result<Vec<(Vec<u8>, u64)>, Errno> {
    let Some(task) = subject.task else { return Ok(Vec::new()) };
    let mm = task.mm.borrow();
    let lines = mm.vmas.values().map(|vma| {
        let flag = |on: bool, letter: char| if on { letter } else { '-' };
        let (offset, dev, ino, name) = match &vma.backing {
            VmaBacking::Object { offset, file: Some(file), .. } => (*offset, file.dev, file.ino, file.path.clone()),
            VmaBacking::Object { offset, file: None, .. } => (*offset, 1, 1, b"/dev/zero (deleted)".to_vec()),
            VmaBacking::Anonymous => {
                let name: &[u8] = if vma.flags.contains(VmaFlags::STACK) {
                    b"[stack]"
                } else if vma.flags.contains(VmaFlags::HEAP) {
                    b"[heap]"
                } else if vma.flags.contains(VmaFlags::VDSO) {
                    b"[vdso]"
                } else {
                    b""
                };
                (0, 0, 0, name.to_vec())
            }
        };
        let mut line = format!(
            "{:08x}-{:08x} {}{}{}{} {offset:08x} {:02x}:{:02x} {ino} ",
            vma.start,
            vma.end,
            flag(vma.prot.read, 'r'),
            flag(vma.prot.write, 'w'),
            flag(vma.prot.exec, 'x'),
            if vma.is_shared() { 's' } else { 'p' },
            major(dev),
            minor(dev),
        )
        .into_bytes();
        if !name.is_empty() {
            line.resize(line.len().max(73), b' ');
            line.extend(name);
        }
        line.push(b'\n');
        (line, vma.end - vma.start)
    });
    Ok(lines.collect())
}

pub(super) fn maps(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    Ok(map_lines(subject)?.into_iter().flat_map(|(line, _)| line).collect())
}

pub(super) fn smaps(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let mut out = Vec::new();
    for (line, len) in map_lines(subject)? {
        out.extend(line);
        let size = len / 1024;
        out.extend(
            format!(
                "Size:           {size:8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\nRss:            {size:8} kB\nPss:            {size:8} kB\n"
            )
            .into_bytes(),
        );
    }
    Ok(out)
}

/// A path in a mount table: blanks and backslashes in octal.
pub(super) fn escape(path: &[u8]) -> String {
    let mut text = String::new();
    for &byte in path {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\\') {
            let _ = write!(text, "\\{byte:03o}");
        } else {
            text.push(byte as char);
        }
    }
    text
}

pub(super) fn mount_options(flags: friscy_vfs::MountFlags) -> String {
    let mut text = String::from(if flags.read_only { "ro" } else { "rw" });
    for (on, name) in
        [(flags.no_suid, ",nosuid"), (flags.no_dev, ",nodev"), (flags.no_exec, ",noexec"), (flags.no_atime, ",noatime")]
    {
        if on {
            text.push_str(name);
        }
    }
    text.push_str(",relatime");
    text
}

pub(super) fn mounts(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let root = subject.live()?.fs.borrow().root.clone();
    let mut text = String::new();
    for info in subject.kernel.vfs.mounts(&root) {
        let _ = writeln!(
            text,
            "{} {} {} {} 0 0",
            escape(&info.source),
            escape(&info.mount_point),
            info.mount.file_system().super_block().name(),
            mount_options(info.mount.flags()),
        );
    }
    Ok(text.into_bytes())
}

pub(super) fn mountinfo(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let root = subject.live()?.fs.borrow().root.clone();
    let mut text = String::new();
    for info in subject.kernel.vfs.mounts(&root) {
        let sb = info.mount.file_system().super_block();
        let dev = sb.dev();
        let _ = writeln!(
            text,
            "{} {} {}:{} {} {} {} - {} {} {}",
            info.mount.id(),
            info.parent_id,
            major(dev),
            minor(dev),
            escape(&info.root),
            escape(&info.mount_point),
            mount_options(info.mount.flags()),
            sb.name(),
            escape(&info.source),
            if info.mount.flags().read_only { "ro" } else { "rw" },
        );
    }
    Ok(text.into_bytes())
}
