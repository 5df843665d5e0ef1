//! Torture for durable queues: processes killed at random, a full disk, a corrupt file.
//!
//! `cargo run --release -p queue-torture -- sqlite` runs its scenarios, each in a folder of its own, and reports for each
//! whether the queue kept its promises:
//!
//! - `kills.rs`: producers and workers are processes, killed with SIGKILL at random moments under load.
//!   Each records its calls and their answers (`queue_conformance::load`), and `queue_conformance::history` judges all records.
//!   They are killed again while limits bind, which no instant and no window may exceed.
//! - `stops.rs`: workers that are stopped by SIGTERM under load.
//! - `ticks.rs`: processes with a schedule, killed with SIGKILL at random moments.
//! - `disk_full.rs`: pushes until the disk is full, frees space, and continues.
//! - `corrupt_file.rs`: files that are not, or no longer, a database.
//!
//! `postgres` runs the kills, the stops, the ticks and the full disk against a server of its own, and kills that server too. Two more
//! scenarios have servers of their own, and their load in this process (`hosted.rs`):
//!
//! - `credentials.rs`: a password that changes under load, while every session is cut.
//! - `restores.rs`: a server that is restored from a backup under load.
//!
//! `soak` sends millions of jobs through one file instead, and checks that the file doesn't grow (`soak.rs`).
//!
//! A seed fixes what the processes try to do and which process the driver tries to kill, but not how the machine schedules them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal prints")]

mod settings;

mod corrupt_file;
mod credentials;
mod disk_full;
mod kills;
mod restores;

mod hosted;
mod queue;
mod report;
mod soak;
mod stops;
mod ticks;

use std::process::ExitCode;

use clap::Parser as _;
use queue_core::BoxError;
use test_servers::{Durability, Postgres};

use report::Report;
use settings::{Command, Scenario, Settings, Torture};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let ended = match Settings::parse().command {
        Command::Sqlite(torture) => Ok(torture_sqlite(&torture).await),
        Command::Postgres(torture) => torture_postgres(&torture).await,
        Command::Soak(soak) => Ok(print_result("soak", None, soak::run(&soak).await)),
        Command::Stops(stops) => Ok(print_result("stops", None, stops::run(&stops).await)),
        Command::Serve(serve) => stops::worker::run(&serve).await.map(|()| true),
        Command::Tick(tick) => ticks::worker::run(&tick).await.map(|()| true),
        Command::Judge { folder, limits } => {
            Ok(print_result("judge", None, kills::judge_again(&folder, limits).await))
        }
        Command::Producer(role) => kills::produce(&role).await.map(|()| true),
        Command::Application(role) => kills::application::run(&role).await.map(|()| true),
        Command::Worker(role) => kills::worker::run(&role).await.map(|()| true),
        Command::Fill(fill) => disk_full::run_under_limit(&fill).await.map(|()| true),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", queue_core::backend::error_chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Runs all scenarios, also after one has failed. Returns whether all passed.
async fn torture_sqlite(torture: &Torture) -> bool {
    let seed = torture.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("torture of queue-sqlite, seed {seed}\n");
    let mut passed = true;
    if torture.includes(Scenario::CorruptFile) {
        passed &= print_result("corrupt-file", Some(seed), corrupt_file::run(torture, seed).await);
    }
    if torture.includes(Scenario::DiskFull) {
        passed &= print_result("disk-full", None, disk_full::run(torture).await);
    }
    if torture.includes(Scenario::Kills) {
        passed &= print_result("kills", Some(seed), kills::run(torture, seed, None).await);
    }
    if torture.includes(Scenario::Limits) {
        passed &= print_result("limits", Some(seed), kills::run_with_limits(torture, seed, None).await);
    }
    if torture.includes(Scenario::Stops) {
        passed &= print_result("stops", Some(seed), stops::of(torture.stops, seed, None).await);
    }
    if torture.includes(Scenario::Ticks) {
        passed &= print_result("ticks", Some(seed), ticks::run(torture.tick_kills, seed, None).await);
    }
    println!("\n{}", if passed { "the queue passed" } else { "the queue FAILED" });
    passed
}

/// Runs the scenarios that need a server, each on one of its own. Returns whether all passed.
async fn torture_postgres(torture: &Torture) -> Result<bool, BoxError> {
    let seed = torture.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("torture of queue-postgres, seed {seed}\n");
    let mut passed = true;
    if torture.includes(Scenario::DiskFull) {
        let server = Postgres::start(Durability::Full, &[])?;
        passed &= print_result("disk-full", None, disk_full::run_on_a_server(torture, &server).await);
    }
    if torture.includes(Scenario::Credentials) {
        passed &= print_result("credentials", Some(seed), credentials::run(torture.rotations, seed).await);
    }
    if torture.includes(Scenario::Restores) {
        passed &= print_result("restores", Some(seed), restores::run(torture.restores, seed).await);
    }
    if torture.includes(Scenario::Kills) {
        let server = Postgres::start(Durability::Full, &["max_connections=300"])?;
        passed &= print_result("kills", Some(seed), kills::run(torture, seed, Some(&server)).await);
    }
    if torture.includes(Scenario::Limits) {
        let server = Postgres::start(Durability::Full, &["max_connections=300"])?;
        let ended = kills::run_with_limits(torture, seed, Some(&server)).await;
        passed &= print_result("limits", Some(seed), ended);
    }
    if torture.includes(Scenario::Stops) {
        let server = Postgres::start(Durability::Full, &[])?;
        passed &= print_result("stops", Some(seed), stops::of(torture.stops, seed, Some(&server)).await);
    }
    if torture.includes(Scenario::Ticks) {
        let server = Postgres::start(Durability::Full, &[])?;
        passed &=
            print_result("ticks", Some(seed), ticks::run(torture.tick_kills, seed, Some(&server)).await);
    }
    println!("\n{}", if passed { "the queue passed" } else { "the queue FAILED" });
    Ok(passed)
}

/// Prints the result of a scenario, and returns whether it passed.
fn print_result(name: &str, seed: Option<u64>, ended: Result<Report, BoxError>) -> bool {
    match ended {
        Ok(report) => {
            println!("{name}: passed\n{report}");
            true
        }
        Err(error) => {
            let seed = seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
            println!("{name}: FAILED{seed}: {}\n", queue_core::backend::error_chain(&*error));
            false
        }
    }
}
