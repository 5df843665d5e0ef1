//! The jobs of every store: one in each state, a worker, and a paused queue.

use std::time::Duration;

use queue_core::{
    Admin, Announcement, Body, Demand, Heartbeat, JobId, JobProgress, NewJob, QueueError, Settlement,
    StoredResult, Timestamp, Transition, WorkerId,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The jobs, each with an id that is alone in its first digits.
pub(crate) const COMPLETED: u32 = 1;
pub(crate) const DISCARDED: u32 = 2;
pub(crate) const RETRYABLE: u32 = 3;
pub(crate) const EXECUTING: u32 = 4;
pub(crate) const AVAILABLE: u32 = 5;
pub(crate) const SCHEDULED: u32 = 6;
pub(crate) const PAUSED: u32 = 7;

/// Returns the id of a job: `00000001-0000-0000-0000-000000000001`.
pub(crate) fn id(number: u32) -> JobId {
    JobId::from_u128(u128::from(number) << 96 | u128::from(number))
}

fn worker() -> WorkerId {
    WorkerId::of("web-1", 4711, "mails")
}

/// Stores the jobs.
pub(crate) async fn fill(queue: &dyn Admin) -> Result<(), QueueError> {
    let report = job("build_report", COMPLETED, r#"{"year":2026}"#).queue("reports");
    let url = StoredResult::of(&"/reports/2026.pdf")?;
    run(queue, report, Transition::complete_with(url)).await?;
    let declined = Transition::Discard { error: "the card was declined".to_owned() };
    run(queue, job("charge", DISCARDED, r#"{"order":7}"#).max_attempts(1), declined).await?;
    let at = Timestamp::from(std::time::SystemTime::now()).saturating_add(DAY);
    let refused = Transition::Retry { at, error: "connection refused".to_owned() };
    run(queue, job("charge", RETRYABLE, r#"{"order":8}"#), refused).await?;
    let leased = start(queue, job("send_welcome", EXECUTING, r#"{"user_id":4}"#)).await?;
    let progress = Some(JobProgress::new(40, "rendering"));
    queue.renew(&[Heartbeat::new(leased.lease).progress(progress)]).await?;
    let waiting = [
        job("send_welcome", AVAILABLE, r#"{"user_id":5}"#).meta("tenant", "acme").priority(-1),
        job("send_welcome", SCHEDULED, r#"{"user_id":6}"#).at(at),
        job("build_report", PAUSED, r#"{"year":2027}"#).queue("reports").unique("report:2027"),
    ];
    queue.push(waiting.into()).await?;
    queue.pause(&"reports".into()).await?;
    announce(queue).await
}

/// Announces the worker, which serves the queue `mail` and knows two names.
async fn announce(queue: &dyn Admin) -> Result<(), QueueError> {
    let mut announcement = Announcement::new(worker());
    announcement.service = "mails".to_owned();
    announcement.queues.push("mail".into());
    announcement.jobs = ["charge".into(), "send_welcome".into()].into();
    announcement.concurrency = 4;
    announcement.valid_for = DAY;
    queue.announce(&announcement).await
}

fn job(name: &str, number: u32, payload: &str) -> NewJob {
    NewJob::new(name, Body::stored(payload)).id(id(number)).queue("mail")
}

/// Stores a job, which is then the only one of its queue that is ready, and leases it.
async fn start(queue: &dyn Admin, job: NewJob) -> Result<queue_core::Delivery, QueueError> {
    let demand = Demand::new(&job.queue, 1).worker(worker()).lease(DAY).wait(Duration::from_secs(30));
    queue.push(vec![job]).await?;
    let mut deliveries = queue.claim(&demand).await?;
    deliveries.pop().ok_or_else(|| QueueError::invalid("no job was delivered"))
}

async fn run(queue: &dyn Admin, job: NewJob, transition: Transition) -> Result<(), QueueError> {
    let delivery = start(queue, job).await?;
    queue.settle(vec![Settlement::new(delivery.lease, transition)]).await.map(drop)
}
