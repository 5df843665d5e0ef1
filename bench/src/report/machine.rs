//! What a figure depends on beside the code.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use crate::Setup;

/// Whose versions are told.
const PEERS: [&str; 3] = ["tokio", "apalis", "apalis-core"];

/// Tells the machine, the compiler, the versions and the size of the run.
pub(super) fn facts(setup: &Setup) -> anyhow::Result<String> {
    let versions: Vec<_> =
        PEERS.into_iter().filter_map(|name| Some(format!("{name} {}", locked(name)?))).collect();
    Ok(format!(
        "- {} rounds after one to warm up, {} jobs a measurement, systems alternating\n\
         - {} cores of {}, Linux {}\n\
         - {}, the default release profile\n\
         - {}; ours at commit {}\n",
        setup.rounds,
        setup.jobs,
        available_parallelism()?,
        processor(),
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        said_by("rustc", &["--version"]),
        versions.join(", "),
        commit(),
    ))
}

fn processor() -> String {
    let facts = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        facts.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
    model.map_or("an unknown model", |(_, model)| model.trim()).to_owned()
}

fn commit() -> String {
    let at = ["-C", concat!(env!("CARGO_MANIFEST_DIR"), "/..")];
    let commit = said_by("git", &[&at[..], &["rev-parse", "--short", "HEAD"]].concat());
    let code = ["status", "--porcelain", "--", "queue-core", "queue-tokio", "queue-macros"];
    let changes = said_by("git", &[&at[..], &code].concat());
    if changes.is_empty() { commit } else { format!("{commit} with changes") }
}

/// Finds the version of a package in the lock file.
fn locked(name: &str) -> Option<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split_once('"').map(|(version, _)| version)
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
