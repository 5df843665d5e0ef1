//! PgBouncer in transaction mode on the way: nothing may stay with a connection (D13).

use std::time::Duration;

use queue_core::{Admin as _, Demand, Heartbeat, Queue as _, QueueExt as _, Settlement, State, Transition};
use queue_postgres::PostgresQueue;
use test_servers::{Durability, PgBouncer, Postgres};

use crate::fixture::{TestResult, work};
use crate::logs;

/// D13: many calls at once over fewer connections than there are lanes, by two processes.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_works_through_a_pooler_in_transaction_mode() -> TestResult {
    const JOBS: u32 = 200;
    logs::keep();
    let server = Postgres::start(Durability::Process, &[])?;
    let pooler = PgBouncer::start(&server)?;
    let open = || {
        let builder = PostgresQueue::builder(pooler.url()).transaction_pooler(true);
        builder.poll_interval(Duration::from_millis(50)).connect()
    };
    let (pusher, worker) = (open().await?, open().await?);
    let working = tokio::spawn(async move {
        let mut done = 0;
        while done < JOBS as usize {
            let jobs = worker.claim(&Demand::new("default", 10)).await?;
            worker.renew(&Heartbeat::of(jobs.iter().map(|job| &job.lease))).await?;
            done += jobs.len();
            let ends = jobs.into_iter().map(|job| Settlement::new(job.lease, Transition::complete()));
            worker.settle(ends.collect()).await?;
        }
        Ok::<_, queue_core::QueueError>(())
    });

    let pushes = (0..JOBS).map(|number| {
        let pusher = pusher.clone();
        tokio::spawn(async move { pusher.enqueue(work::new(number)).await })
    });
    for push in pushes.collect::<Vec<_>>() {
        push.await??;
    }
    working.await??;

    let counts = pusher.counts().await?;
    assert_eq!(counts.iter().map(|counts| counts.of(State::Completed)).sum::<u64>(), u64::from(JOBS));
    let url = pooler.url();
    let (_, address) = url.rsplit_once("host=").ok_or("the pooler has a socket")?;
    let said = logs::count(&["a pooler in transaction mode passes no notifications on", address]);
    assert_eq!(said, 2, "each of the two queues warns once");
    Ok(())
}
