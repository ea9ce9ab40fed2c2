//! Laws of profiles: encoding, text and merging.

use friscy_profile::{Block, Count, DecodeError, Module, ModuleId, Name, Phases, Profile, overlap};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use std::num::NonZeroU64;

fn name() -> impl Strategy<Value = Name> {
    "\\PC{0,12}".prop_map(|text| Name::new(&text))
}

/// Counts, small ones and those at the limit.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..1000_u64, any::<u64>(), Just(u64::MAX)]
}

fn count() -> impl Strategy<Value = Count> {
    (number(), any::<bool>(), any::<bool>())
        .prop_map(|(instructions, startup, steady)| Count { instructions, phases: Phases { startup, steady } })
}

/// Blocks of which two profiles have some in common.
fn block() -> impl Strategy<Value = Block> {
    (0..8_u64, 0..3_u32, 0..2_u64, any::<bool>()).prop_map(|(offset, len, hash, far)| Block {
        offset: if far { u64::MAX - offset } else { offset },
        len,
        hash,
        loose: !hash,
    })
}

prop_compose! {
    fn module()(
        soname in proptest::option::of(name()),
        build_id in proptest::option::of(name()),
        paths in btree_set(name(), 0..3),
        blocks in btree_map(block(), count(), 0..12),
    ) -> Module {
        Module { soname, build_id, paths, blocks }
    }
}

prop_compose! {
    fn profile()(
        producers in btree_set(name(), 0..3),
        labels in btree_set(name(), 0..3),
        retired in number(),
        elsewhere in number(),
        modules in btree_map((0..4_u8).prop_map(|byte| ModuleId([byte; 32])), module(), 0..4),
    ) -> Profile {
        Profile { producers, labels, retired, elsewhere, modules }
    }
}

fn merged(a: &Profile, b: &Profile) -> Profile {
    let mut sum = a.clone();
    sum.merge(b);
    sum
}

proptest! {
    #[test]
    fn both_forms_round_trip(profile in profile()) {
        let bytes = profile.encode();
        prop_assert_eq!(&Profile::decode(&bytes).unwrap(), &profile);
        prop_assert_eq!(&bytes, &profile.clone().encode());
        prop_assert_eq!(&Profile::parse(&profile.print()).unwrap(), &profile);
    }

    #[test]
    fn merging_is_commutative_and_associative(a in profile(), b in profile(), c in profile()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(&merged(&a, &Profile::default()), &a);
    }

    #[test]
    fn weights_are_repetitions(a in profile(), b in profile(), weight in 1..5_u64) {
        let times = NonZeroU64::new(weight).unwrap();
        let repeated = (1..weight).fold(a.clone(), |sum, _| merged(&sum, &a));
        prop_assert_eq!(&a.clone().weighted(times), &repeated);
        prop_assert_eq!(merged(&a, &b).weighted(times), merged(&a.weighted(times), &b.weighted(times)));
    }

    #[test]
    fn every_truncation_and_change_is_seen(profile in profile(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let bytes = profile.encode();
        let cut = at.index(bytes.len());
        let error = Profile::decode(&bytes[..cut]).unwrap_err();
        let named = if cut < 8 { error == DecodeError::Magic } else { matches!(error, DecodeError::Truncated { .. }) };
        prop_assert!(named, "{cut}: {error}");
        let mut changed = bytes;
        changed[cut] ^= 1_u8 << bit;
        prop_assert!(Profile::decode(&changed).is_err());
        changed[cut] ^= 1_u8 << bit;
        changed.push(0);
        prop_assert_eq!(Profile::decode(&changed), Err(DecodeError::Trailing(1)));
    }

    #[test]
    fn random_bytes_are_refused(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(Profile::decode(&bytes).is_err());
        let _ = Profile::parse(&String::from_utf8_lossy(&bytes));
    }

    /// The checksum does not protect from who can compute it.
    #[test]
    fn random_sections_do_not_panic(sections in vec(any::<u8>(), 0..300), tag in 0..3_u8) {
        let framed = |sections: &[u8]| {
            use sha2::Digest;
            let mut file = b"friscypf\x01\0".to_vec();
            file.extend((sections.len() as u64).to_le_bytes());
            file.extend(sections);
            let checksum = sha2::Sha256::digest(&file);
            file.extend(checksum);
            file
        };
        prop_assert!(Profile::decode(&framed(&sections)).is_err() || sections.is_empty());
        let mut tagged = vec![tag];
        tagged.extend((sections.len() as u64).to_le_bytes());
        tagged.extend(&sections);
        prop_assert!(Profile::decode(&framed(&tagged)).is_err());
    }

    #[test]
    fn overlap_is_a_share(a in profile(), b in profile()) {
        let share = overlap(&a, &b);
        prop_assert!((0.0..=1.000_001).contains(&share), "{share}");
        prop_assert!((share - overlap(&b, &a)).abs() < 1e-9);
    }
}

#[test]
fn another_version_is_named() {
    let mut bytes = Profile::default().encode();
    bytes[8] = 2;
    assert_eq!(Profile::decode(&bytes), Err(DecodeError::Version(2)));
    let text = Profile::decode(&bytes).unwrap_err().to_string();
    assert_eq!(text, "a profile of format version 2; this friscy reads version 1");
}

/// What later versions add without changing what is there may be passed over.
#[test]
fn optional_sections_are_skipped() {
    use sha2::Digest;
    let bytes = Profile::default().encode();
    let with = |tag: u8| {
        let mut file = bytes[..bytes.len() - 32].to_vec();
        file.push(tag);
        file.extend(3_u64.to_le_bytes());
        file.extend(b"abc");
        let len = (file.len() - 18) as u64;
        file[10..18].copy_from_slice(&len.to_le_bytes());
        let checksum = sha2::Sha256::digest(&file);
        file.extend(checksum);
        Profile::decode(&file)
    };
    assert_eq!(with(128), Ok(Profile::default()));
    assert_eq!(with(5), Err(DecodeError::Section(5)));
}

#[test]
fn wrong_text_is_told_by_line() {
    let wrong = |text: &str| Profile::parse(text).unwrap_err().to_string();
    assert_eq!(wrong(""), "line 1: the text is empty");
    assert_eq!(wrong("hello"), "line 1: a profile in text begins with \"friscy profile 1\"");
    assert_eq!(wrong("friscy profile 1\n\nretired -1"), "line 3: a number below 2^64 is wanted");
    assert_eq!(wrong("friscy profile 1\npath /bin/sh"), "line 2: there is no module before");
    assert_eq!(wrong("friscy profile 1\nmodule 12"), "line 2: a SHA-256 hash of 64 hexadecimal digits is wanted");
    let module = format!("friscy profile 1\nmodule {}\n", "0a".repeat(32));
    let block = "block 0x10 4 0 1 5 steady\n";
    assert_eq!(wrong(&format!("{module}{block}{block}")), "line 4: this block was there before");
    assert_eq!(
        wrong(&format!("{module}block 0x10 4 0 1 5 often")),
        "line 3: offset, length, two hashes, count and phases are wanted"
    );
}
