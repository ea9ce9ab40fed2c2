//! Images made by Debian's tools from the busybox of the root file system, one a form (`tests/images.sh`).

use crate::places::{rootfs_folder, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder of images, made once for a version of the script.
///
/// # Panics
/// If the tools that make them fail.
pub fn images() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let script = workspace().join("tests/images.sh");
        // A hash of the script that is the same in every run of the same compiler is enough.
        let text = fs::read_to_string(&script).expect("the script");
        let key = text.bytes().fold(0_u64, |key, byte| key.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
        let cache = rootfs_folder().parent().map(Path::to_owned).unwrap_or_default();
        let folder = cache.join(format!("images-{key:016x}"));
        if folder.is_dir() {
            return folder;
        }
        let unfinished = cache.join(format!("images-unfinished-{}", std::process::id()));
        let output = Command::new("sh").arg(&script).arg(rootfs_folder()).arg(&unfinished).output().expect("sh");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "images cannot be made (`cargo xtask setup` installs the tools):\n{stderr}");
        if fs::rename(&unfinished, &folder).is_err() {
            // Another test program was faster.
            let _ = fs::remove_dir_all(&unfinished);
        }
        folder
    })
}
