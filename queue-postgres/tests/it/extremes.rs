//! The least and greatest values of each setting.

use std::time::Duration;

use queue_core::{
    Demand, Event, Queue as _, QueueErrorKind, QueueExt as _, Services, Transition, background_job, jobs,
};
use queue_postgres::{PostgresQueue, PostgresQueueBuilder, PostgresUnitOfWork};
use queue_testkit::Recorder;
use queue_tokio::{Host, QueueService};

use crate::fixture::{TestResult, schema, url};

#[background_job(max_attempts = 1)]
async fn write(#[inject] _tx: &mut PostgresUnitOfWork) {}

/// D27: with any setting, a queue works or refuses; it never panics or hangs.
#[tokio::test(flavor = "multi_thread")]
async fn extreme_settings_work_or_are_refused() -> TestResult {
    type Change = fn(PostgresQueueBuilder) -> PostgresQueueBuilder;
    let table: [(&str, Change); 10] = [
        ("the longest timeout", |builder| builder.timeout(Duration::MAX)),
        ("the longest poll interval", |builder| builder.poll_interval(Duration::MAX)),
        ("the shortest poll interval", |builder| builder.poll_interval(Duration::ZERO)),
        ("the most connections", |builder| builder.unit_of_work_connections(u32::MAX)),
        ("no connection", |builder| builder.unit_of_work_connections(0)),
        ("completed jobs for ever", |builder| builder.keep_completed(Duration::MAX)),
        ("cancelled jobs for ever", |builder| builder.keep_cancelled(Duration::MAX)),
        ("discarded jobs for ever", |builder| builder.keep_discarded(Duration::MAX)),
        ("no job for any time", |builder| {
            builder
                .keep_completed(Duration::ZERO)
                .keep_cancelled(Duration::ZERO)
                .keep_discarded(Duration::ZERO)
        }),
        ("the longest name", |builder| {
            let name = schema();
            builder.schema(format!("{name}{}", "x".repeat(48 - name.len())))
        }),
    ];

    for (what, change) in table {
        let queue = change(PostgresQueue::builder(url()).schema(schema())).connect().await?;
        let services =
            Services::builder().unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end).build()?;
        let recorder = Recorder::with_deadline(Duration::from_secs(60));
        let service = QueueService::new(queue.clone(), jobs![write]).observe(recorder.clone());
        let running = Host::builder().services(services).service(service).build()?.start().await?;

        queue.enqueue(write::new()).await?;

        let end = recorder.wait_for("the end", |event| matches!(event, Event::Settled { .. })).await;
        let is_complete = matches!(&end, Event::Settled { transition: Transition::Complete { .. }, .. });
        assert!(is_complete, "{what}: {end:?}");
        running.stop().await?;
    }
    // An immediate answer of the server is within any timeout.
    if let Err(error) = PostgresQueue::builder(url()).schema(schema()).timeout(Duration::ZERO).connect().await
    {
        assert_eq!(error.kind(), QueueErrorKind::Unavailable, "{error:?}");
    }
    let queue = PostgresQueue::builder(url()).schema(schema()).connect().await?;
    let mut demand = Demand::new("default", usize::MAX).wait(Duration::ZERO);
    demand.lease = Duration::MAX;
    assert!(queue.claim(&demand).await?.is_empty());
    Ok(())
}
