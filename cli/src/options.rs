//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Runs riscv64 Linux programs and root file systems without a kernel or a virtual machine.
#[derive(Parser)]
#[command(name = "friscy", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Runs a command in a root file system, or one ELF file.
    ///
    /// When standard input and output are terminals, the command gets a terminal of its own; otherwise it gets pipes. The
    /// exit status is the command's, 128+N when signal N killed it, 127 when it was not found, 126 when it cannot be
    /// executed, 125 for friscy's own errors. What the command writes into its files is gone when it ends.
    Run(RunOptions),
    /// Serves a folder that friscy-pack wrote to browsers on this machine.
    Serve(ServeOptions),
    /// Prints the table of system calls as a Markdown page.
    Syscalls,
    /// Disassembles code of an ELF file.
    Disasm(CodeOptions),
    /// Prints the intermediate representation of code of an ELF file.
    Lift(LiftOptions),
}

/// `friscy run`.
#[derive(Args)]
pub struct RunOptions {
    /// Traces system calls on standard error: all, or those named (`--strace=openat,read`; `!read` leaves one out).
    #[arg(long, value_name = "SET", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub strace: Option<String>,

    /// Time from executed instructions and seeded entropy: the same run every time.
    #[arg(long)]
    pub deterministic: bool,

    /// Prints executed instructions and time at the end.
    #[arg(long)]
    pub stats: bool,

    /// Sets an environment variable; without a value, to what it is here.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,

    /// Reads environment variables from a file, one NAME=VALUE a line.
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// The working directory; it is made if it does not exist [default: /].
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,

    /// The user, by name or number [default: root].
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

    /// The host name [default: friscy].
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,

    /// Memory that the guest is told of, such as 512m or 2g [default: 2g].
    #[arg(short, long, value_name = "SIZE", value_parser = parse_size)]
    pub memory: Option<u64>,

    /// Keeps standard input open; it always is, the flag is for habit.
    #[arg(short, long)]
    pub interactive: bool,

    /// Gives the command a terminal even when standard input or output is none.
    #[arg(short, long)]
    pub tty: bool,

    /// The program to start, before the arguments of the command line.
    #[arg(long, value_name = "CMD")]
    pub entrypoint: Option<String>,

    /// A folder or a tar of a root file system, or an ELF file.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,

    /// The command and its arguments [default: bash or sh].
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD ARG")]
    pub command: Vec<std::ffi::OsString>,
}

/// `friscy serve`.
#[derive(Args)]
pub struct ServeOptions {
    /// The folder.
    pub dir: PathBuf,

    /// The port; 0 is any that is free.
    #[arg(short, long, default_value_t = 8080)]
    pub port: u16,

    /// The address to listen at.
    #[arg(long, default_value = "127.0.0.1")]
    pub bind: std::net::IpAddr,
}

/// `friscy disasm`.
#[derive(Args)]
pub struct CodeOptions {
    /// The ELF file.
    pub elf: PathBuf,

    /// Where to begin: a symbol or an address (0x…) [default: the entry point].
    #[arg(long, value_name = "SYMBOL|ADDRESS")]
    pub at: Option<String>,

    /// How many instructions [default: to the symbol's end, or 64].
    #[arg(short = 'n', long)]
    pub count: Option<usize>,
}

/// `friscy lift`.
#[derive(Args)]
pub struct LiftOptions {
    /// The ELF file.
    pub elf: PathBuf,

    /// Where the region begins: a symbol or an address (0x…) [default: the entry point].
    #[arg(long, value_name = "SYMBOL|ADDRESS")]
    pub at: Option<String>,

    /// Shows the region as it was lifted, before any pass.
    #[arg(long)]
    pub raw: bool,
}

/// A number of bytes: digits, and k, m or g.
fn parse_size(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches('b').trim_end_matches(['k', 'm', 'g']);
    let shift = match lower.trim_end_matches('b').strip_prefix(digits) {
        Some("") => 0,
        Some("k") => 10,
        Some("m") => 20,
        Some("g") => 30,
        _ => return Err(String::from("a number, and k, m or g")),
    };
    let number: u64 = digits.parse().map_err(|_| String::from("a number, and k, m or g"))?;
    let bytes = number.checked_mul(1 << shift).ok_or("too large")?;
    if bytes < 16 << 20 { Err(String::from("at least 16m")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_end_at_the_image() {
        let cli = Cli::try_parse_from(["friscy", "run", "-e", "A=1", "root", "ls", "-la", "--strace"]).unwrap();
        let Command::Run(run) = cli.command else { panic!() };
        assert_eq!(run.command, ["ls", "-la", "--strace"]);
        assert_eq!(run.env, ["A=1"]);
        assert_eq!(run.strace, None);
        let cli = Cli::try_parse_from(["friscy", "run", "--strace", "root"]).unwrap();
        let Command::Run(run) = cli.command else { panic!() };
        assert_eq!(run.strace.as_deref(), Some("all"));
        assert_eq!(run.image, std::path::Path::new("root"));
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("64m"), Ok(64 << 20));
        assert_eq!(parse_size("2G"), Ok(2 << 30));
        assert_eq!(parse_size("512MB"), Ok(512 << 20));
        for wrong in ["", "m", "1k", "12q", "-1", "99999999999g"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
