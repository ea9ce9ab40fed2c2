//! The page of system calls, made from the table.

use crate::rows::TABLE;
use crate::table::Support;
use std::fmt::Write as _;

/// `docs/syscalls.md`: every call with its number and how much of it there is.
#[must_use]
pub fn page() -> String {
    let count = |wanted: fn(&Support) -> bool| TABLE.iter().filter(|row| wanted(&row.support)).count();
    let mut text =
        String::from("# System calls\n\nMade from the system-call table by `friscy syscalls`; do not edit.\n\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{} calls: {} full, {} partial, {} that always fail. *Full* means all that the manual page says, shown by a test \
         whose expectations held on Linux or under qemu-user first.\n",
        TABLE.len(),
        count(|support| matches!(support, Support::Full)),
        count(|support| matches!(support, Support::Partial(_))),
        count(|support| matches!(support, Support::Stub(_))),
    );
    text.push_str("| number | call | can wait | support | what is missing |\n|---:|---|---|---|---|\n");
    for row in TABLE {
        let args: Vec<&str> = row.args.iter().map(|arg| arg.name).collect();
        let (support, missing) = match row.support {
            Support::Full => ("full", String::new()),
            Support::Partial(missing) => ("partial", missing.to_owned()),
            Support::Stub(errno) => ("none", format!("always `{errno}`")),
        };
        let waits = if row.blocks { "yes" } else { "" };
        let _ = writeln!(
            text,
            "| {} | `{}({})` | {waits} | {support} | {missing} |",
            row.number,
            row.name,
            args.join(", ")
        );
    }
    text
}
