//! bash on a terminal: line editing, job control, the window's size.

use friscy_tests::terminal::Session;

const PROMPT: &str = "ready> ";

/// A shell with a prompt that no output contains.
fn shell() -> Session {
    let mut session = Session::start(&["/bin/bash", "--norc", "--noprofile"]);
    session.wait_for("# ");
    session.type_text("PS1='ready''> '; bind 'set enable-bracketed-paste off'\n");
    session.wait_for("off'");
    session.wait_for(PROMPT);
    session
}

#[test]
fn a_line_is_edited_echoed_and_executed() {
    let mut session = shell();
    session.type_text("echo $((6*8))\x7f\x7f\x7f7))\n");
    session.wait_for("\n42\r\n");
    session.wait_for(PROMPT);
    session.type_text("tty; stty -a | head -n 1\n");
    session.wait_for("/dev/pts/0\r\n");
    session.wait_for("rows 24; columns 80");
    session.wait_for(PROMPT);
    session.type_text("exit 7\n");
    assert_eq!(session.end(), 7);
}

#[test]
fn interrupt_ends_the_foreground_job_only() {
    let mut session = shell();
    session.type_text("sleep 100\n");
    session.wait_for("sleep 100\r\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    session.type_text("\x03");
    session.wait_for("^C");
    session.wait_for(PROMPT);
    session.type_text("echo status $?\n");
    session.wait_for("status 130\r\n");
    session.wait_for(PROMPT);
    session.type_text("\x04");
    assert_eq!(session.end(), 0);
}

#[test]
fn jobs_stop_and_go_on() {
    let mut session = shell();
    session.type_text("sleep 100\n");
    session.wait_for("sleep 100\r\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    session.type_text("\x1a");
    session.wait_for("Stopped");
    session.wait_for(PROMPT);
    session.type_text("bg\n");
    session.wait_for("sleep 100 &");
    session.wait_for(PROMPT);
    session.type_text("jobs\n");
    session.wait_for("Running");
    session.wait_for(PROMPT);
    session.type_text("fg\n");
    session.wait_for("sleep 100\r\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    session.type_text("\x03");
    session.wait_for(PROMPT);
    session.type_text("jobs; exit 3\n");
    assert_eq!(session.end(), 3);
}

#[test]
fn a_new_size_reaches_the_guest() {
    let mut session = shell();
    session.type_text("trap 'echo changed; stty size' WINCH\n");
    session.wait_for(PROMPT);
    session.resize(30, 100);
    session.wait_for("changed\r\n");
    session.wait_for("30 100\r\n");
    session.type_text("exit 0\n");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_terminal_that_is_read_raw_gives_keys() {
    let mut session = Session::start(&[
        "python3",
        "-c",
        "import sys, termios, tty; tty.setraw(0); print('ready', end='\\r\\n', flush=True); print(repr(sys.stdin.buffer.raw.read(1)), end='\\r\\n')",
    ]);
    session.wait_for("ready");
    session.type_text("\x03");
    session.wait_for("b'\\x03'");
    assert_eq!(session.end(), 0);
}

#[test]
fn vim_edits_by_keys() {
    let mut session = shell();
    session.type_text("seq 5 > /tmp/f; TERM=xterm vi -Nu NONE /tmp/f\n");
    session.wait_for("5L, 10B");
    session.type_text("jddGotyped\x1b:%s/^3/three/\r");
    session.wait_for("three");
    session.type_text("ggyyGpu\x12:2\rA!\x1b");
    session.wait_for("!");
    // The screen is drawn anew for another size.
    session.resize(10, 60);
    session.type_text(":set number\r");
    session.wait_for("  1 ");
    session.type_text(":wq\r");
    session.wait_for("written");
    session.wait_for(PROMPT);
    session.type_text("tr '\\n' ' ' < /tmp/f\n");
    session.wait_for("1 three! 4 5 typed 1 ");
    session.wait_for(PROMPT);
    session.type_text("exit 0\n");
    assert_eq!(session.end(), 0);
}
