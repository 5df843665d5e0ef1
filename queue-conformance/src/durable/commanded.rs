//! The work of a process that claims and settles when its parent says so, and holds the jobs meanwhile.
//!
//! A command is a line of the process's input. At its end the process reports `claimed <jobs>` or `settled <jobs>`. A claim that waits
//! delays no other command.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{Admin, Demand, Lease, QueueName, Settled, Settlement, Transition};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The length of the leases: none expires.
const LEASE: Duration = Duration::from_secs(3600);

/// A line of the process's input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Command {
    /// Claims up to `max` jobs of a queue, and waits for up to `wait`.
    Claim { queue: QueueName, max: usize, wait: Duration },
    /// Completes this number of the jobs that the process holds.
    Settle(usize),
}

/// Obeys the commands of the standard input until it ends.
pub(super) async fn obey(queue: Arc<dyn Admin>, report: fn(&str)) {
    let held = Arc::new(Mutex::new(Vec::new()));
    let mut commands = commands();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Claim { queue: name, max, wait } => {
                let demand = Demand::new(name, max).lease(LEASE).wait(wait);
                tokio::spawn(claim(queue.clone(), demand, held.clone(), report));
            }
            Command::Settle(jobs) => {
                let leases = {
                    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                    let rest = held.len().saturating_sub(jobs);
                    held.split_off(rest)
                };
                settle(&*queue, leases, report).await;
            }
        }
    }
}

fn commands() -> UnboundedReceiver<Command> {
    let (sender, commands) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let command = serde_json::from_str(&line);
            // If the receiver is gone, the process ends.
            drop(sender.send(command.unwrap_or_else(|error| panic!("the command {line}: {error}"))));
        }
    });
    commands
}

async fn claim(queue: Arc<dyn Admin>, demand: Demand, held: Arc<Mutex<Vec<Lease>>>, report: fn(&str)) {
    let claimed = queue.claim(&demand).await;
    let claimed = claimed.unwrap_or_else(|error| panic!("a claim failed: {}", error_chain(&error)));
    let jobs = claimed.len();
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    held.extend(claimed.into_iter().map(|delivery| delivery.lease));
    report(&format!("claimed {jobs}"));
}

async fn settle(queue: &dyn Admin, leases: Vec<Lease>, report: fn(&str)) {
    let settlements = leases.into_iter().map(|lease| Settlement::new(lease, Transition::complete()));
    let settled = queue.settle(settlements.collect()).await;
    let settled = settled.unwrap_or_else(|error| panic!("a settlement failed: {}", error_chain(&error)));
    let applied = settled.iter().filter(|settled| **settled == Settled::Applied).count();
    report(&format!("settled {applied}"));
}
