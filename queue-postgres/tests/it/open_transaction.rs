//! Jobs of others start on time while an application keeps a transaction open (D26).

use std::time::{Duration, SystemTime};

use queue_core::{
    Admin as _, Demand, NewJob, Queue as _, Receipt, Settlement, State, Timestamp, Transition, Unique,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::PgPool;

use crate::fixture::{TestResult, schema, url, work};

/// Sets for how many seconds the transaction stays open, 10 by default. With it, the bound is that of a quiet machine.
const SECONDS: &str = "OPEN_TRANSACTION_SECONDS";

/// How many jobs become due in a second.
const RATE: u32 = 200;

/// D26: While a transaction holds a unique key, delayed jobs of another queue start on time in another program. The
/// figures are printed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delayed_jobs_start_on_time_beside_a_transaction_that_stays_open() -> TestResult {
    let set = std::env::var(SECONDS).ok().and_then(|seconds| seconds.parse().ok());
    let seconds = set.unwrap_or(10);
    // Other tests run beside this one; a job that waits for the transaction waits for all of it.
    let bound = Duration::from_millis(if set.is_some() { 100 } else { 2_000 });
    let schema = schema();
    let pool = PgPool::connect(&url()).await?;
    let application = PostgresQueue::builder(pool.clone()).schema(&schema).connect().await?;
    let program = PostgresQueue::builder(url()).schema(&schema).connect().await?;
    let jobs = RATE * seconds;
    let gap = Duration::from_secs(1) / RATE;
    let delayed = (0..jobs).map(|place| {
        NewJob::from(work::new(place)).queue("mail").delay(Duration::from_secs(1) + gap * place)
    });
    let delayed: Vec<_> = delayed.collect();
    for batch in delayed.chunks(2_000) {
        program.push(batch.to_vec()).await?;
    }
    let order = |key: Unique| NewJob::from(work::new(1)).queue("orders").unique(key);
    application.push(vec![order(Unique::new("order-1")).delay(Duration::from_secs(2))]).await?;
    // When the transaction begins, one job is due, and no claim has moved it yet.
    let due = program.push(vec![NewJob::from(work::new(0)).queue("mail").delay(gap)]).await?[0].id();
    while program.get(due).await?.is_none_or(|job| job.state != State::Available) {}
    let mut tx = pool.begin().await?;
    application.enqueue_in(&mut tx, order(Unique::new("order-2"))).await?;
    // This one's due time passes while the transaction is open.
    let replaced = order(Unique::new("order-1").replace()).delay(Duration::from_secs(600));
    assert!(matches!(application.enqueue_in(&mut tx, replaced).await?, Receipt::Replaced(_)));

    let mut late = Vec::new();
    while late.len() <= jobs as usize {
        let deliveries = program.claim(&Demand::new("mail", 100)).await?;
        let now = Timestamp::from(SystemTime::now());
        late.extend(deliveries.iter().map(|delivery| now.since(delivery.run_at)));
        let done = deliveries.into_iter().map(|job| Settlement::new(job.lease, Transition::complete()));
        program.settle(done.collect()).await?;
    }

    tx.commit().await?;
    late.sort_unstable();
    let percentile = |percent: usize| late[(late.len() - 1) * percent / 100];
    let [median, most, all] = [50, 99, 100].map(percentile);
    let figures = format!(
        "{jobs} jobs became due in {seconds} s beside an open transaction; from due to start: p50 {median:.1?}, p99 \
         {most:.1?}, slowest {all:.1?}"
    );
    print(&figures);
    assert!(most < bound, "{figures}");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are what an operator runs this test for")]
fn print(figures: &str) {
    println!("{figures}");
}
