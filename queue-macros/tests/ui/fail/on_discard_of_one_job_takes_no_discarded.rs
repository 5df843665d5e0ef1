//! M5: the job that a push names for a discard takes the discarded one, and nothing else.

use queue_core::{Queue, QueueExt as _, background_job};

#[background_job]
async fn alert(order: u64) {
    let _ = order;
}

fn enqueue(queue: &dyn Queue) {
    drop(queue.enqueue(alert::new(7)).on_discard(alert::new));
}

fn main() {}
