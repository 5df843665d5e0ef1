//! The limits that a service declares: their check before the start, and their declaration before the first claim.

use queue_core::{Problem, QueueError, QueueLimits, QueueName};

use super::backoff::Backoff;
use super::settings::Settings;
use super::shared::Shared;

/// Declares all limits of the service. A claim before that might exceed them.
///
/// It tries again until the store answers, or until the service stops.
///
/// # Errors
///
/// `Unsupported` if the queue has no limits, and any other error that no repetition ends.
pub(super) async fn declare(shared: &Shared) -> Result<(), QueueError> {
    let mut backoff = Backoff::new("declare_limits", 0);
    for (queue, limits) in &shared.settings().limits {
        declare_one(shared, queue, limits, &mut backoff).await?;
    }
    Ok(())
}

async fn declare_one(
    shared: &Shared,
    queue: &QueueName,
    limits: &QueueLimits,
    backoff: &mut Backoff,
) -> Result<(), QueueError> {
    let (client, stopping) = (shared.client(), shared.shutdown().stopping());
    loop {
        let Err(error) = client.declare_limits(queue, limits).await else {
            backoff.worked(client);
            return Ok(());
        };
        if !error.is_transient() || stopping.has_fired() {
            return Err(error.on_queue(queue.clone()));
        }
        let wait = backoff.failed(&error, client);
        tokio::select! {
            biased;
            () = client.sleep(wait) => {}
            () = stopping.fired() => return Ok(()),
        }
    }
}

/// Returns the mistakes in the declared limits.
pub(super) fn problems(settings: &Settings) -> Vec<Problem> {
    let service = &settings.name;
    let served: Vec<_> = settings.queues.iter().map(|(served, _)| format!("`{served}`")).collect();
    let served = if served.is_empty() { "no queue".to_owned() } else { served.join(", ") };
    let problem = |(queue, limits): &(QueueName, QueueLimits)| {
        if !settings.queues.iter().any(|(served, _)| served == queue) {
            return Some(format!(
                "the service `{service}` has limits for the queue `{queue}`, which it does not serve; it serves {served}: correct the name, or add the queue to `QueueService::queues`"
            ));
        }
        let error = limits.check().err()?;
        Some(format!(
            "the service `{service}` has a limit for the queue `{queue}` that is not allowed: {error}"
        ))
    };
    settings.limits.iter().filter_map(problem).map(Problem::new).collect()
}
