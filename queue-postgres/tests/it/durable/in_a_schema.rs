//! A schema under test, on the server's clock, and the faults that it can have.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_conformance::durable::{LockCase, OnServer, OpenCase, Outage, PaymentApp, Store, Transaction};
use queue_core::{Admin, JobId, QueueError};
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_postgres::{PostgresQueue, PostgresQueueBuilder};
use test_servers::{Durability, Postgres};

use super::transaction::OnConnection;
use super::troubles::{Cut, Killed, Lock};
use super::{bank, replacements, versions};
use crate::fixture::{run, schema, url};

/// A schema of this test's own, or one that another process created.
#[derive(Clone)]
pub(super) struct InASchema {
    pub(super) url: String,
    pub(super) schema: String,
    /// The parameters appended to the URL.
    options: &'static str,
    /// The server, which stops when the last clone is dropped; `None` for the shared server.
    _server: Option<Arc<Postgres>>,
}

impl InASchema {
    pub(super) fn at(address: Option<String>) -> Self {
        let (schema, url) = match address {
            Some(address) => {
                let (schema, url) = address.split_once(' ').expect("a schema and a URL");
                (schema.to_owned(), url.to_owned())
            }
            None => {
                let schema = schema();
                // The application name tells its connections from others.
                let url = format!("{}&application_name={schema}", url());
                (schema, url)
            }
        };
        Self { url, schema, options: "", _server: None }
    }

    /// Turns off waiting for commits: the server answers before it has written the jobs.
    pub(super) fn without_waiting_for_commits(mut self) -> Self {
        self.options = "&options[synchronous_commit]=off";
        self
    }

    pub(super) fn builder(&self) -> PostgresQueueBuilder {
        let builder = PostgresQueue::builder(format!("{}{}", self.url, self.options)).schema(&self.schema);
        builder.keep_completed(None).keep_cancelled(None).keep_discarded(None)
    }

    pub(super) async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("a connection")
    }
}

/// Connects, and erases the queue's type.
async fn open(builder: PostgresQueueBuilder) -> Result<Arc<dyn Admin>, QueueError> {
    let queue: Arc<dyn Admin> = Arc::new(builder.connect().await?);
    Ok(queue)
}

/// Creates an opening case of this builder.
pub(super) fn opening<T>(
    what: impl Into<String>,
    builder: PostgresQueueBuilder,
    expected: Vec<T>,
) -> OpenCase<T> {
    OpenCase { what: what.into(), expected, open: Box::pin(open(builder)) }
}

#[async_trait]
impl Store for InASchema {
    fn address(&self) -> String {
        format!("{} {}", self.schema, self.url)
    }

    async fn open(&self) -> Result<Arc<dyn Admin>, QueueError> {
        open(self.builder()).await
    }

    async fn open_without_notifications(&self, poll_interval: Duration) -> Option<Arc<dyn Admin>> {
        // With a pooler in between, no session can listen.
        let builder = self.builder().transaction_pooler(true).poll_interval(poll_interval);
        Some(open(builder).await.expect("a connection"))
    }

    async fn on_private_server(&self) -> Option<OnServer> {
        let server =
            Arc::new(Postgres::start(Durability::Full, &[]).unwrap_or_else(|error| panic!("{error}")));
        let url = server.url("postgres");
        let store = Self { url, schema: "queue".to_owned(), _server: Some(server.clone()), ..self.clone() };
        if !self.options.is_empty() {
            // The crash must lose jobs, not the tables.
            drop(Self { options: "", ..store.clone() }.open().await.expect("a fresh schema"));
        }
        Some(OnServer { store: Arc::new(store), server: Box::new(Killed(server)) })
    }

    fn outages(&self) -> Vec<Box<dyn Outage>> {
        vec![Box::new(Cut(self.clone()))]
    }

    async fn locked(&self) -> Option<LockCase> {
        let bound = Duration::from_millis(300);
        let queue = open(self.builder().timeout(bound)).await.expect("a connection");
        Some(LockCase { queue, bound, lock: Box::new(Lock::of(self).await) })
    }

    async fn unopenable(&self) -> Vec<OpenCase<String>> {
        let says = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let newer = Self::at(None);
        drop(newer.open().await.expect("a fresh schema"));
        let mark = format!("insert into {}.schema_migrations values (99)", newer.schema);
        run(&mut self.connection().await, mark).await.expect("a newer version");
        let absent = Self::at(None).builder().run_migrations(false);
        let nowhere =
            PostgresQueue::builder("postgres://me:secret@localhost:1/shop").timeout(Duration::from_secs(10));
        vec![
            opening(
                "a schema of a newer version",
                newer.builder(),
                says(&["has version 99", "update the program"]),
            ),
            opening("a schema that isn't there", absent, says(&["run `PostgresQueueBuilder::migrate`"])),
            opening(
                "a server that isn't there",
                nowhere,
                says(&["`shop` on `localhost:1` can't be reached"]),
            ),
        ]
    }

    async fn old_versions(&self) -> Vec<OpenCase<JobId>> {
        versions::upgrades(self).await
    }

    async fn with_fewer_characters(&self) -> Vec<Arc<dyn Store>> {
        let schema = schema();
        let latin = format!(
            "create database {schema} encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'"
        );
        run(&mut self.connection().await, latin).await.expect("a database in LATIN1");
        let url = self.url.replace("/postgres?", &format!("/{schema}?"));
        vec![Arc::new(Self { url, schema, ..self.clone() })]
    }

    async fn begin(&self) -> Option<Box<dyn Transaction>> {
        Some(Box::new(OnConnection::begin(self).await))
    }

    async fn begin_reading(&self) -> Option<Box<dyn Transaction>> {
        Some(Box::new(OnConnection::begin_reading(self).await))
    }

    async fn replacements(&self) -> Vec<Box<dyn Outage>> {
        replacements::of(self).await
    }

    async fn payment_app(&self) -> Option<PaymentApp> {
        Some(bank::open(self).await)
    }
}
