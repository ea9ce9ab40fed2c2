//! Groups of named constants: each is a set of `const`s and one table of names that `--strace` prints from.

/// A group of constants: value and name, in the order written.
pub type Names = &'static [(u64, &'static str)];

/// Declares each constant with the type given, and the table of all of them under the group's name.
macro_rules! constants {
    ($(#[$doc:meta])* $group:ident: $ty:ty; $($name:ident = $value:literal,)*) => {
        $(
            #[allow(missing_docs, reason = "the names are those of the man page")]
            pub const $name: $ty = $value;
        )*
        $(#[$doc])*
        #[allow(clippy::unnecessary_cast, reason = "the group's type varies")]
        pub const $group: $crate::table::Names = &[$(($value as $ty as u64, stringify!($name)),)*];
    };
}

pub(crate) use constants;

/// The name of exactly `value` in a group.
#[must_use]
pub fn name_of(names: Names, value: u64) -> Option<&'static str> {
    names.iter().find(|row| row.0 == value).map(|row| row.1)
}
