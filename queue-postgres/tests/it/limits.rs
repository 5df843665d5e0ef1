//! Limits hold for all processes together, and wake those that wait.

use std::time::Duration;

use queue_core::admin::UsageRequest;
use queue_core::{
    Admin as _, BoxError, Delivery, Demand, Limit, LimitScope, NewJob, Queue as _, QueueError, QueueExt as _,
    QueueLimits, QueueName, Settlement, Timestamp, Transition,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{self, AssertSqlSafe, Connection as _, PgConnection};

use crate::fixture::{NEVER, TestResult, number, queue, run, schema, url, without_pruning, work};

const HOUR: Duration = Duration::from_secs(3600);

fn default() -> QueueName {
    "default".into()
}

/// Waits for a claim that is to be woken, and no longer than that can take.
async fn woken(
    claim: impl Future<Output = Result<Vec<Delivery>, QueueError>>,
) -> Result<Vec<Delivery>, BoxError> {
    let claimed = tokio::time::timeout(Duration::from_secs(30), claim).await;
    Ok(claimed.map_err(|_| "the claim was not woken within 30 s")??)
}

fn complete(jobs: Vec<Delivery>) -> Vec<Settlement> {
    jobs.into_iter().map(|job| Settlement::new(job.lease, Transition::complete())).collect()
}

fn jobs(partitions: &[&str], each: u32) -> Vec<NewJob> {
    let of = |number| {
        partitions.iter().map(move |partition| NewJob::from(work::new(number)).partition(*partition))
    };
    (0..each).flat_map(of).collect()
}

/// Raises an error in the transaction that leases more than three jobs of a partition, or more than seven of the queue. A trigger
/// sees the leases of other transactions that have committed, and claims of one queue come one after another.
async fn watch(connection: &mut PgConnection, schema: &str) -> TestResult {
    let watch = format!(
        "set search_path = {schema};
        create table most (partition text, running bigint);
        create function check_limits() returns trigger language plpgsql set search_path = {schema} as $$
        begin
            insert into most select coalesce(partition, ''), count(*) from leases group by 1 having count(*) > 3;
            insert into most select 'all', count(*) from leases having count(*) > 7;
            return null;
        end $$;
        create trigger check_limits after insert on leases for each statement execute function check_limits()"
    );
    run(connection, watch).await
}

/// Q115, Q116: two processes claim and settle at once, while limits are set on a queue that was a plain one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_jobs_run_than_allowed_whoever_claims() -> TestResult {
    const PARTITIONS: [&str; 4] = ["", "a", "b", "c"];
    let (one, mut connection, schema) = queue().await?;
    let two = without_pruning(&schema).connect().await?;
    one.push(jobs(&[""], 20)).await?;
    let early = one.claim(&Demand::new("default", 2).lease(HOUR)).await?;
    let limits = QueueLimits::total(Limit::running(7)).and_each(Limit::running(3));
    one.declare_limits(&default(), &limits).await?;
    watch(&mut connection, &schema).await?;
    one.push(jobs(&PARTITIONS, 100)).await?;

    let worker = |queue: PostgresQueue, seed: u64| async move {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut done = 0;
        loop {
            let demand = Demand::new("default", random.usize(1..6)).lease(HOUR);
            let jobs = queue.claim(&demand.wait(Duration::from_millis(200))).await?;
            if jobs.is_empty() {
                return Ok::<usize, QueueError>(done);
            }
            done += jobs.len();
            queue.settle(complete(jobs)).await?;
        }
    };
    let workers = (0..8).map(|seed| tokio::spawn(worker([&one, &two][seed as usize % 2].clone(), seed)));
    let mut done = 0;
    for worker in workers.collect::<Vec<_>>() {
        done += worker.await??;
    }

    assert_eq!(done, 418, "all jobs but the two that are still leased");
    let most: Vec<(String, i64)> =
        sqlx::query_as(AssertSqlSafe(format!("select distinct partition, running from {schema}.most")))
            .fetch_all(&mut connection)
            .await?;
    assert!(most.is_empty(), "too many ran: {most:?}");
    one.settle(complete(early)).await?;
    let broken = format!("select count(*) from {schema}.check_integrity()");
    assert_eq!(number(&mut connection, broken).await?, 0);
    Ok(())
}

/// Q20, Q115: the claims that one call makes are served in their order, each up to its own number of jobs.
#[tokio::test]
async fn claims_that_are_made_at_once_are_served_in_their_order() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    queue.declare_limits(&default(), &QueueLimits::each(Limit::running(1))).await?;
    queue.push(jobs(&["a", "b", "c", "d"], 2)).await?;
    let claims = |most: [u32; 3]| {
        format!(
            "select claim, partition from {schema}.claim(array[0, 1, 2], array['default', 'default', 'default'],
                array[1, 5, 9], array[3600000000, 3600000000, 3600000000]::bigint[], null, null, null, null, null, null, null,
                array{most:?}) where claim >= 0"
        )
    };

    let served: Vec<(i32, String)> =
        sqlx::query_as(AssertSqlSafe(claims([1, 2, 9]))).fetch_all(&mut connection).await?;
    let none_left: Vec<(i32, String)> =
        sqlx::query_as(AssertSqlSafe(claims([1, 2, 9]))).fetch_all(&mut connection).await?;

    let expected = [(0, "a"), (1, "b"), (1, "c"), (2, "d")];
    assert_eq!(served, expected.map(|(claim, partition)| (claim, partition.to_owned())));
    assert_eq!(none_left, []);
    Ok(())
}

/// Q115, Q116: a claim that finds a job locked by another transaction takes other jobs, and counts the jobs that it has taken.
#[tokio::test]
async fn a_claim_that_meets_a_locked_job_keeps_to_the_limits() -> TestResult {
    let each = QueueLimits::each(Limit::running(1));
    let total = QueueLimits::total(Limit::running(2));
    for (limits, expected) in [(each, vec!["a", "c", "d"]), (total, vec!["a", "c"])] {
        let (queue, mut connection, schema) = queue().await?;
        queue.declare_limits(&default(), &limits).await?;
        queue.push(jobs(&["locked", "a", "c", "d"], 2)).await?;
        run(&mut connection, "begin").await?;
        run(&mut connection, format!("select from {schema}.ready where partition = 'locked' for update"))
            .await?;

        let claimed = queue.claim(&Demand::new("default", 9).lease(HOUR)).await?;
        let again = queue.claim(&Demand::new("default", 9).lease(HOUR).wait(Duration::ZERO)).await?;

        let partitions: Vec<_> = claimed.iter().map(|job| job.partition.as_str()).collect();
        assert_eq!(partitions, expected, "{limits:?}");
        assert_eq!(again.len(), 0, "{limits:?}");
        run(&mut connection, "rollback").await?;
    }
    Ok(())
}

/// A claim that steps over a locked job finds it again once it is unlocked, although its scans begin behind the job.
#[tokio::test]
async fn a_job_that_was_locked_is_found_again() -> TestResult {
    // Each case takes its jobs by a statement of its own.
    for (partitions, max) in [(&["p"][..], 1), (&["p", "q"][..], 1), (&["p", "q"][..], 5)] {
        let (queue, mut connection, schema) = queue().await?;
        queue.push(jobs(partitions, 3)).await?;
        run(&mut connection, "begin").await?;
        let first = format!(
            "select from {schema}.ready where seq = (select min(seq) from {schema}.ready) for update"
        );
        run(&mut connection, first).await?;
        let demand = Demand::new("default", max).lease(HOUR).wait(Duration::ZERO);
        let mut left = 3 * partitions.len();
        let mut jobs = queue.claim(&demand).await?;

        run(&mut connection, "rollback").await?;

        loop {
            assert!(
                !jobs.is_empty(),
                "{left} jobs are ready in {partitions:?}, and {max} are claimed at once"
            );
            left -= jobs.len();
            queue.settle(complete(jobs)).await?;
            if left == 0 {
                break;
            }
            jobs = queue.claim(&demand).await?;
        }
    }
    Ok(())
}

/// A job that sorts before those that were taken is next: scans begin before it then.
#[tokio::test]
async fn a_job_that_comes_before_those_that_were_taken_is_next() -> TestResult {
    let (queue, ..) = queue().await?;
    let job = || NewJob::from(work::new(0)).partition("p");
    queue.push((0..4).map(|_| job()).collect()).await?;
    let demand = Demand::new("default", 1).lease(HOUR).wait(Duration::ZERO);
    let first = queue.claim(&demand).await?.remove(0);

    let urgent = queue.enqueue(job().priority(-5)).await?;
    assert_eq!(queue.claim(&demand).await?[0].lease.job, urgent.id());
    queue.claim(&demand).await?;
    queue.enqueue(job()).await?;
    let id = first.lease.job;
    queue.settle(vec![Settlement::new(first.lease, Transition::Release)]).await?;
    assert_eq!(queue.claim(&demand).await?[0].lease.job, id);
    Ok(())
}

/// A claim has locked neither the share of a queue that did not exist when it began nor its advisory lock.
#[tokio::test]
async fn a_queue_that_is_created_during_a_claim_keeps_its_limit() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    queue.declare_limits(&default(), &QueueLimits::total(Limit::running(9))).await?;
    queue.push(jobs(&[""], 1)).await?;
    let mut locked = PgConnection::connect(&url()).await?;
    run(&mut locked, format!("begin; select from {schema}.shares for update")).await?;
    let late = QueueName::from("late");
    let demand = Demand::of([default(), late.clone()], 9).lease(HOUR).wait(Duration::ZERO);
    let claim = tokio::spawn({
        let (queue, demand) = (queue.clone(), demand.clone());
        async move { queue.claim(&demand).await }
    });
    let blocked = format!(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%{schema}%claim(%'"
    );
    while number(&mut connection, &blocked).await? == 0 {}

    queue.declare_limits(&late, &QueueLimits::total(Limit::running(1))).await?;
    queue.push((0..3).map(|number| NewJob::from(work::new(number)).queue("late")).collect()).await?;
    run(&mut locked, "rollback").await?;

    let first = claim.await??;
    let second = queue.claim(&demand).await?;
    let ran = first.iter().chain(&second).filter(|job| job.queue == late).count();
    assert_eq!((first.len() + second.len(), ran), (2, 1));
    Ok(())
}

/// While a queue becomes shared, claims that take it for a plain one are under way, and are counted too.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claims_that_began_before_the_limit_are_counted() -> TestResult {
    for _ in 0..20 {
        let (one, mut connection, schema) = queue().await?;
        let two = without_pruning(&schema).connect().await?;
        one.push(jobs(&[""], 50)).await?;
        let claims = |queue: PostgresQueue| async move {
            let mut ran = Vec::new();
            for _ in 0..10 {
                ran.extend(queue.claim(&Demand::new("default", 1).lease(HOUR).wait(Duration::ZERO)).await?);
            }
            Ok::<_, QueueError>(ran)
        };
        let limiting = async {
            one.set_limit(&default(), &LimitScope::Total, Some(Limit::running(1))).await?;
            // From here on, no claim may take a job while one runs.
            number(&mut connection, format!("select count(*) from {schema}.leases")).await
        };

        let (first, second, at_limit) =
            tokio::join!(tokio::spawn(claims(one.clone())), tokio::spawn(claims(two.clone())), limiting);

        let ran = first??.len() + second??.len();
        let at_limit = usize::try_from(at_limit?)?;
        assert!(ran <= at_limit.max(1), "{at_limit} ran when the limit was set, and {ran} later");
    }
    Ok(())
}

/// Q116, Q118, Q121: a settlement of another process, a higher limit and the end of a window wake a waiting claim.
#[tokio::test]
async fn a_claim_wakes_when_a_limit_allows_the_next_job() -> TestResult {
    let schema = schema();
    let builder = || without_pruning(&schema).poll_interval(NEVER);
    let (one, other) = (builder().connect().await?, builder().connect().await?);
    let demand = Demand::new("default", 1).lease(HOUR);
    let running = |jobs| (LimitScope::Total, Some(Limit::running(jobs)));
    let set = async |queue: &PostgresQueue, (scope, limit): (LimitScope, Option<Limit>)| {
        queue.set_limit(&default(), &scope, limit).await
    };
    one.push(jobs(&["a", "b", ""], 3)).await?;
    set(&one, running(1)).await?;
    let mut first = other.claim(&demand).await?;
    for what in ["settle", "settle again", "limit", "window", "hold"] {
        if what == "window" {
            set(&one, (LimitScope::Total, Some(Limit::starts(1, Duration::from_millis(300))))).await?;
            one.claim(&demand).await?;
        } else if what == "hold" {
            set(&one, (LimitScope::Total, None)).await?;
            set(&one, (LimitScope::Each, Some(Limit::NONE))).await?;
            for partition in ["a", "b", ""] {
                set(&one, (LimitScope::One(partition.into()), Some(Limit::running(0)))).await?;
            }
            one.push(jobs(&["held"], 2)).await?;
            let held = one.claim(&demand).await?;
            let at = held[0].run_at.saturating_add(Duration::from_millis(500));
            let throttle =
                held.into_iter().map(|job| Settlement::new(job.lease, Transition::Throttle { at }));
            one.settle(throttle.collect()).await?;
        }
        let mut claim = Box::pin(one.claim(&demand));
        assert!(futures_util::poll!(&mut claim).is_pending(), "{what}");
        one.poll_now().await;
        match what {
            "settle" | "settle again" => drop(other.settle(complete(std::mem::take(&mut first))).await?),
            "limit" => set(&other, running(2)).await?,
            _ => {}
        }

        let delivered = woken(claim).await.map_err(|error| format!("{what}: {error}"))?;

        assert_eq!(delivered.len(), 1, "{what}");
        first = delivered;
    }
    Ok(())
}

/// Stores `each` jobs of each of `partitions` partitions, `p1` first.
async fn crowd(connection: &mut PgConnection, schema: &str, partitions: u32, each: u32) -> TestResult {
    let enqueue = format!(
        "select enqueue('work', '{{\"number\": 1}}', partition => 'p' || n) from generate_series(1, {partitions}) n;"
    );
    let enqueue = enqueue.repeat(each as usize);
    let crowd = format!("set search_path = {schema}; {enqueue} analyze jobs, ready, partition_changes");
    run(connection, crowd).await
}

/// Claims of a queue with many partitions find the next one by an index, also while the job of one is locked, and so do the
/// changes before.
#[tokio::test]
async fn a_claim_reads_few_of_many_partitions() -> TestResult {
    for is_locked in [false, true] {
        let (queue, mut connection, schema) = queue().await?;
        queue.push(jobs(&["a"], 1)).await?;
        crowd(&mut connection, &schema, 10_000, 2).await?;
        let demand = Demand::new("default", 64).lease(HOUR);
        let mut running = queue.claim(&demand).await?;
        if is_locked {
            run(&mut connection, "begin").await?;
            let row = format!("select from {schema}.ready where partition = 'p100' for update");
            run(&mut connection, row).await?;
        }
        let before = read(&mut connection, &schema).await?;

        for _ in 0..20 {
            let jobs = queue.claim(&demand).await?;
            assert_eq!(jobs.len(), 64);
            queue.settle(complete(std::mem::replace(&mut running, jobs))).await?;
        }

        drop(queue);
        let mut after = read(&mut connection, &schema).await?;
        while after.1 - before.1 < 20 * 64 {
            after = read(&mut connection, &schema).await?;
        }
        assert_eq!(after.0, before.0, "a table was scanned");
        let each = (after.1 - before.1) / (20 * 64);
        assert!(each < 60, "{each} rows were read for each job");
    }
    Ok(())
}

/// Returns how many rows were read so far by scans of whole tables, and how many in all.
async fn read(connection: &mut PgConnection, schema: &str) -> Result<(i64, i64), BoxError> {
    run(connection, "select pg_stat_force_next_flush()").await?;
    run(connection, "select pg_stat_clear_snapshot()").await?;
    let of = |what: &str| {
        format!(
            "select coalesce(sum({what}), 0)::bigint from pg_stat_user_tables
            where schemaname = '{schema}' and relname not in ('queues', 'history_parts')"
        )
    };
    Ok((
        number(connection, of("seq_tup_read")).await?,
        number(connection, of("seq_tup_read + idx_tup_fetch")).await?,
    ))
}

/// The state of unused partitions is deleted, and limits stay.
#[tokio::test]
async fn unused_partitions_are_forgotten_once_their_rate_allows_all_starts() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let limits = QueueLimits::each(Limit::starts(1, HOUR)).and_partition("b", Limit::running(1));
    queue.declare_limits(&default(), &limits).await?;
    queue.push(jobs(&["a", "b"], 1)).await?;
    let jobs = queue.claim(&Demand::new("default", 4)).await?;
    queue.settle(complete(jobs)).await?;
    let named = format!("select count(*) from {schema}.partitions where name <> ''");
    assert_eq!(number(&mut connection, &named).await?, 2);

    queue.prune(&queue_core::admin::Prune::older_than(HOUR)).await?;

    assert_eq!(number(&mut connection, &named).await?, 1, "the rate of `a` is remembered");
    let usage = queue.usage(&UsageRequest::of("default")).await?;
    assert_eq!(usage.partitions.len(), 1);
    assert!(usage.partitions[0].usage.next_start > Some(Timestamp::EPOCH));
    Ok(())
}

/// SQL stores jobs of a partition, and refuses names that programs would refuse.
#[tokio::test]
async fn a_partition_is_enqueued_by_sql() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let enqueue = |partition: &str| {
        format!("select {schema}.enqueue('work', '{{\"number\": 1}}', partition => {partition})")
    };

    run(&mut connection, enqueue("'acme'")).await?;
    run(&mut connection, enqueue("''")).await?;
    for (partition, problem) in [("repeat('x', 129)", "129 bytes"), ("'a' || chr(10)", "control character")] {
        let error = run(&mut connection, enqueue(partition)).await.expect_err("it was stored");
        assert!(error.to_string().contains(problem), "{error}");
    }

    let mut found: Vec<_> = queue.claim(&Demand::new("default", 4)).await?;
    found.sort_by_key(|job| job.partition.clone());
    let partitions: Vec<_> = found.iter().map(|job| job.partition.as_str()).collect();
    assert_eq!(partitions, ["", "acme"]);
    queue.enqueue(work::new(1)).await?;
    Ok(())
}
