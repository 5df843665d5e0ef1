//! Pushes until the disk is full, and then continues.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use queue_core::admin::Filter;
use queue_core::{
    Admin, AdminExt as _, Body, BoxError, Demand, JobId, NewJob, QueueError, QueueErrorKind, Receipt,
    Settled, Settlement, Transition,
};
use tokio::time::{sleep, timeout};

use crate::queue::Location;
use crate::report::Report;

const BATCH: usize = 10;

/// More bytes than any of the disks holds.
const BATCHES: usize = 10_000;

/// The time limit of a call, and of the queue's recovery.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pushed jobs, with whether each was acknowledged.
type Pushed = HashMap<JobId, bool>;

/// Fills the disk, checks the stored jobs, frees space, and continues with the same open queue.
pub(super) async fn run(
    location: &Location,
    make_room: impl Fn() -> Result<(), BoxError>,
    report: Report,
) -> Result<Report, BoxError> {
    let queue = location.open().await?;
    let mut pushed = Pushed::new();
    let refusal = push_until_refused(&*queue, &mut pushed).await?;
    names_the_disk(&refusal)?;
    let before = pushed.values().filter(|is_acknowledged| **is_acknowledged).count();
    is_intact(&*queue, &pushed).await?;
    make_room()?;
    let waited = go_on(&*queue, &mut pushed).await?;
    work(&*queue).await?;
    is_intact(&*queue, &pushed).await?;
    drop(queue);
    location.check_integrity().await?;
    Ok(report
        .row("refused after", format!("{before} jobs"))
        .row("error", queue_core::backend::error_chain(&refusal))
        .row("continued", format!("within {waited:.0?} of the space being freed, in the same open queue"))
        .row("verdict", "all acknowledged jobs are intact"))
}

async fn push(queue: &dyn Admin, pushed: &mut Pushed) -> Result<Result<(), QueueError>, BoxError> {
    let text = format!("\"{}\"", "x".repeat(2_000));
    let jobs = (0..BATCH).map(|_| Ok(NewJob::new("work", Body::json(text.as_str())?).id(JobId::random())));
    let jobs: Vec<NewJob> = jobs.collect::<Result<_, QueueError>>()?;
    let ids: Vec<JobId> = jobs.iter().filter_map(|job| job.id).collect();
    let answer = timeout(PATIENCE, queue.push(jobs)).await.map_err(|_| "a push on a full disk hangs")?;
    pushed.extend(ids.iter().map(|id| (*id, answer.is_ok())));
    Ok(answer.and_then(|receipts| {
        let is_stored = receipts == ids.into_iter().map(Receipt::Stored).collect::<Vec<_>>();
        if is_stored {
            Ok(())
        } else {
            Err(QueueError::invalid("a push of new jobs returned other receipts"))
        }
    }))
}

async fn push_until_refused(queue: &dyn Admin, pushed: &mut Pushed) -> Result<QueueError, BoxError> {
    for _ in 0..BATCHES {
        if let Err(refusal) = push(queue, pushed).await? {
            return Ok(refusal);
        }
    }
    Err(format!("{} jobs were pushed, and the disk is not full", pushed.len()).into())
}

/// Checks that the error names the disk and is transient.
fn names_the_disk(refusal: &QueueError) -> Result<(), BoxError> {
    let is_clear = refusal.kind() == QueueErrorKind::Unavailable && refusal.to_string().contains("disk");
    if is_clear {
        return Ok(());
    }
    let text = queue_core::backend::error_chain(refusal);
    Err(format!(
        "a push on a full disk must be `Unavailable` and name the disk, and it is {:?}: {text}",
        refusal.kind()
    )
    .into())
}

/// Checks that acknowledged jobs are stored byte for byte, and that every other batch is stored as a whole or not at all.
async fn is_intact(queue: &dyn Admin, pushed: &Pushed) -> Result<(), BoxError> {
    let listed = timeout(PATIENCE, queue.list_all(&Filter::all()))
        .await
        .map_err(|_| "`list` on a full disk hangs")??;
    let stored: HashMap<_, _> = listed.iter().map(|record| (record.id, record)).collect();
    for (id, is_acknowledged) in pushed {
        let bytes = stored.get(id).map(|record| record.body.encode().map(|text| text.len()));
        match bytes {
            Some(Ok(2_002)) => {}
            None if !is_acknowledged => {}
            None => return Err(format!("job {id} was acknowledged, and is missing").into()),
            Some(found) => return Err(format!("job {id} is stored with another payload: {found:?}").into()),
        }
    }
    if stored.len() % BATCH == 0 { Ok(()) } else { Err("half a batch is stored".into()) }
}

/// Pushes until a push succeeds, and returns how long that took.
async fn go_on(queue: &dyn Admin, pushed: &mut Pushed) -> Result<Duration, BoxError> {
    let start = Instant::now();
    while let Err(refusal) = push(queue, pushed).await? {
        if start.elapsed() > PATIENCE || !refusal.is_transient() {
            let text = queue_core::backend::error_chain(&refusal);
            return Err(format!("there is free space again, and the queue does not continue: {text}").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(start.elapsed())
}

/// Claims and completes a job.
async fn work(queue: &dyn Admin) -> Result<(), BoxError> {
    let demand = Demand::new("default", 1).wait(PATIENCE);
    let delivery = queue.claim(&demand).await?.pop().ok_or("there are jobs, and no job was delivered")?;
    let settled = queue.settle(vec![Settlement::new(delivery.lease, Transition::complete())]).await?;
    if settled == [Settled::Applied] {
        Ok(())
    } else {
        Err(format!("a completion returned {settled:?}").into())
    }
}
