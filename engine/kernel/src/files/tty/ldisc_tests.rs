//! The line discipline, key by key.

use super::*;

fn type_bytes(ldisc: &mut LineDiscipline, bytes: &[u8]) -> Vec<u32> {
    bytes.iter().filter_map(|&byte| ldisc.receive(byte)).collect()
}

fn shown(ldisc: &mut LineDiscipline) -> String {
    let bytes: Vec<u8> = ldisc.output.drain(..).collect();
    String::from_utf8(bytes).unwrap()
}

fn line(ldisc: &mut LineDiscipline) -> Option<Vec<u8>> {
    let mut buf = [0; 64];
    ldisc.read_line(&mut buf).map(|count| buf[..count].to_vec())
}

#[test]
fn lines_are_edited_and_echoed() {
    let mut ldisc = LineDiscipline::default();
    assert_eq!(type_bytes(&mut ldisc, b"lx\x7fs a\x17\r"), []);
    assert_eq!(shown(&mut ldisc), "lx\x08 \x08s a\x08 \x08\r\n");
    assert_eq!(line(&mut ldisc).unwrap(), b"ls \n");
    assert_eq!(line(&mut ldisc), None);
}

#[test]
fn a_character_of_several_bytes_goes_at_once() {
    let mut ldisc = LineDiscipline::default();
    type_bytes(&mut ldisc, "a€\x7fé\r".as_bytes());
    assert_eq!(shown(&mut ldisc), "a€\x08 \x08é\r\n");
    assert_eq!(line(&mut ldisc).unwrap(), "aé\n".as_bytes());
}

#[test]
fn kill_erases_the_line_and_tabs_their_width() {
    let mut ldisc = LineDiscipline::default();
    ldisc.write(b"$ ");
    type_bytes(&mut ldisc, b"a\t\x7f\x15");
    assert_eq!(shown(&mut ldisc), "$ a\t\x08\x08\x08\x08\x08\x08 \x08".replace("\x08 \x08", "") + "\x08 \x08");
}

#[test]
fn end_of_file_ends_a_line_without_a_byte() {
    let mut ldisc = LineDiscipline::default();
    type_bytes(&mut ldisc, b"ab\x04\x04");
    assert_eq!(line(&mut ldisc).unwrap(), b"ab");
    assert_eq!(line(&mut ldisc).unwrap(), b"");
    assert_eq!(line(&mut ldisc), None);
}

#[test]
fn signals_flush_and_show() {
    let mut ldisc = LineDiscipline::default();
    assert_eq!(type_bytes(&mut ldisc, b"abc\x03\x1c\x1a"), [SIGINT, SIGQUIT, SIGTSTP]);
    assert_eq!(shown(&mut ldisc), "^Z");
    assert_eq!(ldisc.readable_len(), 0);
    type_bytes(&mut ldisc, b"\x16\x03\r");
    assert_eq!(line(&mut ldisc).unwrap(), b"\x03\n");
}

#[test]
fn raw_mode_gives_bytes_at_once() {
    let mut ldisc = LineDiscipline::default();
    type_bytes(&mut ldisc, b"un");
    let mut raw = ldisc.termios;
    raw.c_lflag = 0;
    raw.c_iflag = 0;
    raw.c_oflag = 0;
    ldisc.set_termios(raw);
    assert_eq!(type_bytes(&mut ldisc, b"\x03\r"), []);
    assert!(ldisc.readable());
    let mut buf = [0; 8];
    assert_eq!(ldisc.read_raw(&mut buf), 4);
    assert_eq!(&buf[..4], b"un\x03\r");
    ldisc.write(b"a\nb");
    assert_eq!(shown(&mut ldisc), "una\nb");
}

#[test]
fn output_is_held_between_stop_and_start() {
    let mut ldisc = LineDiscipline::default();
    type_bytes(&mut ldisc, b"\x13");
    assert_eq!(ldisc.write(b"x"), 0);
    type_bytes(&mut ldisc, b"\x11");
    assert_eq!(ldisc.write(b"x"), 1);
    assert_eq!(shown(&mut ldisc), "x");
}
