//! A password that changes under load, again and again: the queues must continue with the new one.
//!
//! One queue connects through its pool, the other with options that are created for each connection. Each rotation changes the
//! password at the server, and then gives both queues the new one and ends all their sessions, in either order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use queue_core::BoxError;
use queue_core::admin::Filter;
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use queue_postgres::sqlx::{self, Connection as _, PgConnection};
use queue_tokio::IdleExt as _;
use test_servers::{Durability, Postgres};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::hosted::{self, Ledger};
use crate::report::Report;

/// The names of the queues. One takes its connections from a pool of the application, the other from connect options.
const NAMES: [&str; 2] = ["pool", "options"];

/// Changes the password `rotations` times on a server of its own.
pub(crate) async fn run(rotations: u32, seed: u64) -> Result<Report, BoxError> {
    let mut random = Rng::with_seed(seed);
    let server = Postgres::start(Durability::Process, &[])?;
    let mut operator = Operator::new(&server).await?;
    let pooled = PostgresQueue::builder(operator.pool.clone()).connect().await?;
    let made = made(&operator).await?;
    let ledger = Arc::new(Ledger::default());
    let names = NAMES.map(str::to_owned);
    ledger.add_names(&names);
    let mut producers = JoinSet::new();
    let mut workers = Vec::new();
    for (queue, name) in [&pooled, &made].into_iter().zip(&names) {
        producers.spawn(hosted::produce(queue.clone(), ledger.clone(), Rng::with_seed(random.u64(..))));
        workers.push(hosted::work(queue, [name.clone()], &ledger).await?);
    }
    let mut cut = 0;
    let mut took = Duration::ZERO;
    for rotation in 0..rotations {
        sleep(Duration::from_millis(random.u64(50..400))).await;
        cut += operator.rotate(&format!("password {rotation}"), &mut random).await?;
        let start = Instant::now();
        ledger.wait_for_progress(&names, 20).await?;
        took = took.max(start.elapsed());
    }
    ledger.end();
    while let Some(ended) = producers.join_next().await {
        ended??;
    }
    pooled.wait_until_idle(&Filter::all(), hosted::PATIENCE).await?;
    for running in workers {
        running.stop().await?;
    }
    let report = Report::default()
        .row("rotations", rotations)
        .row("sessions ended", cut)
        .row("both queues continued within", format!("{took:.0?}"));
    ledger.judge(&pooled, &mut operator.database, |_| true, report).await
}

/// Changes passwords, and passes them to the queues.
struct Operator {
    database: PgConnection,
    options: PgConnectOptions,
    pool: PgPool,
    password: Arc<Mutex<String>>,
}

impl Operator {
    /// Creates the user, with a password.
    async fn new(server: &Postgres) -> Result<Self, BoxError> {
        let mut database = PgConnection::connect(&server.url("postgres")).await?;
        let user = "create role worker login password 'first'; grant create on database postgres to worker";
        run_sql(&mut database, user).await?;
        run_sql(&mut database, hosted::TABLE).await?;
        run_sql(&mut database, "grant all on written to worker").await?;
        server.ask_for_password("worker")?;
        let options = server.url_of("worker", "postgres").parse::<PgConnectOptions>()?;
        // The server needs a moment to read its new rules.
        let wrong = options.clone().password("wrong");
        while PgConnection::connect_with(&wrong).await.is_ok() {}
        let pool = PgPoolOptions::new().connect_lazy_with(options.clone().password("first"));
        let password = Arc::new(Mutex::new("first".to_owned()));
        Ok(Self { database, options, pool, password })
    }

    /// Changes the password and ends the user's sessions. Sometimes the queues get the new password too late, so the server
    /// refuses them for a while.
    async fn rotate(&mut self, password: &str, random: &mut Rng) -> Result<i64, BoxError> {
        let gap = if random.bool() { Duration::from_millis(random.u64(0..400)) } else { Duration::ZERO };
        run_sql(&mut self.database, &format!("alter role worker password '{password}'")).await?;
        let mut cut = 0;
        if !gap.is_zero() {
            cut += self.cut().await?;
            sleep(gap).await;
        }
        self.pool.set_connect_options(self.options.clone().password(password));
        password.clone_into(&mut self.password.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(cut + self.cut().await?)
    }

    async fn cut(&mut self) -> Result<i64, BoxError> {
        let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'worker'";
        Ok(sqlx::query_scalar(cut).fetch_one(&mut self.database).await?)
    }
}

/// Connects a queue whose options are created for each connection.
async fn made(operator: &Operator) -> Result<PostgresQueue, BoxError> {
    let password = operator.password.clone();
    let builder = PostgresQueue::builder(operator.options.clone()).connect_options_with(move |options| {
        let password = password.lock().unwrap_or_else(PoisonError::into_inner).clone();
        async move { Ok(options.password(&password)) }
    });
    Ok(builder.connect().await?)
}

async fn run_sql(database: &mut PgConnection, sql: &str) -> Result<(), BoxError> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(database).await?;
    Ok(())
}
