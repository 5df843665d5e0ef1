//! Processes killed at random, in mid-load, and what became of the jobs.

pub(crate) mod application;
mod fleet;
mod judge;
mod load;
pub(crate) mod producer;
mod sales;
mod server_faults;
pub(crate) mod worker;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use queue_core::{Admin, BoxError};
use test_servers::Postgres;
use tokio::time::sleep;

use crate::queue::Location;
use crate::report::Report;
use crate::settings::Torture;
use fleet::Fleet;
use server_faults::ServerFaults;

pub(crate) use load::stop_at_end_of_input;

/// How long it is from one kill to the next, on average.
const BETWEEN_KILLS: Duration = Duration::from_millis(500);

/// Out of so many kills, one is of all processes at once.
const ALL_AT_ONCE: u32 = 30;

/// Out of so many blows, one is the world's, where there is a server.
const FAULT_ODDS: u32 = 5;

/// How long the workers may take over what is left when nobody pushes or kills any more.
const DRAIN: Duration = Duration::from_secs(120);

/// Lets the processes loose on a fresh queue, kills them, and judges their histories. With a server, that is killed too, and the
/// world does to the connections what it does.
pub(crate) async fn run(torture: &Torture, seed: u64, server: Option<&Postgres>) -> Result<Report, BoxError> {
    let folder = tempfile::Builder::new().prefix("queue-torture-kills-").tempdir()?;
    let mut random = Rng::with_seed(seed);
    let (mut faults, location) = match server {
        Some(server) => {
            let (faults, location) = ServerFaults::new(server, &mut random)?;
            (Some(faults), location)
        }
        None => (None, Location::File(folder.path().join("jobs.db"))),
    };
    let ended = run_load(torture, folder.path(), &location, faults.as_mut(), &mut random).await;
    if torture.keep || ended.is_err() {
        println!("kept: {}", folder.keep().display());
    }
    ended
}

/// Judges what an earlier run left in a folder that was kept.
pub(crate) async fn judge_again(folder: &Path) -> Result<Report, BoxError> {
    let location = Location::File(folder.join("jobs.db"));
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut journals: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
    journals.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    judge::judge(&location, location.open().await?, &journals, Report::default()).await
}

async fn run_load(
    torture: &Torture,
    folder: &Path,
    location: &Location,
    mut faults: Option<&mut ServerFaults<'_>>,
    random: &mut Rng,
) -> Result<Report, BoxError> {
    let start = Instant::now();
    let way = faults.as_ref().map_or_else(|| location.clone(), |faults| faults.by_proxy());
    sales::prepare(location).await?;
    let mut fleet = Fleet::start(folder, &way, random)?;
    kill_until_over(torture, &mut fleet, faults.as_deref_mut(), start, random).await?;
    if let Some(faults) = &faults {
        faults.calm();
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
        .row("of the kills all at once", format!("{} times", fleet.kills_of_all()));
    let report = match faults {
        Some(faults) => faults.add_to(report),
        None => report,
    };
    judge::judge(location, queue, fleet.journals(), report).await
}

/// Kills until there were enough kills, while the world does its part.
async fn kill_until_over(
    torture: &Torture,
    fleet: &mut Fleet,
    mut faults: Option<&mut ServerFaults<'_>>,
    start: Instant,
    random: &mut Rng,
) -> Result<(), BoxError> {
    let is_over = |fleet: &Fleet| match torture.minutes {
        Some(minutes) => start.elapsed().as_secs_f64() >= minutes * 60.0,
        None => fleet.kills() >= torture.kills,
    };
    while !is_over(fleet) {
        // The time to the next of events that know nothing of one another.
        sleep(BETWEEN_KILLS.mul_f64(-(1.0 - random.f64()).ln())).await;
        fleet.check()?;
        if let Some(faults) = faults.as_mut().filter(|_| random.u32(0..FAULT_ODDS) == 0) {
            faults.strike(random).await?;
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
            return Err(format!("{unfinished} jobs did not end within {DRAIN:?} of the last kill").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
}
