//! `#!` lines, execve(2).

/// What a `#!` line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// The interpreter's path.
    pub interpreter: Vec<u8>,
    /// Everything after it, as one argument.
    pub argument: Option<Vec<u8>>,
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line
        && is_blank(first)
    {
        line = rest;
    }
    while let [rest @ .., last] = line
        && is_blank(last)
    {
        line = rest;
    }
    line
}

/// Reads the `#!` line in a file's first bytes (at most 256; `whole` says that they are the whole file). `None` when
/// it names no interpreter, or the interpreter's name may have been cut off.
pub(crate) fn parse_script(head: &[u8]) -> Option<Script> {
    let line = head.strip_prefix(b"#!")?;
    // A zero byte ends it as in Linux, where the buffer is filled up with zeros.
    let (line, cut) = match line.iter().position(|&byte| byte == b'\n' || byte == 0) {
        Some(end) => (line.get(..end)?, false),
        None => (line, head.len() >= super::HEAD_SIZE),
    };
    let start = line.iter().position(|byte| !is_blank(byte))?;
    let line = line.get(start..)?;
    let end = line.iter().position(is_blank);
    if cut && end.is_none() {
        return None;
    }
    let (interpreter, rest) = line.split_at(end.unwrap_or(line.len()));
    let argument = trim(rest);
    Some(Script { interpreter: interpreter.to_vec(), argument: (!argument.is_empty()).then(|| argument.to_vec()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &[u8], expected: Option<(&str, Option<&str>)>) {
        let script = parse_script(head);
        let got = script.as_ref().map(|script| {
            let argument = script.argument.as_deref().map(|bytes| std::str::from_utf8(bytes).unwrap());
            (std::str::from_utf8(&script.interpreter).unwrap(), argument)
        });
        assert_eq!(got, expected);
    }

    #[test]
    fn lines() {
        check(b"#!/bin/sh\necho", Some(("/bin/sh", None)));
        check(b"#! /usr/bin/env  python3 -E \n", Some(("/usr/bin/env", Some("python3 -E"))));
        check(b"#!/bin/sh", Some(("/bin/sh", None)));
        check(b"#!\t/bin/awk -f\t\n", Some(("/bin/awk", Some("-f"))));
        check(b"#!\n", None);
        check(b"#!  \n", None);
        check(b"echo", None);
    }

    #[test]
    fn a_name_that_fills_the_buffer_is_refused() {
        let mut head = b"#!/".to_vec();
        head.resize(super::super::HEAD_SIZE, b'a');
        check(&head, None);
        head[100] = b' ';
        assert!(parse_script(&head).is_some());
    }
}
