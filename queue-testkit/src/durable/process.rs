//! The processes that die: this program once more, with the one test that needs them.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use queue_core::{Admin, Demand, JobId, Settlement, Transition};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::harness::Make;
use crate::conformance::jobs::job;

const ROLE: &str = "QUEUE_TESTKIT_ROLE_OF_A_PROCESS";
const ADDRESS: &str = "QUEUE_TESTKIT_STORE_OF_A_PROCESS";

/// What each line begins with, so that what else a program says is passed over.
const MARK: &str = "queue-testkit: ";

/// How many jobs are in a batch that a process pushes.
pub(super) const BATCH: u32 = 7;

/// Gives the identity of a job in a batch.
pub(super) fn id(batch: u32, place: u32) -> JobId {
    JobId::from_u128(u128::from(batch) << 32 | u128::from(place))
}

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Pushes batches for ever, and says `stored <batch>` of each.
    Push,
    /// Opens the store, pushes a batch of that number, says `stored <batch>`, and ends.
    Open(u32),
    /// Claims for ever, for so many milliseconds; says `claimed <id> <fence>`, then `done <id>`, then completes.
    Work(u64),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push => f.write_str("push"),
            Self::Open(batch) => write!(f, "open {batch}"),
            Self::Work(lease) => write!(f, "work {lease}"),
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (role, number) = text.split_once(' ').unwrap_or((text, "0"));
        let number = number.parse::<u32>().map_err(|error| format!("the role {text:?}: {error}"))?;
        match role {
            "push" => Ok(Self::Push),
            "open" => Ok(Self::Open(number)),
            "work" => Ok(Self::Work(number.into())),
            _ => Err(format!("there is no role {text:?}")),
        }
    }
}

/// A process at work; killed, if it isn't over yet, when this is dropped.
pub(super) struct Process {
    child: Child,
    lines: UnboundedReceiver<String>,
}

impl Process {
    pub(super) fn start(test: &str, address: &str, role: Role) -> Self {
        let mut child = std::env::current_exe()
            .and_then(|program| {
                Command::new(program)
                    .args(["--exact", test, "--nocapture"])
                    .env(ROLE, role.to_string())
                    .env(ADDRESS, address)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
            })
            .unwrap_or_else(|error| panic!("this program could not be started once more to {role}: {error}"));
        let (sender, lines) = unbounded_channel();
        if let Some(output) = child.stderr.take() {
            // It ends with the process, whose end closes what it reads.
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // Whoever listened is gone; the process is killed by then.
                    drop(sender.send(line));
                }
            });
        }
        Self { child, lines }
    }

    /// Gives the next line that it says, `None` once it's dead and all was heard.
    ///
    /// # Panics
    ///
    /// If the process does.
    pub(super) async fn says(&mut self) -> Option<String> {
        loop {
            let line = self.lines.recv().await?;
            assert!(!line.contains(" panicked at "), "a process that works on the store died of it: {line}");
            if let Some(said) = line.strip_prefix(MARK) {
                return Some(said.to_owned());
            }
        }
    }

    /// Kills it, as `kill -9` does, and gives what it had said and nobody had heard.
    pub(super) async fn kill(mut self) -> Vec<String> {
        // It may have died by itself; then there's nothing to kill.
        drop(self.child.kill());
        let mut said = Vec::new();
        while let Some(line) = self.says().await {
            said.push(line);
        }
        said
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Does what this process was started for, if it was, and ends it then.
pub(super) fn play(make: &Arc<Make>) {
    let (Ok(role), Ok(address)) = (std::env::var(ROLE), std::env::var(ADDRESS)) else { return };
    let role: Role = role.parse().unwrap_or_else(|error| panic!("{error}"));
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime to {role}: {error}"));
    runtime.block_on(async {
        let queue = make(Some(address)).await.open().await;
        let queue =
            queue.unwrap_or_else(|error| panic!("opening failed: {}", queue_core::error::chain(&error)));
        match role {
            Role::Push => {
                for batch in 0.. {
                    push(&*queue, batch).await;
                }
            }
            Role::Open(batch) => push(&*queue, batch).await,
            Role::Work(lease) => work(&*queue, Duration::from_millis(lease)).await,
        }
    });
    std::process::exit(0);
}

async fn push(queue: &dyn Admin, batch: u32) {
    let jobs = (0..BATCH).map(|place| job(batch).id(id(batch, place))).collect();
    let pushed = queue.push(jobs).await;
    pushed.unwrap_or_else(|error| panic!("a push failed: {}", queue_core::error::chain(&error)));
    say(&format!("stored {batch}"));
}

/// Works until it's killed. What fails is done again after it was delivered again.
async fn work(queue: &dyn Admin, lease: Duration) {
    let demand = Demand::new("default", 5).lease(lease).wait(Duration::from_secs(1));
    loop {
        // Somebody must listen for it to go on.
        say("goes on");
        for delivery in queue.claim(&demand).await.unwrap_or_default() {
            say(&format!("claimed {} {}", delivery.id(), delivery.lease.fence.0));
            // The job takes a moment, so that a kill may come within it.
            tokio::time::sleep(Duration::from_millis(2)).await;
            say(&format!("done {}", delivery.id()));
            // An attempt whose lease ran out meanwhile is somebody else's to settle.
            drop(queue.settle(vec![Settlement::new(delivery.lease, Transition::Complete)]).await);
        }
    }
}

fn say(what: &str) {
    let line = format!("{MARK}{what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap_or_else(|_| std::process::exit(1));
}
