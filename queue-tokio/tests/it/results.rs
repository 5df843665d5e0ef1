//! Tests that handles wait for jobs that a service runs, and that results are bounded: Q83, Q84, Q85.

use std::time::Duration;

use queue_core::{Ended, JobError, QueueExt as _, Services, State, background_job, jobs};
use queue_tokio::{MemoryQueue, QueueService};

use crate::world::{TestResult, World, record};

const HOUR: Duration = Duration::from_secs(3600);

#[background_job(max_attempts = 3, backoff = fixed("1m"))]
async fn repeat(#[inject] context: &queue_core::JobContext, size: usize) -> Result<String, JobError> {
    if context.attempt() == 1 {
        return Err("not yet".into());
    }
    Ok("x".repeat(size))
}

/// Q84: a caller waits through a retry, and is woken by the end.
#[tokio::test(start_paused = true)]
async fn a_handle_waits_until_a_running_job_has_ended() -> TestResult {
    let world = World::start(jobs![repeat], Services::builder()).await;
    let repeated = world.queue.enqueue(repeat::new(3)).await?.handle();

    assert_eq!(repeated.ended(&world.queue, Duration::from_secs(1)).await?, Ended::NotYet(State::Retryable));
    assert_eq!(repeated.ended(&world.queue, HOUR).await?, Ended::Completed("xxx".to_owned()));

    let id = repeated.id();
    assert_eq!(record(&world.queue, id).await.attempt, 2);
    world.host.stop().await?;
    Ok(())
}

/// Q83, H72: a result that the queue refuses fails its job for good, and no other.
#[tokio::test(start_paused = true)]
async fn a_result_that_is_too_large_discards_its_job_and_no_other() -> TestResult {
    let world = World::start(jobs![repeat], Services::builder()).await;
    let large = world.queue.enqueue(repeat::new(2 << 20)).await?.handle();
    let small = world.queue.enqueue(repeat::new(1)).await?.handle();

    assert_eq!(small.ended(&world.queue, HOUR).await?, Ended::Completed("x".to_owned()));
    let Ended::Discarded(errors) = large.ended(&world.queue, HOUR).await? else {
        panic!("2 MiB were stored")
    };

    let last = errors.last().ok_or("no error")?;
    assert_eq!((errors.len(), last.attempt), (2, 2), "it is not tried again");
    assert!(last.message.contains("result") && last.message.contains("the limit is 1048576"), "{last:?}");
    world.host.stop().await?;
    Ok(())
}

/// Q85
#[tokio::test(start_paused = true)]
async fn a_queue_that_keeps_no_completed_jobs_answers_gone() -> TestResult {
    let queue = MemoryQueue::new();
    let repeated = queue.enqueue(repeat::new(3)).await?.handle();

    let mut ended = None;
    let service = QueueService::new(queue.clone(), jobs![repeat]);

    service.run_until(async { ended = Some(repeated.ended(&queue, HOUR).await) }).await?;

    assert_eq!(ended.ok_or("no answer")??, Ended::Gone);
    Ok(())
}
