//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use friscy_abi::layout::Rlimit;
use friscy_abi::sched::{RESOURCES, RLIM_INFINITY};
use friscy_cpu::Policy;
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
#[allow(clippy::large_enum_variant, reason = "there is one, made once")]
pub enum Command {
    /// Runs a command in an image, or one ELF file.
    ///
    /// When standard input and output are terminals, the command gets a terminal of its own; otherwise it gets pipes. The
    /// exit status is the command's, 128+N when signal N killed it, 127 when it was not found, 126 when it cannot be
    /// executed, 125 for friscy's own errors.
    ///
    /// SIGHUP, SIGINT, SIGQUIT and SIGTERM are passed on to the command and its process group. They end it as they end
    /// any process, unless it handles, ignores or blocks them; the fourth of a kind ends it in any case.
    ///
    /// What the command writes into its files is gone when it ends, except in
    /// what `-v` mounts.
    Run(RunOptions),
    /// Serves a folder that friscy-pack wrote to browsers on this machine.
    Serve(ServeOptions),
    /// Lists or removes what images left in the cache folder.
    Cache(CacheOptions),
    /// Compiles an ELF file ahead of time to WebAssembly, for pages that friscy-pack makes.
    Aot(AotOptions),
    /// Looks at profiles that `friscy run --profile-out` wrote.
    Prof(ProfOptions),
    /// Prints the table of system calls as a Markdown page.
    Syscalls,
    /// Disassembles code of an ELF file.
    Disasm(CodeOptions),
    /// Prints the intermediate representation of code of an ELF file.
    Lift(LiftOptions),
    /// Prints a shell's completions (`friscy completions bash > /etc/bash_completion.d/friscy`).
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the man page of friscy or of one of its commands (`friscy man run | man -l -`).
    Man {
        /// The command.
        command: Option<String>,
    },
}

/// What executes guest code.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TierChoice {
    /// The interpreter.
    Interp,
    /// The interpreter at first; what is hot is compiled.
    Jit,
}

/// What becomes of compiled code.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeepCode {
    /// What was kept is taken; what the run leaves is compiled when it has ended, in the background, and kept.
    On,
    /// The same, and the run ends when that is done.
    Wait,
    /// What was kept is taken.
    Read,
    /// Neither.
    Off,
}

/// How `--stats` prints.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatsFormat {
    /// Lines to read.
    Text,
    /// One object.
    Json,
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

    /// What executes guest code: the interpreter alone, or with hot code compiled.
    #[arg(long, value_enum, default_value_t = TierChoice::Jit)]
    pub tier: TierChoice,

    /// How many samples, one every 16,384 instructions, make code hot, so that it is compiled: three times as
    /// many in a program's first 64 million instructions, a third later while nothing else is being compiled.
    #[arg(long, value_name = "SAMPLES", default_value_t = Policy::default().hot, value_parser = clap::value_parser!(u32).range(1..))]
    pub jit_threshold: u32,

    /// Code of the image that was compiled is kept in the cache for later runs: on takes what there is and, when the command
    /// has ended, compiles in the background what it ran, wait does so before friscy ends, read only takes what there is, off
    /// does neither.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = KeepCode::On, env = "FRISCY_CODE_CACHE")]
    pub code_cache: KeepCode,

    /// Runs everything by the interpreter first, takes that back, runs it again as `--tier` says, and compares registers,
    /// flags and written memory. At the first difference it says where and what, and ends with status 125.
    #[arg(long)]
    pub crosscheck: bool,

    /// Prints executed instructions and time at the end, and what was compiled; as a line of JSON if so asked.
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text"
    )]
    pub stats: Option<StatsFormat>,

    /// Writes a profile of the run at its end: which code of which files was executed how often (`friscy prof show`).
    #[arg(long, value_name = "FILE", conflicts_with = "crosscheck")]
    pub profile_out: Option<PathBuf>,

    /// Writes /tmp/perf-PID.map, by which Linux perf names compiled code: `riscv:` and the guest's symbol or address.
    #[arg(long)]
    pub perf_map: bool,

    /// Sets an environment variable; without a value, to what it is here.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,

    /// Reads environment variables from a file, one NAME=VALUE a line.
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// The working directory; it is made if it does not exist [default: the image's, or /].
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,

    /// The user, by name or number [default: the image's, or root].
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

    /// The host name [default: friscy].
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,

    /// Says of every process that crashes where it was and which calls led there.
    #[arg(long)]
    pub backtrace: bool,

    /// Makes the root file system read-only.
    #[arg(long)]
    pub read_only: bool,

    /// Mounts an empty file system in memory.
    #[arg(long, value_name = "DIR")]
    pub tmpfs: Vec<String>,

    /// Sets a resource limit: core, cpu, data, fsize, nofile, nproc, stack and so on; -1 is none.
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = parse_ulimit)]
    pub ulimit: Vec<Ulimit>,

    /// Memory of all processes and files in memory together, such as 512m or 2g: the guest is told so, and when it uses
    /// more, the process with the most is killed [default: 2g].
    #[arg(short, long, value_name = "SIZE", value_parser = parse_size)]
    pub memory: Option<u64>,

    /// The most processes and threads of the container together, past which making one more fails with EAGAIN; 0 and
    /// -1 are no limit but the system's, 15600 [default: 4096].
    #[arg(long, value_name = "NUMBER", value_parser = parse_pids_limit, allow_negative_numbers = true)]
    pub pids_limit: Option<PidsLimit>,

    /// Keeps standard input open; it always is, the flag is for habit.
    #[arg(short, long)]
    pub interactive: bool,

    /// Gives the command a terminal even when standard input or output is none.
    #[arg(short, long)]
    pub tty: bool,

    /// Mounts a folder or file of this machine: what the command changes there is changed here.
    #[arg(short = 'v', long = "volume", value_name = "HOST:GUEST[:ro|rw]")]
    pub volumes: Vec<std::ffi::OsString>,

    /// The program to start in place of the image's entry point, before the arguments of the command line.
    #[arg(long, value_name = "CMD")]
    pub entrypoint: Option<String>,

    /// When an image that is named, and no file, is fetched from its registry: missing (from the cache), always, never.
    #[arg(long, value_name = "WHEN", default_value = "missing")]
    pub pull: friscy_image::Pull,

    /// A `docker save` or OCI archive, an OCI layout folder, a tar or folder of a root file system, or an ELF file;
    /// archives may be compressed. FILE:NAME chooses among several images in one. Or an image of a registry:
    /// NAME[:TAG|@DIGEST].
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,

    /// The command and its arguments [default: the image's, or bash or sh].
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD ARG")]
    pub command: Vec<std::ffi::OsString>,
}

/// `friscy cache`.
#[derive(Args)]
pub struct CacheOptions {
    /// What to do.
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// The commands of `friscy cache`.
#[derive(Subcommand)]
pub enum CacheCommand {
    /// Lists images: size, last use, and how they were named when they came; layers may be shared.
    Ls,
    /// Removes what runs that were killed left, and layers that no image in the cache needs.
    Prune {
        /// Removes everything.
        #[arg(long)]
        all: bool,
    },
}

/// `friscy aot`.
#[derive(Args)]
pub struct AotOptions {
    /// A riscv64 program, statically or dynamically linked, or a shared object.
    pub elf: PathBuf,

    /// The module to write [default: the ELF file's name with the extension wasm].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Compiles only what a profile of `friscy run --profile-out` shows to be hot, grown to whole functions.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,

    /// How much of the profile's instructions is to be in what is compiled, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 99.0, requires = "profile")]
    pub coverage: f64,

    /// The most bytes of the guest's code that are compiled by a profile.
    #[arg(long, value_name = "BYTES", default_value_t = u64::MAX, hide_default_value = true, requires = "profile")]
    pub max_size: u64,
}

/// `friscy prof`.
#[derive(Args)]
pub struct ProfOptions {
    /// What to do.
    #[command(subcommand)]
    pub command: ProfCommand,
}

/// The commands of `friscy prof`. A profile is read in either form.
#[derive(Subcommand)]
pub enum ProfCommand {
    /// Prints modules, and the functions in which most instructions were executed.
    Show {
        /// The profile.
        profile: PathBuf,
        /// ELF files, whose symbols name functions.
        elf: Vec<PathBuf>,
        /// A folder with the guest's root file system: files are looked for in it by the paths in the profile.
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
        /// How many functions are printed.
        #[arg(short = 'n', long, default_value_t = 20)]
        count: usize,
    },
    /// Adds profiles up.
    Merge {
        /// The profiles.
        #[arg(required = true)]
        profiles: Vec<PathBuf>,
        /// How often each counts, in their order [default: once].
        #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
        weights: Vec<std::num::NonZeroU64>,
        /// Where the sum is written.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Prints how alike two profiles are, and the modules and blocks whose shares differ most.
    Diff {
        /// A profile.
        old: PathBuf,
        /// Another.
        new: PathBuf,
        /// How many blocks are printed.
        #[arg(short = 'n', long, default_value_t = 20)]
        count: usize,
    },
    /// Checks a profile against ELF files: the share of counts whose blocks have the same bytes there. The exit status
    /// is 1 if that is not all of the files' counts.
    Verify {
        /// The profile.
        profile: PathBuf,
        /// The ELF files.
        #[arg(required = true)]
        elf: Vec<PathBuf>,
    },
    /// Prints a profile as text, or makes one of a text.
    Text {
        /// The profile.
        profile: PathBuf,
        /// Writes it there as `friscy run` does, instead.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
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

    /// Shows what is given to Cranelift.
    #[arg(long, conflicts_with = "raw")]
    pub clif: bool,

    /// Shows the host's instructions.
    #[arg(long, conflicts_with = "raw")]
    pub asm: bool,

    /// Shows the WebAssembly that a browser is given.
    #[arg(long, conflicts_with = "raw")]
    pub wat: bool,
}

/// A resource limit, getrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ulimit {
    /// The number of the resource.
    pub resource: u32,
    /// The soft and the hard limit.
    pub limit: Rlimit,
}

/// `NAME=SOFT[:HARD]` in the resource's own unit, as docker takes it.
fn parse_ulimit(text: &str) -> Result<Ulimit, String> {
    let (name, values) = text.split_once('=').ok_or("write NAME=SOFT[:HARD]")?;
    let wanted = format!("RLIMIT_{}", name.to_ascii_uppercase());
    let resource = RESOURCES.iter().find(|(_, name)| *name == wanted).map(|(number, _)| *number);
    let Some(resource) = resource.and_then(|number| u32::try_from(number).ok()) else {
        let names: Vec<String> =
            RESOURCES.iter().map(|(_, name)| name["RLIMIT_".len()..].to_ascii_lowercase()).collect();
        return Err(format!("the names are {}", names.join(", ")));
    };
    let value = |text: &str| match text {
        "-1" | "unlimited" => Ok(RLIM_INFINITY),
        _ => text.parse().map_err(|_| format!("{text}: not a number")),
    };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let limit = Rlimit { rlim_cur: value(soft)?, rlim_max: value(hard)? };
    if limit.rlim_cur > limit.rlim_max {
        return Err(String::from("the soft limit is above the hard one"));
    }
    Ok(Ulimit { resource, limit })
}

/// The most threads of all processes together; `None` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidsLimit(pub Option<u64>);

/// A number of threads, as docker takes it.
fn parse_pids_limit(text: &str) -> Result<PidsLimit, String> {
    match text.parse::<i64>() {
        Ok(limit @ 1..) => Ok(PidsLimit(Some(limit.unsigned_abs()))),
        Ok(-1 | 0) => Ok(PidsLimit(None)),
        _ => Err(String::from("a number, or -1 for no limit")),
    }
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
    fn limits() {
        let limit = |rlim_cur, rlim_max| Rlimit { rlim_cur, rlim_max };
        assert_eq!(parse_ulimit("nofile=64:128"), Ok(Ulimit { resource: 7, limit: limit(64, 128) }));
        assert_eq!(parse_ulimit("core=-1"), Ok(Ulimit { resource: 4, limit: limit(RLIM_INFINITY, RLIM_INFINITY) }));
        for wrong in ["nofile", "nofile=", "nofile=2:1", "nofile=x", "files=1"] {
            assert!(parse_ulimit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pids_limits() {
        assert_eq!(parse_pids_limit("100"), Ok(PidsLimit(Some(100))));
        assert_eq!(parse_pids_limit("-1"), Ok(PidsLimit(None)));
        assert_eq!(parse_pids_limit("0"), Ok(PidsLimit(None)));
        for wrong in ["", "-2", "many", "1k"] {
            assert!(parse_pids_limit(wrong).is_err(), "{wrong}");
        }
        let cli = Cli::try_parse_from(["friscy", "run", "--pids-limit", "-1", "root"]).unwrap();
        let Command::Run(run) = cli.command else { panic!() };
        assert_eq!(run.pids_limit, Some(PidsLimit(None)));
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
