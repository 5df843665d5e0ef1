//! Processes killed at random, in mid-load, and what became of the jobs.

mod fleet;
mod judge;
mod load;
pub(crate) mod producer;
pub(crate) mod worker;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use queue_core::{BoxError, Inspect};
use test_servers::Postgres;
use tokio::time::sleep;

use crate::queue::Place;
use crate::report::Report;
use crate::settings::Torture;
use fleet::Fleet;

/// How long it is from one kill to the next, on average.
const BETWEEN_KILLS: Duration = Duration::from_millis(500);

/// Out of so many kills, one is of all processes at once.
const ALL_AT_ONCE: u32 = 30;

/// Out of so many kills, one is of the server, where there is one.
const SERVER: u32 = 12;

/// How long the workers may take over what is left when nobody pushes or kills any more.
const DRAIN: Duration = Duration::from_secs(120);

/// Lets the processes loose on a fresh queue, kills them, and judges their histories. With a server, that is killed too.
pub(crate) async fn run(torture: &Torture, seed: u64, server: Option<&Postgres>) -> Result<Report, BoxError> {
    let folder = tempfile::Builder::new().prefix("queue-torture-kills-").tempdir()?;
    let mut random = Rng::with_seed(seed);
    let place = match server {
        Some(server) => Place::Database(server.url("postgres")),
        None => Place::File(folder.path().join("jobs.db")),
    };
    let ended = torment(torture, folder.path(), &place, server, &mut random).await;
    if torture.keep || ended.is_err() {
        println!("kept: {}", folder.keep().display());
    }
    ended
}

/// Judges what an earlier run left in a folder that was kept.
pub(crate) async fn judge_again(folder: &Path) -> Result<Report, BoxError> {
    let place = Place::File(folder.join("jobs.db"));
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut journals: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
    journals.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    judge::judge(&place, place.open().await?, &journals, Report::default()).await
}

async fn torment(
    torture: &Torture,
    folder: &Path,
    place: &Place,
    server: Option<&Postgres>,
    random: &mut Rng,
) -> Result<Report, BoxError> {
    let start = Instant::now();
    let mut fleet = Fleet::start(folder, place, random)?;
    let server_kills = kill_until_over(torture, &mut fleet, server, start, random).await?;
    fleet.stop_producers().await?;
    let queue = place.open().await?;
    let drained = drain(&queue, &mut fleet).await;
    fleet.stop_workers().await?;
    drained?;
    let report = Report::default()
        .row("minutes", format!("{:.1}", start.elapsed().as_secs_f64() / 60.0))
        .row("kills of producers", fleet.kills_of(fleet::Kind::Producer))
        .row("kills of workers", fleet.kills_of(fleet::Kind::Worker))
        .row("of which all at once", format!("{} times", fleet.kills_of_all()));
    let report = if server.is_some() { report.row("kills of the server", server_kills) } else { report };
    judge::judge(place, queue, fleet.journals(), report).await
}

/// Kills until there were enough kills, and tells how many of them were of the server.
async fn kill_until_over(
    torture: &Torture,
    fleet: &mut Fleet,
    server: Option<&Postgres>,
    start: Instant,
    random: &mut Rng,
) -> Result<u32, BoxError> {
    let mut server_kills = 0;
    let is_over = |fleet: &Fleet| match torture.minutes {
        Some(minutes) => start.elapsed().as_secs_f64() >= minutes * 60.0,
        None => fleet.kills() >= torture.kills,
    };
    while !is_over(fleet) {
        // The time to the next of events that know nothing of one another.
        sleep(BETWEEN_KILLS.mul_f64(-(1.0 - random.f64()).ln())).await;
        fleet.check()?;
        if let Some(server) = server.filter(|_| random.u32(0..SERVER) == 0) {
            server_kills += 1;
            server.kill();
            // It's away for a while, at times too long for calls to be repeated within one.
            sleep(Duration::from_millis(random.u64(0..1_000))).await;
            server.restart()?;
        } else if random.u32(0..ALL_AT_ONCE) == 0 {
            fleet.kill_all(random).await?;
        } else {
            fleet.kill_one(random).await?;
        }
    }
    Ok(server_kills)
}

/// Waits until no job is unfinished.
async fn drain(queue: &Arc<dyn Inspect>, fleet: &mut Fleet) -> Result<(), BoxError> {
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
