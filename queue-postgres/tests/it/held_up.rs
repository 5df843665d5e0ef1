//! Which calls wait for an application's open transaction, and which must not (D26).

use std::time::{Duration, Instant};

use queue_core::admin::Cancellation;
use queue_core::{
    Admin as _, Demand, Heartbeat, NewJob, Queue as _, QueueExt as _, Receipt, Renewal, Settled, Settlement,
    Transition,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection, PgPool};
use test_servers::{Durability, Postgres};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fixture::{TestResult, number, queue, run, schema, url, work};

fn keyed(number: u32) -> NewJob {
    NewJob::from(work::new(number)).queue("keyed").unique(format!("key-{number}"))
}

/// D26: an operator's call that needs a job locked by a transaction is answered after the transaction ends.
#[tokio::test]
async fn a_cancellation_waits_for_a_transaction_that_has_locked_the_job() -> TestResult {
    let (queue, mut other, schema) = queue().await?;
    let id = queue.enqueue(work::new(1)).await?.id();
    let mut lock = PgConnection::connect(&url()).await?;
    run(&mut lock, format!("begin; select from {schema}.ready for update")).await?;
    let cancel = {
        let queue = queue.clone();
        tokio::spawn(async move { queue.cancel(id, "test").await })
    };
    // The call has been tried more than once.
    let waits = format!(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%{schema}%cancel%'"
    );
    for _ in 0..2 {
        while !cancel.is_finished() && number(&mut other, waits.clone()).await? == 0 {}
        while !cancel.is_finished() && number(&mut other, waits.clone()).await? > 0 {}
    }

    run(&mut lock, "rollback").await?;

    assert_eq!(cancel.await??, Cancellation::Cancelled);
    Ok(())
}

/// D26: many locked keys of followups delay the caller, who settles other jobs too, for a bounded time.
#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_of_many_locked_keys_is_answered_soon() -> TestResult {
    const KEYS: u32 = 400;
    let schema = schema();
    let pool = PgPool::connect(&url()).await?;
    let queue = PostgresQueue::builder(pool.clone()).schema(&schema).connect().await?;
    queue.enqueue_all((0..=KEYS).map(work::new)).await?;
    let jobs = queue.claim(&Demand::new("default", 1_000)).await?;
    let mut tx = pool.begin().await?;
    queue.push_in(&mut tx, (0..KEYS).map(keyed).collect()).await?;
    let mut settlements: Vec<_> =
        jobs.into_iter().map(|job| Settlement::new(job.lease, Transition::complete())).collect();
    for (settlement, number) in settlements.iter_mut().zip(0..KEYS) {
        settlement.followups.push(keyed(number));
    }

    // It takes 20 ms to find each key locked.
    let settled = timeout(Duration::from_secs(5), queue.settle(settlements.clone())).await??;

    let (last, blocked) = settled.split_last().ok_or("as many answers as settlements")?;
    assert_eq!(*last, Settled::Applied);
    assert!(blocked.iter().all(|settled| *settled == Settled::Blocked), "{blocked:?}");
    tx.commit().await?;
    settlements.pop();
    let mut settled = queue.settle(settlements.clone()).await?;
    // Keys found locked within the last second may be answered `Blocked` once more.
    while settled.contains(&Settled::Blocked) {
        let again = queue.settle(settlements.clone()).await?;
        for (settled, again) in
            settled.iter_mut().zip(again).filter(|(settled, _)| **settled == Settled::Blocked)
        {
            *settled = again;
        }
    }
    assert!(settled.iter().all(|settled| *settled == Settled::Applied), "{settled:?}");
    Ok(())
}

/// D26: commits that notify wait for one another in the whole server. Pushes don't wait for slow commits of other
/// programs.
#[tokio::test(flavor = "multi_thread")]
async fn pushes_do_not_wait_for_slow_commits_that_notify() -> TestResult {
    let server = Postgres::start(Durability::Full, &["commit_delay=60000", "commit_siblings=0"])?;
    let queue = PostgresQueue::connect(server.url("postgres")).await?;
    queue.enqueue(work::new(0)).await?;
    run(&mut PgConnection::connect(&server.url("postgres")).await?, "create table public.notes (note int)")
        .await?;
    let mut others = JoinSet::new();
    for _ in 0..4 {
        let mut other = PgConnection::connect(&server.url("postgres")).await?;
        others.spawn(async move {
            let note = "begin; insert into public.notes values (1); notify others; commit";
            while run(&mut other, note).await.is_ok() {}
        });
    }

    let began = Instant::now();
    for _ in 0..10 {
        let pushes: Vec<_> = (0..50)
            .map(|number| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.enqueue(work::new(number)).await })
            })
            .collect();
        for push in pushes {
            push.await??;
        }
    }

    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "10 rounds of 50 pushes took {took:?}");
    others.shutdown().await;
    Ok(())
}

/// Q49: a settlement that began in time and keeps its job also keeps the job's key.
#[tokio::test]
async fn a_key_is_held_while_a_settlement_that_began_in_time_is_under_way() -> TestResult {
    let (queue, mut other, schema) = queue().await?;
    let job = |number| NewJob::from(work::new(number)).unique("key").max_attempts(1);
    let first = queue.push(vec![job(1)]).await?[0].id();
    assert_eq!(queue.claim(&Demand::new("default", 1).lease(Duration::from_secs(3))).await?.len(), 1);
    let mut worker = PgConnection::connect(&url()).await?;
    let nulls = ["null"; 19].join(", ");
    let snooze = format!(
        "begin; select {schema}.settle(array['{}'::uuid], array[1::bigint], array[4::smallint], \
         array[9000000000000000::bigint], array[null::text], false, {nulls})",
        first.as_uuid()
    );
    run(&mut worker, snooze).await?;
    let expired = format!("select count(*) from {schema}.leases where expires_at <= {schema}.clock()");
    while number(&mut other, expired.clone()).await? == 0 {}

    let second = queue.push(vec![job(2)]).await?;

    run(&mut worker, "commit").await?;
    assert_eq!(second, [Receipt::Existing(first)]);
    Ok(())
}

/// The time of a renewal grows linearly with the number of leases.
#[tokio::test]
async fn many_leases_are_renewed_at_once() -> TestResult {
    const LEASES: usize = 10_000;
    let (queue, ..) = queue().await?;
    queue.enqueue_all((0..10_000).map(work::new)).await?;
    let mut leases = Vec::new();
    while leases.len() < LEASES {
        let jobs = queue.claim(&Demand::new("default", LEASES)).await?;
        leases.extend(jobs.into_iter().map(|job| job.lease));
    }

    let began = Instant::now();
    let renewals = queue.renew(&Heartbeat::of(&leases)).await?;

    let took = began.elapsed();
    assert!(renewals.iter().all(|renewal| matches!(renewal, Renewal::Held { .. })));
    assert!(took < Duration::from_secs(3), "10,000 leases were renewed in {took:?}");
    Ok(())
}
