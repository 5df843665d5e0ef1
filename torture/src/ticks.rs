//! Processes with a schedule that are killed by SIGKILL. Each tick must enqueue its job once, and none may be missing.
//!
//! Each process declares the same schedule, performs its ticks and runs its jobs. The driver kills one of them after another, also
//! all of them at once, and starts others in their places.

pub(crate) mod worker;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use fastrand::Rng;
use queue_core::admin::Filter;
use queue_core::{Admin, AdminExt as _, BoxError, JobRecord, Tick, Timestamp};
use test_servers::Postgres;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::sleep;

use crate::queue::Location;
use crate::report::Report;

/// The number of processes.
const PROCESSES: usize = 3;

/// The time limit of the ticks that are left after the last kill.
const PATIENCE: Duration = Duration::from_secs(120);

/// Kills processes `kills` times, on a new database of `server` or in a new file.
pub(crate) async fn run(kills: u32, seed: u64, server: Option<&Postgres>) -> Result<Report, BoxError> {
    let folder = tempfile::Builder::new().prefix("queue-torture-ticks-").tempdir()?;
    let location = match server {
        Some(server) => Location::Database(server.create_database("ticks", "UTF8")?),
        None => Location::File(folder.path().join("jobs.db")),
    };
    let ended = kill_under_ticks(kills, &location, folder.path(), &mut Rng::with_seed(seed)).await;
    if ended.is_err() {
        println!("kept: {}", folder.keep().display());
    }
    ended
}

async fn kill_under_ticks(
    kills: u32,
    location: &Location,
    folder: &Path,
    random: &mut Rng,
) -> Result<Report, BoxError> {
    let queue = location.open().await?;
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(Process::start(location, folder)?);
    }
    first_tick(&*queue).await?;
    for _ in 0..kills {
        sleep(Duration::from_millis(random.u64(20..700))).await;
        // One kill in five leaves no process for a while.
        let is_outage = random.u32(0..5) == 0;
        let killed = if is_outage { 0..PROCESSES } else { at(random.usize(0..PROCESSES)) };
        for process in processes.get_mut(killed).unwrap_or_default() {
            process.child.kill().await?;
        }
        if is_outage {
            sleep(Duration::from_millis(random.u64(0..4_000))).await;
        }
        for process in &mut processes {
            if process.child.try_wait()?.is_some() {
                *process = Process::start(location, folder)?;
            }
        }
    }
    let end = last_tick_after_the_kills(&*queue).await?;
    for process in &mut processes {
        process.child.kill().await?;
    }
    judge(kills, &jobs(&*queue).await?, end)
}

fn at(place: usize) -> std::ops::Range<usize> {
    place..place + 1
}

/// Returns the jobs that ticks have enqueued.
async fn jobs(queue: &dyn Admin) -> Result<Vec<JobRecord>, BoxError> {
    Ok(queue.list_all(&Filter::all().name(worker::JOB)).await?)
}

/// Returns the instants of the ticks, in seconds, with the number of jobs of each.
fn ticks(jobs: &[JobRecord]) -> Result<BTreeMap<i64, usize>, BoxError> {
    let mut ticks = BTreeMap::new();
    for job in jobs {
        let at: i64 = job.meta.get(Tick::AT).ok_or("a job has no tick")?.parse()?;
        if job.pushed_at < Timestamp::from_micros(at) {
            return Err(format!("the job {} came before its tick", job.id).into());
        }
        *ticks.entry(at / 1_000_000).or_default() += 1;
    }
    Ok(ticks)
}

/// Waits until a tick has enqueued its job.
async fn first_tick(queue: &dyn Admin) -> Result<(), BoxError> {
    let deadline = Instant::now() + PATIENCE;
    while jobs(queue).await?.is_empty() {
        if Instant::now() > deadline {
            return Err(format!("no tick has come within {PATIENCE:?}").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Waits for a tick that comes in time, so that those before it are made up for. Returns it.
async fn last_tick_after_the_kills(queue: &dyn Admin) -> Result<i64, BoxError> {
    let deadline = Instant::now() + PATIENCE;
    let before = ticks(&jobs(queue).await?)?.into_keys().max().unwrap_or_default();
    loop {
        let in_time = |job: &&JobRecord| {
            let at = job.meta.get(Tick::AT).and_then(|at| at.parse().ok()).map(Timestamp::from_micros);
            at.is_some_and(|at| {
                job.pushed_at.since(at) < Duration::from_millis(500) && at.as_micros() / 1_000_000 > before
            })
        };
        let jobs = jobs(queue).await?;
        if let Some(job) = jobs.iter().filter(in_time).max_by_key(|job| job.pushed_at) {
            return Ok(job.meta.get(Tick::AT).ok_or("a job has no tick")?.parse::<i64>()? / 1_000_000);
        }
        if Instant::now() > deadline {
            return Err(format!("no tick came in time within {PATIENCE:?} after the kills").into());
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn judge(kills: u32, jobs: &[JobRecord], end: i64) -> Result<Report, BoxError> {
    let ticks = ticks(jobs)?;
    let first = ticks.keys().next().copied().unwrap_or_default();
    let missing = (first..=end).filter(|tick| !ticks.contains_key(tick)).count();
    let twice = ticks.values().filter(|jobs| **jobs > 1).count();
    let late = jobs.iter().filter_map(|job| {
        let at = Timestamp::from_micros(job.meta.get(Tick::AT)?.parse().ok()?);
        Some(job.pushed_at.since(at))
    });
    let report = Report::default()
        .row("kills", kills)
        .row("ticks", ticks.len())
        .row("ticks without a job", missing)
        .row("ticks with two jobs", twice)
        .row("the latest tick", format!("{:.1?} late", late.max().unwrap_or_default()));
    if (missing, twice) == (0, 0) {
        return Ok(report.row("verdict", "each tick enqueued its job once"));
    }
    println!("{report}");
    Err(format!("{missing} ticks enqueued no job, and {twice} enqueued two").into())
}

/// A process with the schedule.
struct Process {
    child: Child,
    /// The input, whose end stops the process.
    _input: Option<ChildStdin>,
}

impl Process {
    fn start(location: &Location, folder: &Path) -> Result<Self, BoxError> {
        let log = File::options().create(true).append(true).open(folder.join("processes.log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["tick", "--location"]).arg(location.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn()?;
        Ok(Self { _input: child.stdin.take(), child })
    }
}
