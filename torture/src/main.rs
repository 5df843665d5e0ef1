//! Torture for durable queues: processes killed at random, a full disk, a spoilt file.
//!
//! `cargo run --release -p queue-torture -- sqlite` runs three scenarios, each in a folder of its own, and says of each
//! whether the queue kept what it promised:
//!
//! - `kills.rs`: producers and workers are processes, which are killed with SIGKILL at random moments, in mid-load.
//!   Each writes down what it does and is told, and `queue_testkit::history` judges all of that together.
//! - `disk_full.rs`: pushes until the disk is full, makes room, and goes on.
//! - `corrupt_file.rs`: files that are no database any more.
//!
//! `postgres` runs the kills and the full disk against a server of its own, which is killed among the processes. Two more
//! scenarios have servers of their own, and their load in this process (`hosted.rs`):
//!
//! - `credentials.rs`: a password that is changed under load, while every session is cut.
//! - `restores.rs`: a server that is put back to a backup under load.
//!
//! `soak` sends millions of jobs through one file instead, and looks whether it grows (`soak.rs`).
//!
//! A seed fixes what the processes mean to do and whom the driver means to kill, not how the machine interleaves them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal prints")]

mod settings;

mod corrupt_file;
mod credentials;
mod disk_full;
mod kills;
mod restores;

mod clocks;
mod hosted;
mod jobs;
mod journal;
mod listing;
mod queue;
mod report;
mod soak;
mod stops;

use std::process::ExitCode;

use clap::Parser as _;
use queue_core::BoxError;
use test_servers::{Durability, Postgres};

use report::Report;
use settings::{Command, Scenario, Settings, Torture};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let ended = match Settings::parse().command {
        Command::Sqlite(torture) => Ok(torment(&torture).await),
        Command::Postgres(torture) => torment_with_server(&torture).await,
        Command::Soak(soak) => Ok(told("soak", None, soak::run(&soak).await)),
        Command::Stops(stops) => Ok(told("stops", None, stops::run(&stops).await)),
        Command::Serve(serve) => stops::worker::run(&serve).await.map(|()| true),
        Command::Judge { folder } => Ok(told("judge", None, kills::judge_again(&folder).await)),
        Command::Producer(role) => kills::producer::run(&role).await.map(|()| true),
        Command::Application(role) => kills::application::run(&role).await.map(|()| true),
        Command::Worker(role) => kills::worker::run(&role).await.map(|()| true),
        Command::Fill(fill) => disk_full::run_under_limit(&fill).await.map(|()| true),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", queue_core::error::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Runs all scenarios, the failed ones notwithstanding, and tells whether the queue stood them.
async fn torment(torture: &Torture) -> bool {
    let seed = torture.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("torture of queue-sqlite, seed {seed}\n");
    let mut stood = true;
    if torture.includes(Scenario::CorruptFile) {
        stood &= told("corrupt-file", Some(seed), corrupt_file::run(torture, seed).await);
    }
    if torture.includes(Scenario::DiskFull) {
        stood &= told("disk-full", None, disk_full::run(torture).await);
    }
    if torture.includes(Scenario::Kills) {
        stood &= told("kills", Some(seed), kills::run(torture, seed, None).await);
    }
    if torture.includes(Scenario::Stops) {
        stood &= told("stops", Some(seed), stops::of(torture.stops, seed, None).await);
    }
    println!("\n{}", if stood { "the queue stood all of it" } else { "the queue FAILED" });
    stood
}

/// Runs the scenarios that have a server, each on one of its own.
async fn torment_with_server(torture: &Torture) -> Result<bool, BoxError> {
    let seed = torture.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("torture of queue-postgres, seed {seed}\n");
    let mut stood = true;
    if torture.includes(Scenario::DiskFull) {
        let server = Postgres::start(Durability::Full, &[])?;
        stood &= told("disk-full", None, disk_full::run_on_a_server(torture, &server).await);
    }
    if torture.includes(Scenario::Credentials) {
        stood &= told("credentials", Some(seed), credentials::run(torture.rotations, seed).await);
    }
    if torture.includes(Scenario::Restores) {
        stood &= told("restores", Some(seed), restores::run(torture.restores, seed).await);
    }
    if torture.includes(Scenario::Kills) {
        let server = Postgres::start(Durability::Full, &["max_connections=300"])?;
        stood &= told("kills", Some(seed), kills::run(torture, seed, Some(&server)).await);
    }
    if torture.includes(Scenario::Stops) {
        let server = Postgres::start(Durability::Full, &[])?;
        stood &= told("stops", Some(seed), stops::of(torture.stops, seed, Some(&server)).await);
    }
    println!("\n{}", if stood { "the queue stood all of it" } else { "the queue FAILED" });
    Ok(stood)
}

/// Prints how a scenario ended; what was printed says everything that is needed to look into a failure.
fn told(name: &str, seed: Option<u64>, ended: Result<Report, BoxError>) -> bool {
    match ended {
        Ok(report) => {
            println!("{name}: passed\n{report}");
            true
        }
        Err(error) => {
            let seed = seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
            println!("{name}: FAILED{seed}: {}\n", queue_core::error::chain(&*error));
            false
        }
    }
}
