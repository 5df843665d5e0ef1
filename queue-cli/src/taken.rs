//! Whether the running workers take a job that is to be stored.

use queue_core::QueueName;
use queue_core::admin::WorkerRecord;

use crate::exit::Failure;
use crate::nearest::did_you_mean;

/// Fails if workers run, and none of them takes a job of this name from this queue. A worker that names no job may know any.
pub(crate) fn check_taken(name: &str, queue: &str, workers: &[WorkerRecord]) -> Result<(), Failure> {
    let live: Vec<_> = workers.iter().filter(|worker| worker.is_live).collect();
    let queue = QueueName::from(queue);
    let knows = |worker: &WorkerRecord| worker.jobs.is_empty() || worker.jobs.contains(name);
    if live.is_empty() || live.iter().any(|worker| worker.serves(&queue) && knows(worker)) {
        return Ok(());
    }
    let force = "--force stores it anyway";
    let knowing = live.iter().find(|worker| knows(worker));
    if let Some(other) = knowing.and_then(|worker| worker.queues.first()) {
        let message =
            format!("no running worker takes `{name}` from the queue `{queue}`, only from `{other}`");
        return Err(Failure::not_found(message).help(format!("pass --queue {other}; {force}")));
    }
    let names = live.iter().flat_map(|worker| &worker.jobs).map(queue_core::JobName::as_str);
    let help = did_you_mean(name, names).map(|question| format!("{question} {force}"));
    Err(Failure::not_found(format!("no running worker knows a job named `{name}`"))
        .help(help.or(Some(force.to_owned()))))
}
