//! Seeds are accepted, and changed ones are refused or as good as any.

use friscy_fuzz_inputs::{elf, image, manifest, seeds, tar, vfs};
use proptest::prelude::*;
use proptest::sample::Index;

#[test]
fn programs_run() {
    let [static_one, dynamic, script] = &seeds("elf")[..] else { panic!("three programs") };
    assert_eq!(elf::run(static_one), Ok(()));
    assert_eq!(elf::run(dynamic), Ok(()));
    let error = elf::run(script).expect_err("a script whose interpreter is the script");
    assert_eq!(error.to_string(), "/p: cannot be executed: too many symbolic links");
}

#[test]
fn images_are_opened() {
    for (at, seed) in seeds("image").into_iter().enumerate() {
        assert!(image::open_bytes(&seed).is_ok(), "seed {at}: {:?}", image::open_bytes(&seed).err());
    }
    for seed in seeds("manifest") {
        image::open_bytes(&manifest::archive(&seed)).expect("an image");
    }
}

/// Bytes that are changed, and where they end.
fn changes() -> impl Strategy<Value = (Vec<(Index, u8)>, Option<Index>)> {
    (prop::collection::vec((any::<Index>(), any::<u8>()), 0..6), prop::option::of(any::<Index>()))
}

fn changed(mut bytes: Vec<u8>, (changes, cut): (Vec<(Index, u8)>, Option<Index>)) -> Vec<u8> {
    for (at, byte) in changes {
        let at = at.index(bytes.len());
        bytes[at] = byte;
    }
    bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
    bytes
}

/// Sets the checksums of a tar's headers right, or only they would ever be looked at.
fn with_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    for block in bytes.chunks_exact_mut(512) {
        let mut header = ::tar::Header::from_byte_slice(block).clone();
        if header.as_old().name[0] != 0 {
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn changed_programs(seed in any::<Index>(), changes in changes()) {
        let seeds = seeds("elf");
        elf::check(&changed(seeds[seed.index(seeds.len())].clone(), changes));
    }

    #[test]
    fn changed_tars(seed in any::<Index>(), changes in changes(), fix in any::<bool>()) {
        let seeds = seeds("tar");
        let bytes = changed(seeds[seed.index(seeds.len())].clone(), changes);
        tar::check(&if fix { with_checksums(bytes) } else { bytes });
    }

    #[test]
    fn changed_documents(seed in any::<Index>(), changes in changes()) {
        let seeds = seeds("manifest");
        manifest::check(&changed(seeds[seed.index(seeds.len())].clone(), changes));
    }

    #[test]
    fn changed_images(seed in any::<Index>(), changes in changes()) {
        let seeds = seeds("image");
        image::check(&changed(seeds[seed.index(seeds.len())].clone(), changes));
    }

    #[test]
    fn files_in_memory_do_as_linux(ops in prop::collection::vec(any::<vfs::Numbers>(), 1..60)) {
        vfs::compare(&ops, false).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn what_an_image_holds_changes_as_on_linux(ops in prop::collection::vec(any::<vfs::Numbers>(), 1..60)) {
        vfs::compare(&ops, true).map_err(TestCaseError::fail)?;
    }
}
