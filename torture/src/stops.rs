//! Workers that are stopped by SIGTERM under load. They must leave no job leased, and no job discarded.
//!
//! Each worker is a process with a queue of its own, so its queue shows what it left behind. One producer task per queue keeps the
//! queue filled. The driver waits until a worker holds a job, stops it, counts its leased jobs, and starts another in its place.

pub(crate) mod worker;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use queue_core::admin::Filter;
use queue_core::{Admin, BoxError, NewJob, State};
use queue_tokio::IdleExt as _;
use test_servers::{Durability, Postgres};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::queue::Location;
use crate::report::Report;
use crate::settings::{Backend, Stops};

/// The number of workers. Each has a queue of its own, so that its queue shows what it left behind.
const WORKERS: usize = 3;

/// The number of unfinished jobs of a queue above which its producer waits.
const BACKLOG: u64 = 300;

/// The time limit of a stop, and of the drain after the last one.
const PATIENCE: Duration = Duration::from_secs(120);

/// Creates a new store, and stops workers on it.
pub(crate) async fn run(stops: &Stops) -> Result<Report, BoxError> {
    let seed = stops.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("stops of {:?}, seed {seed}\n", stops.backend);
    match stops.backend {
        Backend::Sqlite => of(stops.stops, seed, None).await,
        Backend::Postgres => {
            let server = Postgres::start(Durability::Process, &[])?;
            of(stops.stops, seed, Some(&server)).await
        }
    }
}

/// Stops workers `stops` times, on a new database of `server` or in a new file.
pub(crate) async fn of(stops: u32, seed: u64, server: Option<&Postgres>) -> Result<Report, BoxError> {
    let folder = tempfile::Builder::new().prefix("queue-torture-stops-").tempdir()?;
    let location = match server {
        Some(server) => Location::Database(server.create_database("stops", "UTF8")?),
        None => Location::File(folder.path().join("jobs.db")),
    };
    let ended = stop_under_load(stops, &location, folder.path(), &mut Rng::with_seed(seed)).await;
    if ended.is_err() {
        println!("kept: {}", folder.keep().display());
    }
    ended
}

async fn stop_under_load(
    stops: u32,
    location: &Location,
    folder: &Path,
    random: &mut Rng,
) -> Result<Report, BoxError> {
    let queue = location.open().await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let pushed = Arc::new(AtomicU64::new(0));
    let mut producers = JoinSet::new();
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        let name = format!("stops-{number}");
        let own = Rng::with_seed(random.u64(..));
        producers.spawn(produce(queue.clone(), name.clone(), own, is_over.clone(), pushed.clone()));
        workers.push(Worker::start(location, folder, name)?);
    }
    let mut found = Found::default();
    for _ in 0..stops {
        sleep(Duration::from_millis(random.u64(20..400))).await;
        let Some(worker) = workers.get_mut(random.usize(0..WORKERS)) else { break };
        worker.wait_until_working(&*queue).await?;
        worker.stop(&*queue, &mut found).await?;
        *worker = Worker::start(location, folder, worker.queue.clone())?;
    }
    is_over.store(true, Ordering::SeqCst);
    while let Some(ended) = producers.join_next().await {
        ended??;
    }
    queue.wait_until_idle(&Filter::all(), PATIENCE).await?;
    for worker in &mut workers {
        worker.stop(&*queue, &mut found).await?;
    }
    found.judge(&*queue, pushed.load(Ordering::SeqCst)).await
}

/// The results of the stops.
#[derive(Default)]
struct Found {
    took: Vec<Duration>,
    left: u64,
}

impl Found {
    async fn judge(mut self, queue: &dyn Admin, pushed: u64) -> Result<Report, BoxError> {
        let (completed, discarded) =
            (total(queue, State::Completed).await?, total(queue, State::Discarded).await?);
        self.took.sort();
        let last = self.took.len().saturating_sub(1);
        let part = |percent: usize| self.took.get(last * percent / 100).copied().unwrap_or_default();
        let report = Report::default()
            .row("stops by SIGTERM", self.took.len())
            .row("jobs pushed", pushed)
            .row("jobs completed", completed)
            .row("jobs left leased by a stop", self.left)
            .row("jobs discarded unrun", discarded)
            .row("median time of a stop", format!("{:.0?}", part(50)))
            .row("99th percentile", format!("{:.0?}", part(99)))
            .row("maximum", format!("{:.0?}", part(100)));
        if (self.left, discarded, completed) == (0, 0, pushed) {
            return Ok(report.row("verdict", "every stop left nothing behind"));
        }
        println!("{report}");
        Err(format!(
            "stops left {} jobs leased, discarded {discarded}, and {completed} of {pushed} completed",
            self.left
        )
        .into())
    }
}

/// A worker process with a queue of its own.
struct Worker {
    queue: String,
    child: Child,
    /// The worker's input. Waiting for a child closes its input, which ends the worker, so it is taken out of the child.
    _input: Option<ChildStdin>,
}

impl Worker {
    fn start(location: &Location, folder: &Path, queue: String) -> Result<Self, BoxError> {
        let mut child = start(location, folder, &queue)?;
        let input = child.stdin.take();
        Ok(Self { queue, child, _input: input })
    }

    /// Waits until the worker holds a job. Only then has it installed its signal handler, and is under load.
    async fn wait_until_working(&self, queue: &dyn Admin) -> Result<(), BoxError> {
        let deadline = Instant::now() + PATIENCE;
        while self.leased(queue).await? == 0 {
            if Instant::now() > deadline {
                return Err(
                    format!("the worker of `{}` claimed nothing within {PATIENCE:?}", self.queue).into()
                );
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn leased(&self, queue: &dyn Admin) -> Result<u64, BoxError> {
        let counts = queue.counts().await?;
        let of_it = counts.iter().filter(|counts| counts.queue == *self.queue);
        Ok(of_it.map(|counts| counts.of(State::Executing)).sum())
    }

    /// Sends SIGTERM, waits for the end of the process, and counts the jobs that are still leased.
    async fn stop(&mut self, queue: &dyn Admin, found: &mut Found) -> Result<(), BoxError> {
        let id = self.child.id().ok_or("the worker has exited")?;
        let start = Instant::now();
        kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGTERM)?;
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.map_err(|_| format!("a stop took longer than {PATIENCE:?}"))??;
        found.took.push(start.elapsed());
        if !status.success() {
            return Err(format!("the worker of `{}` ended with {status}", self.queue).into());
        }
        found.left += self.leased(queue).await?;
        Ok(())
    }
}

fn start(location: &Location, folder: &Path, queue: &str) -> Result<Child, BoxError> {
    let log: PathBuf = folder.join(format!("{queue}.log"));
    let log = File::options().create(true).append(true).open(log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--location"]).arg(location.to_string()).args(["--queue", queue]);
    Ok(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).kill_on_drop(true).spawn()?)
}

/// Keeps a queue filled with jobs of all kinds.
async fn produce(
    queue: Arc<dyn Admin>,
    name: String,
    mut random: Rng,
    is_over: Arc<AtomicBool>,
    pushed: Arc<AtomicU64>,
) -> Result<(), BoxError> {
    while !is_over.load(Ordering::SeqCst) {
        let counts = queue.counts().await?;
        let unfinished =
            counts.iter().filter(|counts| counts.queue == *name).map(|counts| counts.unfinished());
        if unfinished.sum::<u64>() > BACKLOG {
            sleep(Duration::from_millis(20)).await;
            continue;
        }
        let jobs: Vec<NewJob> =
            (0..random.usize(1..100)).map(|_| worker::job(&mut random).queue(&*name)).collect();
        let count = jobs.len() as u64;
        queue.push(jobs).await?;
        pushed.fetch_add(count, Ordering::SeqCst);
    }
    Ok(())
}

async fn total(queue: &dyn Admin, state: State) -> Result<u64, BoxError> {
    Ok(queue.counts().await?.iter().map(|counts| counts.of(state)).sum())
}
