//! M4, Q105: the push of one job, of any kind, names the job that is stored on its discard.

use queue_core::{Discarded, NewJob, Queue, QueueError, QueueExt as _, background_job};

#[background_job]
async fn alert(discarded: Discarded) {
    drop(discarded);
}

#[background_job]
async fn charge(order: u64) -> Result<u64, String> {
    Ok(order)
}

async fn enqueue(queue: &dyn Queue) -> Result<(), QueueError> {
    let _charged = queue.enqueue(charge::new(7)).on_discard(alert::new).priority(1).await?;
    let _stored = queue.enqueue(NewJob::from(charge::new(8))).on_discard(alert::new).await?;
    Ok(())
}

fn main() {
    let _ = enqueue;
}
