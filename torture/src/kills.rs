//! Kills processes at random under load, and judges what happened to the jobs.
//!
//! The driver (this module) starts producers, workers and applications as processes (`fleet.rs`). They share nothing but the
//! store; each appends its calls to a journal of its own. The driver kills and restarts them at random, and injects faults into
//! the server (`server_faults.rs`). A producer that replaces a killed one repeats the push that had no answer.
//!
//! In the scenario `limits` the jobs are spread over partitions, whose limits bind meanwhile (`limits.rs`).
//!
//! At the end the faults are cleared first, then the producers and the applications stop, then the workers drain the queue and
//! stop, and `judge.rs` checks the merged journals against the queue.

pub(crate) mod application;
mod fleet;
mod judge;
mod limits;
mod sales;
mod server_faults;
pub(crate) mod worker;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use queue_conformance::load;
use queue_core::{Admin, BoxError, QueueLimits};
use test_servers::Postgres;
use tokio::time::sleep;

use crate::queue::Location;
use crate::report::Report;
use crate::settings::{Role, Torture};
use fleet::Fleet;
use limits::WatchedLimits;
use server_faults::ServerFaults;

/// The mean time between two kills.
const BETWEEN_KILLS: Duration = Duration::from_millis(500);

/// One in this many kills is of all processes at once.
const ALL_AT_ONCE: u32 = 30;

/// One in this many kills is a fault of the server instead, if there is a server.
const FAULT_ODDS: u32 = 5;

/// How long the workers may take to drain the queue when no process pushes or is killed any more.
const DRAIN: Duration = Duration::from_secs(120);

/// How long processes are killed, and under what.
struct Plan {
    /// The length in minutes, instead of a number of kills.
    minutes: Option<f64>,
    kills: u32,
    has_limits: bool,
    /// Whether to keep the folder of a run that passed.
    keep: bool,
}

/// Starts processes on a fresh queue, kills them at random, and judges their histories. With a server, also kills the server and
/// injects faults into its connections.
pub(crate) async fn run(torture: &Torture, seed: u64, server: Option<&Postgres>) -> Result<Report, BoxError> {
    let Torture { minutes, kills, keep, .. } = *torture;
    run_plan(&Plan { minutes, kills, has_limits: false, keep }, seed, server).await
}

/// Does the same on a queue whose limits bind, and judges these too.
pub(crate) async fn run_with_limits(
    torture: &Torture,
    seed: u64,
    server: Option<&Postgres>,
) -> Result<Report, BoxError> {
    let Torture { minutes, limit_kills, keep, .. } = *torture;
    run_plan(&Plan { minutes, kills: limit_kills, has_limits: true, keep }, seed, server).await
}

async fn run_plan(plan: &Plan, seed: u64, server: Option<&Postgres>) -> Result<Report, BoxError> {
    let folder = tempfile::Builder::new().prefix("queue-torture-kills-").tempdir()?;
    let mut random = Rng::with_seed(seed);
    let (mut faults, location) = match server {
        Some(server) => {
            let (faults, location) = ServerFaults::new(server, &mut random)?;
            (Some(faults), location)
        }
        None => (None, Location::File(folder.path().join("jobs.db"))),
    };
    let ended = run_load(plan, folder.path(), &location, faults.as_mut(), &mut random).await;
    if plan.keep || ended.is_err() {
        println!("kept: {}", folder.keep().display());
    }
    ended
}

/// Pushes until the driver stops the process.
pub(crate) async fn produce(role: &Role) -> Result<(), BoxError> {
    let stop = load::stop_at_end_of_input();
    let load = limits::client(role, role.location.open().await?, stop)?;
    load::produce(&load, role.seed, role.repeat_pushes_of.as_deref()).await
}

/// Judges the kept folder of an earlier run again, whose limits did bind or not.
pub(crate) async fn judge_again(folder: &Path, has_limits: bool) -> Result<Report, BoxError> {
    let location = Location::File(folder.join("jobs.db"));
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut journals: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
    journals.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    let limits = in_force(has_limits);
    judge::judge(&location, location.open().await?, &journals, &limits, Report::default()).await
}

/// Returns the limits of the load's queue.
fn in_force(has_limits: bool) -> QueueLimits {
    if has_limits { limits::in_force() } else { QueueLimits::none() }
}

async fn run_load(
    plan: &Plan,
    folder: &Path,
    location: &Location,
    mut faults: Option<&mut ServerFaults<'_>>,
    random: &mut Rng,
) -> Result<Report, BoxError> {
    let start = Instant::now();
    let way = faults.as_ref().map_or_else(|| location.clone(), |faults| faults.proxied());
    sales::prepare(location).await?;
    let mut watched = match plan.has_limits {
        true => Some(WatchedLimits::declare(location.open().await?).await?),
        false => None,
    };
    let mut fleet = Fleet::start(folder, &way, plan.has_limits, random)?;
    kill_until_over(plan, &mut fleet, faults.as_deref_mut(), watched.as_mut(), start, random).await?;
    if let (Some(watched), Some(faults)) = (&mut watched, &mut faults) {
        // Few of the random faults are kills of the server.
        faults.kill_server(random).await?;
        watched.watch_for(BETWEEN_KILLS).await?;
    }
    if let Some(faults) = &faults {
        faults.clear();
    }
    fleet.stop_producers().await?;
    let queue = location.open().await?;
    let drained = drain(&queue, &mut fleet).await;
    fleet.stop_workers().await?;
    drained?;
    let report = Report::default()
        .row("minutes", format!("{:.1}", start.elapsed().as_secs_f64() / 60.0))
        .row("kills of producers", fleet.kills_of(fleet::Kind::Producer))
        .row("kills of applications", fleet.kills_of(fleet::Kind::Application))
        .row("kills of workers", fleet.kills_of(fleet::Kind::Worker))
        .row("workers that SIGTERM stopped", fleet.stops())
        .row("kills of all processes at once", format!("{} times", fleet.kills_of_all()));
    let report = match faults {
        Some(faults) => faults.add_to(report),
        None => report,
    };
    let report = match watched {
        Some(watched) => watched.judge(report).await?,
        None => report,
    };
    judge::judge(location, queue, fleet.journals(), &in_force(plan.has_limits), report).await
}

/// Kills processes for as long as the plan says, and injects the server's faults. Watches the limits meanwhile.
async fn kill_until_over(
    plan: &Plan,
    fleet: &mut Fleet,
    mut faults: Option<&mut ServerFaults<'_>>,
    mut watched: Option<&mut WatchedLimits>,
    start: Instant,
    random: &mut Rng,
) -> Result<(), BoxError> {
    let is_over = |fleet: &Fleet| match plan.minutes {
        Some(minutes) => start.elapsed().as_secs_f64() >= minutes * 60.0,
        None => fleet.kills() >= plan.kills,
    };
    while !is_over(fleet) {
        // The interval to the next event of a Poisson process.
        let pause = BETWEEN_KILLS.mul_f64(-(1.0 - random.f64()).ln());
        match &mut watched {
            Some(watched) => watched.watch_for(pause).await?,
            None => sleep(pause).await,
        }
        fleet.check()?;
        if let Some(faults) = faults.as_mut().filter(|_| random.u32(0..FAULT_ODDS) == 0) {
            faults.inject(random).await?;
        } else if random.u32(0..ALL_AT_ONCE) == 0 {
            fleet.kill_all(random).await?;
        } else {
            fleet.kill_one(random).await?;
        }
    }
    Ok(())
}

/// Waits until no job is unfinished.
async fn drain(queue: &Arc<dyn Admin>, fleet: &mut Fleet) -> Result<(), BoxError> {
    let deadline = Instant::now() + DRAIN;
    loop {
        fleet.check()?;
        let unfinished: u64 = queue.counts().await?.iter().map(|counts| counts.unfinished()).sum();
        if unfinished == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{unfinished} jobs did not finish within {DRAIN:?} of the last kill").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
}
