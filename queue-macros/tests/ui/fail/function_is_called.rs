//! M10: if the function is called where a job is expected, the error says how to create the job.

use queue_core::{JobContext, Queue, QueueError, QueueExt as _, background_job};

#[background_job]
async fn mail(user: u64) {
    let _ = user;
}

#[background_job(blocking)]
fn index(page: u64) -> Result<(), String> {
    Err(page.to_string())
}

async fn enqueue(queue: &dyn Queue) -> Result<(), QueueError> {
    queue.enqueue(mail(1)).await?;
    queue.enqueue(mail(1)).priority(-1).await?;
    queue.enqueue(index(1)).await?;
    queue.enqueue_all([mail(1)]).await?;
    queue.push(vec![mail(1).into()]).await?;
    Ok(())
}

#[background_job]
async fn greet(#[inject] context: &JobContext) {
    context.then(mail(1));
}

fn main() {}
