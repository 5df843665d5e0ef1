//! A server that is restored from a backup under load. The same open queues must continue, although jobs stored since the
//! backup are gone, and queues created since the backup are created again in another order, with other ids.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use queue_core::BoxError;
use queue_core::admin::Filter;
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{self, Connection as _, PgConnection};
use queue_tokio::IdleExt as _;
use test_servers::{Durability, Postgres, ServerError};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::hosted::{self, Ledger};
use crate::report::Report;

/// The queues that exist from the beginning.
const OLD: [&str; 3] = ["images", "payments", "mails"];

/// The number of new queues after each backup.
const NEW: u32 = 6;

/// Restores a server of its own `restores` times.
pub(crate) async fn run(restores: u32, seed: u64) -> Result<Report, BoxError> {
    let mut random = Rng::with_seed(seed);
    let server = Arc::new(Postgres::start(Durability::Process, &[])?);
    let url = server.url("postgres");
    sqlx::raw_sql(hosted::TABLE).execute(&mut PgConnection::connect(&url).await?).await?;
    let ledger = Arc::new(Ledger::default());
    ledger.add_names(&OLD.map(str::to_owned));
    let all: Vec<String> =
        OLD.iter().map(|name| (*name).to_owned()).chain((0..restores).flat_map(new_names)).collect();
    let mut producers = JoinSet::new();
    let mut workers = Vec::new();
    let queue = PostgresQueue::connect(&url).await?;
    // One handle pushes and works, one only pushes, and one only works.
    for queue in [queue.clone(), PostgresQueue::connect(&url).await?] {
        producers.spawn(hosted::produce(queue, ledger.clone(), Rng::with_seed(random.u64(..))));
    }
    for queue in [queue.clone(), PostgresQueue::connect(&url).await?] {
        workers.push(hosted::work(&queue, all.clone(), &ledger).await?);
    }
    let mut gone = Vec::new();
    let (mut renumbered, mut took) = (0, Duration::ZERO);
    for round in 0..restores {
        sleep(Duration::from_millis(random.u64(100..600))).await;
        let mut names = new_names(round);
        random.shuffle(&mut names);
        let since = Instant::now();
        let backup = blocking(&server, Postgres::backup).await?;
        ledger.add_names(&names);
        ledger.wait_for_progress(&names, 1).await?;
        sleep(Duration::from_millis(random.u64(0..400))).await;
        let before = numbers(&url).await?;
        blocking(&server, move |server| server.restore(&backup)).await?;
        // Jobs acknowledged before the backup, or from now on, must be stored at the end.
        let restored = Instant::now();
        gone.push(since..restored);
        ledger.wait_for_progress(&all_until(round), 1).await?;
        took = took.max(restored.elapsed());
        let after = numbers(&url).await?;
        renumbered += names.iter().filter(|name| before.get(*name) != after.get(*name)).count();
    }
    ledger.end();
    while let Some(ended) = producers.join_next().await {
        ended??;
    }
    queue.wait_until_idle(&Filter::all(), hosted::PATIENCE).await?;
    for running in workers {
        running.stop().await?;
    }
    let report = Report::default()
        .row("restores", restores)
        .row("queues", all.len())
        .row("queues with another id after a restore", renumbered)
        .row("all queues continued within", format!("{took:.0?}"));
    let mut database = PgConnection::connect(&url).await?;
    let is_kept =
        |acknowledged: &hosted::Acknowledged| !gone.iter().any(|span| span.contains(&acknowledged.at));
    ledger.judge(&queue, &mut database, is_kept, report).await
}

fn new_names(round: u32) -> Vec<String> {
    (0..NEW).map(|number| format!("new-{round}-{number}")).collect()
}

fn all_until(round: u32) -> Vec<String> {
    OLD.iter().map(|name| (*name).to_owned()).chain((0..=round).flat_map(new_names)).collect()
}

/// Runs an operator's blocking action on the server while the load continues.
async fn blocking<T: Send + 'static>(
    server: &Arc<Postgres>,
    act: impl FnOnce(&Postgres) -> Result<T, ServerError> + Send + 'static,
) -> Result<T, BoxError> {
    let server = server.clone();
    Ok(spawn_blocking(move || act(&server)).await??)
}

/// Returns the id of each queue.
async fn numbers(url: &str) -> Result<HashMap<String, i32>, BoxError> {
    let mut database = PgConnection::connect(url).await?;
    let rows: Vec<(String, i32)> =
        sqlx::query_as("select name, id from queue.queues").fetch_all(&mut database).await?;
    Ok(rows.into_iter().collect())
}
