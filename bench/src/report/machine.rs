//! The conditions of a run besides the code.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use crate::Setup;
use crate::results::Results;
use crate::suite::Suite;

/// The lock files of the programs.
const OURS: &str = include_str!("../../Cargo.lock");
const EFFECTUM: &str = include_str!("../../peers/effectum/Cargo.lock");
const APALIS_SQLITE: &str = include_str!("../../peers/apalis-sqlite/Cargo.lock");
const ON_POSTGRES: &str = include_str!("../../peers/postgres/Cargo.lock");

/// Returns the versions of the measured packages of a suite, and of their database drivers.
fn versions(suite: Suite) -> String {
    match suite {
        Suite::Memory => versions_of(OURS, &["tokio", "apalis", "apalis-core"]),
        Suite::Curves => versions_of(OURS, &["tokio", "rusqlite", "libsqlite3-sys"]),
        Suite::Limits => format!(
            "{}; peers: {}",
            versions_of(OURS, &["tokio", "rusqlite", "libsqlite3-sys", "tokio-postgres"]),
            versions_of(ON_POSTGRES, &["graphile_worker", "apalis-postgres", "apalis"]),
        ),
        Suite::Sqlite => format!(
            "{}; peers, each with its SQLite: {}; {}",
            versions_of(OURS, &["tokio", "rusqlite", "libsqlite3-sys"]),
            versions_of(EFFECTUM, &["effectum", "rusqlite", "libsqlite3-sys"]),
            versions_of(APALIS_SQLITE, &["apalis-sqlite", "apalis", "sqlx", "libsqlite3-sys"]),
        ),
        Suite::Postgres => format!(
            "{}; peers: {}",
            versions_of(OURS, &["tokio", "tokio-postgres", "sqlx"]),
            versions_of(
                ON_POSTGRES,
                &["graphile_worker", "apalis-postgres", "apalis", "underway", "sqlxmq", "fang", "awa"]
            ),
        ),
    }
}

/// Returns the size of the run, the machine, and the storage of the jobs.
pub(super) fn facts(suite: Suite, results: &Results, setup: &Setup) -> anyhow::Result<String> {
    let jobs = setup.jobs.unwrap_or(suite.jobs());
    let (size, place) = match suite {
        Suite::Memory => (format!("{jobs} jobs a measurement"), String::new()),
        Suite::Sqlite | Suite::Curves => {
            let disk = harness::filesystem(harness::scratch_folder());
            (
                parts(jobs),
                format!("- files on {disk}, a fresh one for each measurement\n- {}\n", suite.note()),
            )
        }
        Suite::Postgres => (parts(jobs), format!("- {}\n- {}\n", results.place, suite.note())),
        Suite::Limits => {
            let disk = harness::filesystem(harness::scratch_folder());
            let places = [format!("files on {disk}"), results.place.clone(), suite.note().to_owned()];
            let lines = places.iter().filter(|place| !place.is_empty());
            (parts(jobs), lines.map(|place| format!("- {place}\n")).collect())
        }
    };
    let retried: String = results.retried.iter().map(|retry| format!("- {retry}\n")).collect();
    Ok(format!(
        "- {} rounds after one to warm up, {size}, systems alternating\n{}{place}{retried}",
        setup.rounds,
        machine(suite)?,
    ))
}

/// Returns the machine, the compiler and the versions.
pub(super) fn machine(suite: Suite) -> anyhow::Result<String> {
    Ok(format!(
        "- {} cores of {}, Linux {}\n\
         - {}, the default release profile\n\
         - {}; ours at commit {}\n",
        available_parallelism()?,
        processor(),
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        output_of("rustc", &["--version"]),
        versions(suite),
        commit(),
    ))
}

fn parts(jobs: u64) -> String {
    format!("{jobs} jobs a measurement, or the part or multiple in a table")
}

fn processor() -> String {
    let facts = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        facts.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
    model.map_or("an unknown model", |(_, model)| model.trim()).to_owned()
}

/// Returns the commit that last changed the measured code.
pub(crate) fn commit() -> String {
    let at = ["-C", concat!(env!("CARGO_MANIFEST_DIR"), "/..")];
    let status = ["status", "--porcelain", "--"];
    let code = ["queue-core", "queue-tokio", "queue-sqlite", "queue-postgres", "queue-macros"];
    let commit = output_of("git", &[&at[..], &["log", "-1", "--format=%h", "--"], &code].concat());
    let changes = output_of("git", &[&at[..], &status, &code].concat());
    if changes.is_empty() { commit } else { format!("{commit} with changes") }
}

fn versions_of(lock: &str, names: &[&str]) -> String {
    let versions = names.iter().filter_map(|name| Some(format!("{name} {}", locked(lock, name)?)));
    versions.collect::<Vec<_>>().join(", ")
}

/// Returns the version of a package in a lock file.
fn locked<'lock>(lock: &'lock str, name: &str) -> Option<&'lock str> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split_once('"').map(|(version, _)| version)
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
