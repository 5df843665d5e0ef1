//! Tests how the hosted loop handles settlements that an open transaction blocks: H73.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{
    Delivery, Demand, Heartbeat, JobContext, NewJob, Queue, QueueError, QueueExt as _, Receipt, Renewal,
    Services, Settled, Settlement, State, background_job, jobs,
};
use queue_tokio::MemoryQueue;

use crate::world::{TestResult, World, keeping_queue, record};

#[background_job]
async fn short(#[inject] runs: &AtomicUsize) {
    runs.fetch_add(1, Ordering::SeqCst);
}

#[background_job]
async fn followed(#[inject] runs: &AtomicUsize, #[inject] context: &JobContext) {
    runs.fetch_add(1, Ordering::SeqCst);
    context.then(short::new());
}

/// A queue in which an open transaction holds the locks that each settlement with followups needs.
#[derive(Clone)]
struct Held {
    queue: MemoryQueue,
    is_open: Arc<AtomicBool>,
}

#[async_trait]
impl Queue for Held {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.queue.push(jobs).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.queue.claim(demand).await
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        self.queue.renew(heartbeats).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        let mut answers = Vec::new();
        for settlement in settlements {
            let is_held = self.is_open.load(Ordering::SeqCst) && !settlement.followups.is_empty();
            let answer =
                if is_held { vec![Settled::Blocked] } else { self.queue.settle(vec![settlement]).await? };
            answers.extend(answer);
        }
        Ok(answers)
    }
}

/// H73: a blocked settlement keeps its lease, delays no other one, and is recorded once the transaction has ended.
#[tokio::test(start_paused = true)]
async fn a_blocked_settlement_is_repeated_and_holds_up_no_other() -> TestResult {
    let runs = Arc::new(AtomicUsize::new(0));
    let is_open = Arc::new(AtomicBool::new(true));
    let queue = keeping_queue();
    let held = Held { queue: queue.clone(), is_open: is_open.clone() };
    let services = Services::builder().singleton_as(runs.clone());
    let world = World::over(queue, held, jobs![short, followed], services, |service| service).await;

    let blocked = world.queue.enqueue(followed::new()).await?.id();
    let others = world.queue.enqueue_all((0..100).map(|_| short::new())).await?;
    world.recorder.wait_for_settled::<short>(100).await;
    for _ in 0..60 {
        tokio::time::advance(Duration::from_secs(5)).await;
    }
    for other in others {
        assert_eq!(record(&world.queue, other.id()).await.state, State::Completed);
    }
    let job = record(&world.queue, blocked).await;
    assert_eq!((job.state, job.fence.0), (State::Executing, 1), "after ten times its lease");

    is_open.store(false, Ordering::SeqCst);
    world.recorder.wait_for_settled::<followed>(1).await;
    world.recorder.wait_for_settled::<short>(101).await;

    assert_eq!(record(&world.queue, blocked).await.state, State::Completed);
    assert_eq!(runs.load(Ordering::SeqCst), 102);
    world.host.stop().await?;
    Ok(())
}
