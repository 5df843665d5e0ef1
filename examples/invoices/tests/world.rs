//! A private database with a kit over it, and fakes of the services outside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use queue_core::{BoxError, JobId};
use queue_postgres::sqlx;
use queue_testkit::{TestKit, TestKitBuilder, TestPostgres, TestSqlite};
use tempfile::TempDir;

use crate::books::ADD_ORDER;
use crate::folder::Folder;
use crate::jobs;
use crate::mailer::Mailer;
use crate::order::Order;
use crate::services;
use crate::store::{Store, with};
use crate::webhook::{CallError, Webhook};

/// The database of a test.
pub(super) enum Database {
    Sqlite(TestSqlite),
    Postgres(TestPostgres),
}

/// The surroundings of a kit: all that its jobs need.
pub(super) struct World {
    pub(super) store: Store,
    pub(super) outside: Arc<Outside>,
    pub(super) folder: TempDir,
    database: Database,
}

/// The mail provider and the webhooks of the customers.
#[derive(Default)]
pub(super) struct Outside {
    /// How many of the next calls fail.
    pub(super) outages: AtomicU32,
    /// The mails, one for each key.
    pub(super) mails: Mutex<BTreeMap<JobId, String>>,
    /// The orders that the customers know to be invoiced, one for each key.
    pub(super) reports: Mutex<BTreeMap<JobId, i64>>,
}

impl Outside {
    fn fail_if_down(&self) -> Result<(), BoxError> {
        match self.outages.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err("the provider is down".into()),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().values().cloned().collect()
    }

    pub(super) fn reports(&self) -> Vec<i64> {
        self.reports.lock().unwrap().values().copied().collect()
    }
}

#[async_trait]
impl Mailer for Outside {
    async fn send(&self, key: JobId, to: &str, text: &str) -> Result<(), BoxError> {
        self.fail_if_down()?;
        self.mails.lock().unwrap().insert(key, format!("{to}: {text}"));
        Ok(())
    }
}

#[async_trait]
impl Webhook for Outside {
    async fn post(&self, key: JobId, _: &str, order: i64) -> Result<(), CallError> {
        self.fail_if_down()?;
        self.reports.lock().unwrap().insert(key, order);
        Ok(())
    }
}

impl World {
    pub(super) fn over(database: Database) -> Result<Self, BoxError> {
        let store = match &database {
            Database::Sqlite(db) => Store::Sqlite { queue: db.queue().clone(), path: db.path().to_owned() },
            Database::Postgres(db) => Store::Postgres { queue: db.queue().clone(), pool: db.pool().clone() },
        };
        Ok(Self { store, outside: Arc::default(), folder: tempfile::tempdir()?, database })
    }

    /// Returns a world with another database of the same kind.
    pub(super) async fn another(&self) -> Result<Self, BoxError> {
        Self::over(match &self.database {
            Database::Sqlite(db) => Database::Sqlite(db.another().await?),
            Database::Postgres(db) => Database::Postgres(db.another().await?),
        })
    }

    /// Returns a kit with all jobs and services, to which a test adds what it needs.
    pub(super) fn builder(&self) -> TestKitBuilder {
        TestKit::over(self.store.queue())
            .jobs(jobs::all())
            .services(services(&self.store, Folder::new(self.folder.path())))
            .singleton_as::<dyn Mailer>(self.outside.clone())
            .singleton_as::<dyn Webhook>(self.outside.clone())
    }

    pub(super) fn kit(&self) -> Result<TestKit, BoxError> {
        Ok(self.builder().build()?)
    }

    /// Places an order of 12.50.
    pub(super) async fn place(&self, number: i64, customer: &str) -> Result<(), BoxError> {
        self.store.place(Order { number, customer: customer.to_owned(), cents: 1250 }).await
    }

    /// Stores an order that is not billed.
    pub(super) async fn add(&self, number: i64, customer: &'static str) -> Result<(), BoxError> {
        match &self.store {
            Store::Sqlite { path, .. } => {
                with(path, move |connection| connection.execute(ADD_ORDER, (number, customer, 1250))).await?;
            }
            Store::Postgres { pool, .. } => {
                let add = sqlx::query(ADD_ORDER).bind(number).bind(customer).bind(1250_i64);
                add.execute(pool).await?;
            }
        }
        Ok(())
    }

    /// Returns the number of rows of a table.
    pub(super) async fn count(&self, table: &'static str) -> Result<i64, BoxError> {
        let count = format!("select count(*) from {table}");
        match &self.store {
            Store::Sqlite { path, .. } => {
                with(path, move |connection| connection.query_row(&count, [], |row| row.get(0))).await
            }
            Store::Postgres { pool, .. } => {
                Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(pool).await?)
            }
        }
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), BoxError> {
        Ok(std::fs::write(self.folder.path().join(name), text)?)
    }

    pub(super) fn read(&self, name: &str) -> Result<String, BoxError> {
        Ok(std::fs::read_to_string(self.folder.path().join(name))?)
    }
}
