//! Putting a machine together: the interpreter behind the native cpu, an image, the host's ports.

use crate::code_cache::CodeCache;
use crate::error::Error;
use crate::image::Image;
use crate::options::{KeepCode, RunOptions, TierChoice};
use friscy_cpu::{Crosscheck, NativeCpu, Policy, Profiler, Rest, Watch};
use friscy_engine::native::{HostClock, HostEntropy};
use friscy_engine::{Config, Machine, Ports};
use friscy_image::Cache;
use friscy_interp::Interp;
use friscy_jit::Jit;
use friscy_kernel::KernelConfig;
use friscy_kernel::ports::{Entropy, Terminal};
use friscy_seam::Tier;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

/// The interpreter's translations of one address space may take so many bytes of host memory.
const MAX_CODE_BYTES: usize = 64 << 20;

/// The same of compiled code.
const MAX_COMPILED_BYTES: usize = 128 << 20;

/// A machine, and what can be seen of its tiers from outside.
pub struct Built {
    /// The machine.
    pub machine: Machine,
    /// What is compiled.
    pub watch: Watch,
    /// What is compared, if it is.
    pub crosscheck: Option<Crosscheck>,
    /// Takes samples, if a profile is wanted.
    pub profiler: Option<Profiler>,
    /// Compiled code that is kept, if it is.
    pub code: Option<(Rc<RefCell<CodeCache>>, Rest)>,
}

/// Makes a machine on the image with these streams.
///
/// # Errors
/// The host has no source of entropy.
pub fn build(image: &Image, options: &RunOptions, terminal: Box<dyn Terminal>) -> Result<Built, Error> {
    let mut kernel = KernelConfig {
        hwcap: friscy_isa::hwcap(),
        isa: friscy_isa::isa_string(),
        deterministic: options.deterministic,
        ..KernelConfig::default()
    };
    if let Some(memory) = options.memory {
        kernel.memory = memory;
    }
    if let Some(limit) = options.pids_limit {
        kernel.pids_limit = limit.0;
    }
    for ulimit in &options.ulimit {
        if let Some(limit) = kernel.rlimits.0.get_mut(ulimit.resource as usize) {
            *limit = ulimit.limit;
        }
    }
    if let Some(hostname) = &options.hostname {
        kernel.hostname = hostname.clone().into_bytes();
    }
    let random = Path::new("/dev/urandom");
    let mut entropy = HostEntropy::open().map_err(|error| Error::host(random, error))?;
    let mut boot_id = [0; 16];
    if !options.deterministic {
        entropy.fill(&mut boot_id);
    }
    let make_tier = || Box::new(Interp::new(MAX_CODE_BYTES)) as Box<dyn Tier>;
    let mut cpu = match options.tier {
        TierChoice::Interp => NativeCpu::new(Box::new(make_tier)),
        TierChoice::Jit => {
            let make_compiler = Rc::new(|| Box::new(Jit::in_background(MAX_COMPILED_BYTES)) as Box<dyn Tier>);
            let policy = Policy::of_threshold(options.jit_threshold);
            NativeCpu::with_compiler(Box::new(make_tier), make_compiler, policy)
        }
    };
    if options.crosscheck {
        cpu = cpu.with_reference(Box::new(make_tier));
    }
    let code = code_cache(options).map(|code| {
        let code = Rc::new(RefCell::new(code));
        (code.clone(), cpu.set_store(code))
    });
    let (watch, crosscheck) = (cpu.watch(), cpu.crosscheck());
    let profiler = options.profile_out.as_ref().map(|_| cpu.profile());
    let ports = Ports {
        cpu: Box::new(cpu),
        vfs: Rc::clone(&image.vfs),
        file_clock: Rc::clone(&image.clock),
        clock: Box::new(HostClock::default()),
        entropy: Box::new(entropy),
        terminal,
    };
    let mut machine = Machine::new(Config { kernel, ..Config::default() }, ports);
    machine.kernel.drivers.devpts = Some(Rc::clone(&image.devpts));
    machine.kernel.drivers.boot_id = boot_id;
    if profiler.is_some() {
        machine.kernel.keep_code_paths();
    }
    Ok(Built { machine, watch, crosscheck, profiler, code })
}

/// The compiled code that is kept of the image. A profile and a comparison are of what this run compiles.
fn code_cache(options: &RunOptions) -> Option<CodeCache> {
    let wanted = options.tier == TierChoice::Jit && options.code_cache != KeepCode::Off;
    let wanted = wanted && !options.crosscheck && options.profile_out.is_none();
    Cache::from_env().filter(|_| wanted).map(|cache| CodeCache::open(cache, &options.image))
}
