//! CPython's own tests of what it asks of the system, from Debian's package `libpython3.13-testsuite`.
//!
//! Each module is run by one interpreter in the root file system of programs. A test is named as unittest names it; those
//! that do not pass in friscy are listed with reasons in `tests/suites/cpython.txt`.

use crate::rootfs::{self, Set};
use crate::shell::{step, target_dir, workspace};
use crate::suites::{Outcome, Runner, each, read_list};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// The modules, the longest first.
const MODULES: &[&str] = &[
    "test_socket",
    "test_subprocess",
    "test_multiprocessing_fork.test_manager",
    "test_multiprocessing_fork.test_processes",
    "test_multiprocessing_fork.test_threads",
    "test_multiprocessing_fork.test_misc",
    "test_asyncio.test_base_events",
    "test_asyncio.test_buffered_proto",
    "test_asyncio.test_context",
    "test_asyncio.test_eager_task_factory",
    "test_asyncio.test_events",
    "test_asyncio.test_futures",
    "test_asyncio.test_futures2",
    "test_asyncio.test_locks",
    "test_asyncio.test_pep492",
    "test_asyncio.test_protocols",
    "test_asyncio.test_queues",
    "test_asyncio.test_runners",
    "test_asyncio.test_selector_events",
    "test_asyncio.test_sendfile",
    "test_asyncio.test_server",
    "test_asyncio.test_sock_lowlevel",
    "test_asyncio.test_ssl",
    "test_asyncio.test_sslproto",
    "test_asyncio.test_staggered",
    "test_asyncio.test_streams",
    "test_asyncio.test_subprocess",
    "test_asyncio.test_taskgroups",
    "test_asyncio.test_tasks",
    "test_asyncio.test_threads",
    "test_asyncio.test_timeouts",
    "test_asyncio.test_transports",
    "test_asyncio.test_unix_events",
    "test_asyncio.test_waitfor",
    "test_threading",
    "test_signal",
    "test_os",
    "test_posix",
    "test_selectors",
    "test_mmap",
    "test_epoll",
    "test_fcntl",
    "test_poll",
    "test_pty",
    "test_select",
    "test_wait3",
    "test_wait4",
];

/// Seconds that a module may take.
const LIMIT: &str = "1500";

/// Modules that run at once: most wait for time to pass much of their time.
const JOBS: usize = 2;

/// How the tests of a module went.
#[derive(Debug, Default, PartialEq, Eq)]
struct Results {
    /// Tests that were looked at, those skipped included.
    run: usize,
    skipped: usize,
    /// Names of those that passed.
    passed: BTreeSet<String>,
    /// Names of those that failed, one of its subtests being enough.
    failed: BTreeSet<String>,
}

impl Results {
    /// Reads the file that `--junit-xml` writes; `None` when it was not written to its end. What comes behind it, which
    /// is said by processes that outlive their tests, does not count.
    fn read(text: &str) -> Option<Results> {
        const END: &str = "</testsuites>";
        let end = text.find(END)? + END.len();
        let xml = roxmltree::Document::parse(text[..end].trim_start()).ok()?;
        let mut results = Results::default();
        for case in xml.descendants().filter(|node| node.has_tag_name("testcase")) {
            // A subtest is named for its test and its parameters.
            let name = case.attribute("name")?.split(' ').next().unwrap_or_default().to_owned();
            results.run += 1;
            if case.children().any(|node| node.has_tag_name("skipped")) {
                results.skipped += 1;
            } else if case.children().any(|node| node.has_tag_name("failure") || node.has_tag_name("error")) {
                results.failed.insert(name);
            } else {
                results.passed.insert(name);
            }
        }
        results.passed.retain(|name| !results.failed.contains(name));
        Some(results)
    }
}

/// Runs the modules whose name contains `filter`, prints how each went, and answers the whole.
fn modules(runner: Runner, filter: Option<&str>) -> Result<Outcome> {
    let tar = rootfs::assemble(Set::Programs)?;
    if runner == Runner::Qemu {
        rootfs::unpack(&tar)?;
    }
    let list = workspace().join("tests/suites/cpython.txt");
    let listed = if runner == Runner::Friscy { read_list(&list)? } else { BTreeMap::new() };
    let logs = tar.with_file_name("suites").join("cpython");
    fs::create_dir_all(&logs)?;
    let wanted: Vec<&str> =
        MODULES.iter().copied().filter(|module| filter.is_none_or(|filter| module.contains(filter))).collect();
    step(&format!("running {} modules; what they print is in {}", wanted.len(), logs.display()));
    let outcome = Mutex::new(Outcome::default());
    each(&wanted, JOBS, |module| {
        let xml = run(runner, &tar, module, &logs)?;
        let results = xml.as_deref().and_then(Results::read);
        let mut outcome = outcome.lock().expect("no thread panics");
        let Some(results) = results else {
            println!("{module}: did not end");
            if listed.contains_key(*module) {
                outcome.listed += 1;
            } else {
                outcome.wrong.push(format!("{module}: did not end"));
            }
            return Ok(());
        };
        println!("{module}: {} run, {} skipped, {} not passed", results.run, results.skipped, results.failed.len());
        outcome.passed += results.run - results.skipped - results.failed.len().min(results.run - results.skipped);
        for name in results.failed {
            if listed.contains_key(&name) {
                outcome.listed += 1;
            } else {
                outcome.wrong.push(format!("{name}: failed"));
            }
        }
        for name in results.passed.iter().filter(|name| listed.contains_key(*name)) {
            outcome.wrong.push(format!("{name}: passes, and is listed as failing"));
        }
        Ok(())
    })?;
    let mut outcome = outcome.into_inner().expect("no thread panics");
    outcome.wrong.sort();
    Ok(outcome)
}

/// Runs one module; answers its results' file, `None` when it did not come to its end.
fn run(runner: Runner, tar: &Path, module: &str, logs: &Path) -> Result<Option<String>> {
    const MARK: &str = "results of the module:\n";
    let script = format!(
        "cd /tmp; timeout -k 5 {LIMIT} python3 -m test -v --junit-xml /tmp/results.xml {module}; echo; \
         printf '{}'; cat /tmp/results.xml",
        MARK.replace('\n', "\\n")
    );
    let mut command = match runner {
        Runner::Friscy => {
            let mut command = Command::new(target_dir().join("release/friscy"));
            command.arg("run").arg(tar);
            command
        }
        Runner::Qemu => {
            let mut command = Command::new("sh");
            command.arg(workspace().join("tests/referee.sh")).arg(tar.with_extension(""));
            command
        }
    };
    let path = logs.join(format!("{module}.{}.log", if runner == Runner::Friscy { "friscy" } else { "qemu" }));
    let log = File::create(&path)?;
    command.args(["/bin/bash", "-c", &script]).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.status().with_context(|| format!("{module} cannot be started"))?;
    let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    Ok(text.split_once(MARK).map(|(_, xml)| xml.to_owned()))
}

/// Runs the modules and says how it went.
pub fn command(runner: Runner, filter: Option<&str>) -> Result<Outcome> {
    let outcome = modules(runner, filter)?;
    for line in &outcome.wrong {
        println!("test cpython/{line} FAILED");
    }
    println!(
        "cpython: {} passed, {} listed as not passing, {} wrong",
        outcome.passed,
        outcome.listed,
        outcome.wrong.len()
    );
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read() {
        let xml = "<testsuites><testsuite><testcase name=\"test.a.A.ok\" status=\"run\" time=\"0.1\" />\
                   <testcase name=\"test.a.A.skip\"><skipped>no &lt;failure</skipped></testcase>\
                   <testcase name=\"test.a.A.bad (i=1)\"><failure type=\"x\">y</failure></testcase>\
                   <testcase name=\"test.a.A.bad (i=2)\"><error type=\"x\">y</error></testcase></testsuite></testsuites>\n\
                   said later";
        let named = |name: &str| BTreeSet::from([name.to_owned()]);
        let (passed, failed) = (named("test.a.A.ok"), named("test.a.A.bad"));
        assert_eq!(Results::read(xml), Some(Results { run: 4, skipped: 1, passed, failed }));
        assert_eq!(Results::read(&xml[..xml.len() / 2]), None);
    }
}
