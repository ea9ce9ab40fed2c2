//! `friscy run`: the first process, and the loop that runs the machine and waits for the host.

use crate::error::{Error, OWN_ERROR};
use crate::host::{Events, Mode, RawMode, Streams, resident};
use crate::image::Image;
use crate::machine::Built;
use crate::options::{KeepCode, RunOptions};
use crate::perf::PerfMap;
use crate::record::{self, Output};
use crate::{background, crash, crosscheck, machine, mounts, stats, strace, users};
use friscy_abi::signal::SIGKILL;
use friscy_cpu::{Crosscheck, Ended};
use friscy_engine::{ExitStatus, Machine, MachineStatus, Program};
use friscy_kernel::crash::Crash;
use friscy_kernel::signal::SigInfo;
use std::env;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// `PATH` unless the environment says otherwise, as docker sets it.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Shells that are started when no command is given, best first.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// Nanoseconds between two looks at signals while the guest computes.
const SLICE: u64 = 50_000_000;

/// Between two looks at how much memory the guest uses: a guest that often waits for the host shall not pay for more.
const MEMORY_INTERVAL: Duration = Duration::from_millis(20);

/// Runs of fewer instructions leave nothing behind.
const WORTH_KEEPING: u64 = 1 << 20;

/// The process group that signals from outside go to: the first process's.
const FIRST: u32 = 1;

/// Signals of one kind that friscy passes on; the next one ends it, whatever the guest makes of them.
const PATIENCE: u32 = 3;

/// Runs a command, and answers its exit status.
///
/// # Errors
/// The image, or the command, cannot be started.
pub fn run(options: &RunOptions) -> Result<ExitCode, Error> {
    let profile_out = options.profile_out.as_deref().map(Output::new).transpose()?;
    let image = Image::open(&options.image, options.pull)?;
    let mode = Mode::choose(options.tty);
    let program = program(options, &image, mode)?;
    let hostname = options.hostname.as_deref().unwrap_or("friscy");
    image.write("/etc/hostname", &format!("{hostname}\n"));
    image.write("/etc/hosts", &format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t{hostname}\n"));
    mounts::mount(&image, &options.volumes, &options.tmpfs, &program.user)?;
    let (streams, interest) = Streams::new(mode);
    let Built { mut machine, watch, crosscheck, profiler, code } = machine::build(&image, options, Box::new(streams))?;
    if let Some(set) = &options.strace {
        machine.set_trace(Some(strace::Strace::new(set, mode == Mode::Terminal)?));
    }
    let command = program.argv.clone();
    let first = machine.spawn(program)?;
    if options.read_only {
        image.make_read_only();
    }
    let host = |what: &str, error| Error::Other(format!("{what}: {error}"));
    let mut events = Events::new(mode, interest).map_err(|error| host("signals", error))?;
    let raw = if mode == Mode::Terminal {
        Some(RawMode::enter().map_err(|error| host("the terminal cannot be made raw", error))?)
    } else {
        None
    };
    let begin = Instant::now();
    let mut reports = Reports {
        image: &image,
        first,
        backtrace: options.backtrace,
        unknown: 0,
        crash: None,
        crosscheck: crosscheck.as_ref(),
        ended: None,
        base: resident(),
        perf_map: if options.perf_map { Some(PerfMap::new()?) } else { None },
    };
    let status = run_machine(&mut machine, &mut events, &mut reports);
    drop(raw);
    if let Some((ended, crash)) = &reports.ended {
        eprint!("{}", crosscheck::describe(&image, ended, crash.as_ref()));
    }
    if let Some(crash) = &reports.crash {
        eprint!("{}", crash::describe(&image, crash, options.backtrace, "\n"));
    }
    if let Some(format) = options.stats {
        let compared = crosscheck.as_ref().map(Crosscheck::compared);
        eprint!("{}", stats::report(format, machine.kernel.retired, begin.elapsed(), &watch.stats(), compared));
    }
    if let (Some(output), Some(profiler)) = (profile_out, profiler) {
        output.write(&record::profile(&profiler.take(), &machine, &command).encode())?;
    }
    let retired = machine.kernel.retired;
    let mut machine = Some(machine);
    if let Some((code, rest)) = code.filter(|_| retired >= WORTH_KEEPING) {
        match options.code_cache {
            KeepCode::On => background::keep(&code, &rest, || drop(machine.take())),
            KeepCode::Wait => background::keep_now(&code, &rest, &events),
            KeepCode::Read | KeepCode::Off => {}
        }
    }
    // Taking the machine apart frees memory that the host frees anyway.
    std::mem::forget(machine);
    Ok(ExitCode::from(status.map_err(|error| host("waiting for the host", error))?))
}

/// What a user is told on standard error while the machine runs.
struct Reports<'a> {
    image: &'a Image,
    /// The first process, whose crash is always told, at the end.
    first: u32,
    /// Tell of other processes, too.
    backtrace: bool,
    /// How many unknown system calls were told of.
    unknown: usize,
    /// Bytes that were resident before the guest ran.
    base: u64,
    /// The first process's crash.
    crash: Option<Crash>,
    /// What is compared, if it is.
    crosscheck: Option<&'a Crosscheck>,
    /// Why nothing runs any more, and the process that ran last.
    ended: Option<(Ended, Option<Crash>)>,
    /// Where compiled code is.
    perf_map: Option<PerfMap>,
}

impl Reports<'_> {
    /// Kills a process when the guest uses more memory than it may.
    fn limit_memory(&self, machine: &mut Machine) {
        let limit = machine.kernel.config.memory;
        if resident().saturating_sub(self.base) > limit
            && let Some((pid, comm)) = machine.kernel.kill_for_memory()
        {
            eprint!(
                "friscy: out of memory (--memory {}m): {} (process {pid}) was killed\r\n",
                limit >> 20,
                String::from_utf8_lossy(&comm)
            );
        }
    }

    /// Says what is new. The terminal may be raw, so that lines end with a return as well.
    fn look(&mut self, machine: &mut Machine) {
        for number in machine.kernel.drivers.unknown_calls.iter().skip(self.unknown) {
            eprint!("friscy: the guest made system call {number}, which is not known here: ENOSYS\r\n");
        }
        self.unknown = machine.kernel.drivers.unknown_calls.len();
        self.ended = self.crosscheck.and_then(Crosscheck::ended).map(|ended| (ended, None));
        for crash in machine.kernel.take_crashes() {
            if let Some((_, place)) = &mut self.ended
                && crash.info.signo == SIGKILL
            {
                // The first is the one that was compared; others only end with it.
                place.get_or_insert(crash);
            } else if crash.pid == self.first {
                self.crash = Some(crash);
            } else if self.backtrace {
                eprint!("{}", crash::describe(self.image, &crash, true, "\r\n"));
            }
        }
        if let Some(map) = &mut self.perf_map
            && let Err(error) = map.look(machine, self.image)
        {
            eprint!("friscy: {error}\r\n");
            self.perf_map = None;
        }
    }
}

/// Runs to the end of the first process.
fn run_machine(machine: &mut Machine, events: &mut Events, reports: &mut Reports<'_>) -> std::io::Result<u8> {
    let mut passed_on = [0; 65];
    let mut looked = Instant::now();
    loop {
        let status = machine.run(Some(SLICE));
        if looked.elapsed() >= MEMORY_INTERVAL {
            reports.limit_memory(machine);
            looked = Instant::now();
        }
        reports.look(machine);
        if reports.ended.is_some() {
            machine.kernel.flush_terminal();
            return Ok(OWN_ERROR);
        }
        if let MachineStatus::Exited(status) = status {
            return Ok(shell_status(status));
        }
        if events.terminal_is_gone() {
            return Ok(shell_status(ExitStatus::Signaled { signo: friscy_abi::signal::SIGHUP, core: false }));
        }
        let mut signalled = false;
        for signal in events.signals() {
            let signo = signal.unsigned_abs();
            let count = &mut passed_on[signo as usize % 65];
            *count += 1;
            if *count > PATIENCE {
                return Ok(shell_status(ExitStatus::Signaled { signo, core: false }));
            }
            machine.kernel.send_to_group(FIRST, SigInfo::kernel(signo));
            signalled = true;
        }
        // Who was idle before a signal came may have something to do now.
        if let MachineStatus::Idle(deadline) = status
            && !signalled
        {
            let now = machine.kernel.now();
            events.wait(deadline.map(|at| at.saturating_sub(now)))?;
        }
    }
}

/// The status as a shell reports it.
fn shell_status(status: ExitStatus) -> u8 {
    match status {
        ExitStatus::Exited(status) => status,
        ExitStatus::Signaled { signo, .. } => u8::try_from(128 + signo).unwrap_or(OWN_ERROR),
    }
}

/// The first process, from the command line and the image.
fn program(options: &RunOptions, image: &Image, mode: Mode) -> Result<Program, Error> {
    let config = &image.config;
    let said = |text: &'_ str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let user = options.user.clone().or_else(|| said(&config.user));
    let identity = users::look_up(image, user.as_deref().unwrap_or("0"))?;
    let command: Vec<Vec<u8>> = options.command.iter().map(|arg| arg.clone().into_vec()).collect();
    let mut argv = config.argv(options.entrypoint.as_deref(), &command);
    if argv.is_empty() {
        let shell = SHELLS.into_iter().find(|shell| image.exists(shell)).ok_or_else(|| {
            Error::Other(format!(
                "{}: it has neither /bin/bash nor /bin/sh; name a command after the image",
                options.image.display()
            ))
        })?;
        argv.push(shell.into());
    }
    let cwd = options.workdir.clone().or_else(|| said(&config.working_dir)).unwrap_or_default().into_bytes();
    let envp = environment(options, image, &identity.home, mode)?;
    Ok(Program { argv, envp, cwd, user: identity.user })
}

/// The environment: docker's defaults, then what the image, files and options say.
fn environment(options: &RunOptions, image: &Image, home: &str, mode: Mode) -> Result<Vec<Vec<u8>>, Error> {
    let mut variables = Variables(Vec::new());
    variables.set(b"PATH", DEFAULT_PATH.as_bytes());
    variables.set(b"HOSTNAME", options.hostname.as_deref().unwrap_or("friscy").as_bytes());
    if mode != Mode::Pipes {
        variables.set(b"TERM", b"xterm");
    }
    variables.set(b"HOME", home.as_bytes());
    for variable in &image.config.env {
        if let Some((name, value)) = variable.split_once('=') {
            variables.set(name.as_bytes(), value.as_bytes());
        }
    }
    for path in &options.env_file {
        let text = fs::read(path).map_err(|error| Error::host(path, error))?;
        for line in text.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() && line[0] != b'#' {
                variables.wish(line);
            }
        }
    }
    for wish in &options.env {
        variables.wish(wish.as_bytes());
    }
    Ok(variables.0.into_iter().map(|(name, value)| [name, value].join(&b'=')).collect())
}

/// Environment variables in the order in which they were first set.
struct Variables(Vec<(Vec<u8>, Vec<u8>)>);

impl Variables {
    fn set(&mut self, name: &[u8], value: &[u8]) {
        match self.0.iter_mut().find(|(have, _)| have == name) {
            Some((_, have)) => *have = value.to_vec(),
            None => self.0.push((name.to_vec(), value.to_vec())),
        }
    }

    /// `NAME=VALUE`, or `NAME` for what it is on the host; nothing if it is not set there.
    fn wish(&mut self, wish: &[u8]) {
        match wish.iter().position(|&byte| byte == b'=') {
            Some(at) => self.set(&wish[..at], &wish[at + 1..]),
            None => {
                if let Some(value) = env::var_os(std::ffi::OsStr::from_bytes(wish)) {
                    self.set(wish, value.as_bytes());
                }
            }
        }
    }
}
