//! The processes that are killed: this program, started again with the one test that needs them.
//!
//! The child finds its role and the store's address in environment variables, and reports progress as marked lines on its
//! standard error. A thread of the parent reads those lines to their end, so the child never blocks on a full pipe.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{Admin, BoxError, Demand, JobId, Settlement, Transition};
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::commanded::{self, Command as WorkerCommand};
use super::store::Make;
use crate::conformance::jobs::job;
use crate::load::{self, Load};

const ROLE: &str = "QUEUE_CONFORMANCE_ROLE_OF_A_PROCESS";
const ADDRESS: &str = "QUEUE_CONFORMANCE_STORE_OF_A_PROCESS";

/// The prefix of each report. Other output of the program is ignored.
const MARK: &str = "queue-conformance: ";

/// The number of jobs in a batch that a process pushes.
pub(super) const BATCH: u32 = 7;

/// Returns the id of a job in a batch.
pub(super) fn id(batch: u32, place: u32) -> JobId {
    JobId::from_u128(u128::from(batch) << 32 | u128::from(place))
}

/// The work of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    /// Repeats until it is killed: pushes a batch, prints `stored <batch>`.
    Push,
    /// Opens the store, pushes the batch of this number, prints `stored <batch>`, and exits.
    Open(u32),
    /// Repeats until it is killed: claims a job under a lease of this many milliseconds, prints `claimed <id> <fence>`, prints
    /// `done <id>`, completes the job.
    Work(u64),
    /// Produces or works at random, and writes its calls to a journal, until its standard input ends.
    Load(Client),
    /// Claims and settles on command: see [`commanded`].
    Commanded,
}

/// A client of the load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Client {
    /// Whether it works on jobs. Otherwise it pushes them.
    pub(super) is_worker: bool,
    pub(super) seed: u64,
    pub(super) journal: PathBuf,
    /// The journal of a killed producer whose unanswered pushes it repeats.
    pub(super) dead: Option<PathBuf>,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push => f.write_str("push"),
            Self::Open(batch) => write!(f, "open the store and push batch {batch}"),
            Self::Work(_) => f.write_str("work"),
            Self::Commanded => f.write_str("claim and settle on command"),
            Self::Load(client) if client.is_worker => write!(f, "work with seed {}", client.seed),
            Self::Load(client) => write!(f, "push with seed {}", client.seed),
        }
    }
}

/// A running process. Dropping it kills the process.
pub(super) struct Process {
    child: Child,
    lines: UnboundedReceiver<String>,
}

impl Process {
    pub(super) fn start(test: &str, address: &str, role: &Role) -> Self {
        let work = serde_json::to_string(role).unwrap_or_else(|error| panic!("no text of {role}: {error}"));
        let mut child = std::env::current_exe()
            .and_then(|program| {
                Command::new(program)
                    .args(["--exact", test, "--nocapture"])
                    .env(ROLE, work)
                    .env(ADDRESS, address)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
            })
            .unwrap_or_else(|error| panic!("could not start this program again to {role}: {error}"));
        let (sender, lines) = unbounded_channel();
        if let Some(output) = child.stderr.take() {
            // The thread ends when the process exits, because that closes the pipe.
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // If the receiver is gone, the process has been killed.
                    drop(sender.send(line));
                }
            });
        }
        Self { child, lines }
    }

    /// Returns the next line that it reports, or `None` once it has exited and every line was returned.
    ///
    /// # Panics
    ///
    /// If the process panicked.
    pub(super) async fn next_report(&mut self) -> Option<String> {
        loop {
            let line = self.lines.recv().await?;
            assert!(!line.contains(" panicked at "), "a process on the store panicked: {line}");
            if let Some(said) = line.strip_prefix(MARK) {
                return Some(said.to_owned());
            }
        }
    }

    /// Sends it a command, if it was started to take commands.
    pub(super) fn tell(&mut self, command: &WorkerCommand) {
        let mut line = serde_json::to_vec(command).unwrap_or_else(|error| panic!("no text: {error}"));
        line.push(b'\n');
        if let Some(input) = &mut self.child.stdin {
            // A process that has ended shows by its missing report.
            drop(input.write_all(&line));
        }
    }

    /// Kills it, as `kill -9` does, and returns the lines that were not returned before.
    pub(super) async fn kill(mut self) -> Vec<String> {
        // If it has exited already, there is nothing to kill.
        drop(self.child.kill());
        let mut said = Vec::new();
        while let Some(line) = self.next_report().await {
            said.push(line);
        }
        said
    }
}

impl Process {
    /// Ends its standard input, and waits until it has exited.
    ///
    /// # Panics
    ///
    /// If the process panicked or failed.
    pub(super) async fn stop(mut self) {
        drop(self.child.stdin.take());
        while self.next_report().await.is_some() {}
        match self.child.wait() {
            Ok(status) => assert!(status.success(), "a process on the store ended with {status}"),
            Err(error) => panic!("could not wait for a process on the store: {error}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// If this process was started for a role, plays it and exits.
pub(super) fn play(make: &Arc<Make>) {
    let (Ok(role), Ok(address)) = (std::env::var(ROLE), std::env::var(ADDRESS)) else { return };
    let role: Role = serde_json::from_str(&role).unwrap_or_else(|error| panic!("the role {role}: {error}"));
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime to {role}: {error}"));
    runtime.block_on(async {
        let queue = make(Some(address)).await.open().await;
        let queue = queue.unwrap_or_else(|error| panic!("opening failed: {}", error_chain(&error)));
        match role {
            Role::Push => {
                for batch in 0.. {
                    push(&*queue, batch).await;
                }
            }
            Role::Open(batch) => push(&*queue, batch).await,
            Role::Work(lease) => work(&*queue, Duration::from_millis(lease)).await,
            Role::Commanded => commanded::obey(queue, report).await,
            Role::Load(client) => client
                .run(queue)
                .await
                .unwrap_or_else(|error| panic!("the load failed: {}", error_chain(&*error))),
        }
    });
    std::process::exit(0);
}

impl Client {
    async fn run(self, queue: Arc<dyn Admin>) -> Result<(), BoxError> {
        let load = Arc::new(Load::new(queue, &self.journal, load::stop_at_end_of_input())?);
        if self.is_worker {
            load::work(&load, self.seed).await
        } else {
            load::produce(&load, self.seed, self.dead.as_deref()).await
        }
    }
}

async fn push(queue: &dyn Admin, batch: u32) {
    let jobs = (0..BATCH).map(|place| job(batch).id(id(batch, place))).collect();
    let pushed = queue.push(jobs).await;
    pushed.unwrap_or_else(|error| panic!("a push failed: {}", error_chain(&error)));
    report(&format!("stored {batch}"));
}

/// Works until it is killed. A job that fails is delivered again.
async fn work(queue: &dyn Admin, lease: Duration) {
    let demand = Demand::new("default", 5).lease(lease).wait(Duration::from_secs(1));
    loop {
        // Fails, and ends the process, once the parent no longer reads.
        report("goes on");
        for delivery in queue.claim(&demand).await.unwrap_or_default() {
            report(&format!("claimed {} {}", delivery.id(), delivery.lease.fence.0));
            // The job takes a while, so that a kill can hit it.
            tokio::time::sleep(Duration::from_millis(2)).await;
            report(&format!("done {}", delivery.id()));
            // If the lease expired meanwhile, another worker settles the job.
            drop(queue.settle(vec![Settlement::new(delivery.lease, Transition::complete())]).await);
        }
    }
}

fn report(what: &str) {
    let line = format!("{MARK}{what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap_or_else(|_| std::process::exit(1));
}
