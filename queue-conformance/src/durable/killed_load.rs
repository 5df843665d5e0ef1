//! Processes that are killed at random under load, and the check of their journals (D5).
//!
//! The law starts producers and workers (`crate::load`), each a process with a journal of its own, kills them at random and
//! starts others in their place. A producer that replaces a killed one repeats the push that had no answer. At the end the
//! producers stop, the workers finish all jobs and stop, and `history::check` judges all journals together.

use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use queue_core::Admin;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::harness::StoreHarness;
use super::process::{Client, Process, Role};
use crate::history::{self, FinalState, History};
use crate::load;

/// The minutes for which D5 kills processes. Without this variable, D5 kills `KILLS` processes.
const MINUTES: &str = "QUEUE_TORTURE_MINUTES";

const KILLS: u32 = 12;
const PRODUCERS: usize = 2;
const WORKERS: usize = 3;

/// The mean time between two kills.
const BETWEEN_KILLS: Duration = Duration::from_millis(200);

/// How long the workers may take to finish all jobs once no process is killed any more.
const DRAIN: Duration = Duration::from_secs(120);

/// Returns how long D5 kills processes, if the environment says so.
pub(super) fn length() -> Option<Duration> {
    let minutes = std::env::var(MINUTES).ok()?;
    let seconds = minutes.parse::<f64>().map(|minutes| minutes * 60.0);
    let length = seconds.ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Some(length.unwrap_or_else(|| panic!("{MINUTES} must be a number of minutes, and is {minutes:?}")))
}

pub(super) async fn d5_workers_killed_in_mid_load_lose_no_job(harness: &StoreHarness) {
    let queue = harness.open().await;
    let mut fleet = Fleet::start(harness, PRODUCERS);
    let start = Instant::now();
    let is_over = |kills| length().map_or(kills >= KILLS, |length| start.elapsed() >= length);
    while !is_over(fleet.kills) {
        fleet.kill_one_later().await;
    }
    fleet.stop(false).await;
    drain(harness, &*queue).await;
    fleet.stop(true).await;

    harness
        .steps()
        .note(format!("the check of what the processes did, of which {} were killed", fleet.kills));
    let last: Vec<_> = harness.all(&*queue).await.values().map(FinalState::from).collect();
    assert!(!last.is_empty(), "no producer lived long enough to push a job");
    if let Err(violation) = history::check(&History { events: fleet.events(), last }) {
        panic!("{violation}");
    }
}

/// Waits until no job is unfinished.
pub(super) async fn drain(harness: &StoreHarness, queue: &dyn Admin) {
    let deadline = Instant::now() + DRAIN;
    loop {
        let counts = harness.retry_until_ok("`counts`", || queue.counts()).await;
        let unfinished: u64 = counts.iter().map(|counts| counts.unfinished()).sum();
        if unfinished == 0 {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{unfinished} jobs did not finish within {DRAIN:?} of the last kill"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

/// The living processes, and the journals of all processes that ever lived.
pub(super) struct Fleet<'a> {
    harness: &'a StoreHarness,
    folder: TempDir,
    random: Rng,
    members: Vec<(Client, Process)>,
    journals: Vec<PathBuf>,
    kills: u32,
}

impl<'a> Fleet<'a> {
    /// Starts producers and as many workers as D5 has.
    pub(super) fn start(harness: &'a StoreHarness, producers: usize) -> Self {
        let folder =
            tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for the journals: {error}"));
        let mut fleet =
            Self { harness, folder, random: Rng::new(), members: Vec::new(), journals: Vec::new(), kills: 0 };
        for number in 0..producers + WORKERS {
            fleet.launch(number >= producers, None);
        }
        fleet
    }

    fn launch(&mut self, is_worker: bool, dead: Option<PathBuf>) {
        let journal = self.folder.path().join(format!("{:04}.jsonl", self.journals.len()));
        self.journals.push(journal.clone());
        let client = Client { is_worker, seed: self.random.u64(..), journal, dead };
        let process = self.harness.start(Role::Load(client.clone()));
        self.members.push((client, process));
    }

    /// Waits for the next event of a Poisson process, and then kills a process and starts another in its place.
    pub(super) async fn kill_one_later(&mut self) {
        sleep(BETWEEN_KILLS.mul_f64(-(1.0 - self.random.f64()).ln())).await;
        self.kill_one().await;
    }

    /// Kills a process and starts another in its place.
    async fn kill_one(&mut self) {
        let (client, process) = self.members.swap_remove(self.random.usize(0..self.members.len()));
        self.kills += 1;
        self.harness.steps().finishes("the end of a process that was killed", process.kill()).await;
        let is_repeated = !client.is_worker && self.random.bool();
        self.launch(client.is_worker, is_repeated.then_some(client.journal));
    }

    /// Stops the workers or the producers, and waits for their end.
    pub(super) async fn stop(&mut self, is_worker: bool) {
        let (ending, staying) = std::mem::take(&mut self.members)
            .into_iter()
            .partition(|(client, _)| client.is_worker == is_worker);
        self.members = staying;
        let ending: Vec<_> = ending;
        for (client, process) in ending {
            let step = format!("the end of a process that was asked to stop ({})", Role::Load(client));
            self.harness.steps().finishes(step, process.stop()).await;
        }
    }

    /// Returns the events of all journals.
    pub(super) fn events(&self) -> Vec<history::Event> {
        let read = |path: &PathBuf| {
            load::read(path).unwrap_or_else(|error| panic!("could not read a journal: {error}"))
        };
        self.journals.iter().flat_map(read).flat_map(|line| line.events).collect()
    }
}
