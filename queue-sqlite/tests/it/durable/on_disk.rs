//! A file under test, on the real clock, and the faults that it can have.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use queue_conformance::durable::{LockCase, OpenCase, Outage, PaymentApp, Store, Transaction};
use queue_core::{Admin, JobId, QueueError};
use queue_sqlite::rusqlite::Connection;
use queue_sqlite::{SqliteQueue, SqliteQueueBuilder};
use tempfile::TempDir;

use super::transaction::OnConnection;
use super::{bank, replacements};

/// A file in a temporary folder, or a file that another process created.
pub(crate) struct OnDisk {
    path: PathBuf,
    /// Removed when this is dropped.
    folder: Option<TempDir>,
}

/// The busy timeout of each queue. A fault lasts as long.
const PATIENCE: Duration = Duration::from_secs(3);

impl OnDisk {
    pub(crate) fn at(address: Option<String>) -> Self {
        match address {
            Some(address) => Self { path: address.into(), folder: None },
            None => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                Self { path: folder.path().join("jobs.db"), folder: Some(folder) }
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn builder(&self) -> SqliteQueueBuilder {
        let builder = SqliteQueue::builder(&self.path).busy_timeout(PATIENCE);
        builder.keep_completed(None).keep_cancelled(None).keep_discarded(None)
    }

    /// Returns a path beside the file.
    fn beside(&self, name: &str) -> PathBuf {
        self.folder.as_ref().expect("only the process that created the folder calls this").path().join(name)
    }
}

/// Opens a queue as a trait object.
pub(crate) async fn open(builder: SqliteQueueBuilder) -> Result<Arc<dyn Admin>, QueueError> {
    let queue: Arc<dyn Admin> = Arc::new(builder.open().await?);
    Ok(queue)
}

/// Returns a file to be opened, with what is expected of it.
fn opening<T>(what: &str, path: &Path, expected: Vec<T>) -> OpenCase<T> {
    OpenCase { what: what.to_owned(), expected, open: Box::pin(open(SqliteQueue::builder(path))) }
}

#[async_trait]
impl Store for OnDisk {
    fn address(&self) -> String {
        self.path.display().to_string()
    }

    async fn open(&self) -> Result<Arc<dyn Admin>, QueueError> {
        open(self.builder()).await
    }

    async fn open_without_notifications(&self, poll_interval: Duration) -> Option<Arc<dyn Admin>> {
        Some(open(self.builder().poll_interval(poll_interval)).await.expect("the same file again"))
    }

    fn outages(&self) -> Vec<Box<dyn Outage>> {
        // The suite holds the lock until a caller has waited for it in vain.
        vec![Box::new(Lock::on(&self.path))]
    }

    async fn locked(&self) -> Option<LockCase> {
        let bound = Duration::from_millis(50);
        let queue = open(self.builder().busy_timeout(bound)).await.expect("the same file again");
        Some(LockCase { queue, bound, lock: Box::new(Lock::on(&self.path)) })
    }

    async fn unopenable(&self) -> Vec<OpenCase<String>> {
        let (folder, letter, newer) =
            (self.beside("folder"), self.beside("letter.db"), self.beside("newer.db"));
        fs::create_dir(&folder).expect("a folder");
        fs::write(&letter, "this is a letter, not a database ".repeat(200)).expect("a letter");
        drop(SqliteQueue::open(&newer).await.expect("a fresh file"));
        let connection = Connection::open(&newer).expect("the same file again");
        connection
            .execute("insert into queue_schema_migrations (version) values (999)", [])
            .expect("a newer version");
        let utf_16 = self.beside("utf_16.db");
        let tables = "pragma encoding = 'UTF-16le'; create table accounts (cents integer)";
        Connection::open(&utf_16).expect("a file").execute_batch(tables).expect("a table");
        let says = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        vec![
            opening("a folder", &folder, says(&["is a folder", "jobs.db"])),
            opening(
                "a file in a folder that isn't there",
                &self.beside("no/jobs.db"),
                says(&["create it first"]),
            ),
            opening("a file that is not a database", &letter, says(&["backup"])),
            opening("a file with text in UTF-16", &utf_16, says(&["UTF-16le", "copy the tables"])),
            opening("a file of a newer version", &newer, says(&["999", "update the program"])),
        ]
    }

    async fn old_versions(&self) -> Vec<OpenCase<JobId>> {
        let path = self.beside("version_1.db");
        let connection = Connection::open(&path).expect("a file");
        connection.execute_batch(include_str!("../schemas/version_1.sql")).expect("the first schema");
        let id = connection.query_row("select id from queue_jobs", [], |row| row.get::<_, Vec<u8>>(0));
        let id = u128::from_be_bytes(id.expect("a job").try_into().expect("sixteen bytes"));
        vec![opening("a file of version 1", &path, vec![JobId::from_u128(id)])]
    }

    async fn begin(&self) -> Option<Box<dyn Transaction>> {
        Some(Box::new(OnConnection::begin(&self.path).await))
    }

    async fn begin_reading(&self) -> Option<Box<dyn Transaction>> {
        Some(Box::new(OnConnection::begin_reading(&self.path).await))
    }

    async fn replacements(&self) -> Vec<Box<dyn Outage>> {
        replacements::of(&self.path, &self.beside("copy.db"))
    }

    async fn payment_app(&self) -> Option<PaymentApp> {
        Some(bank::open(&self.path).await)
    }
}

/// The write lock of the file, held by another connection.
pub(crate) struct Lock(Mutex<Connection>);

impl Lock {
    pub(crate) fn on(path: &Path) -> Self {
        Self(Mutex::new(Connection::open(path).expect("the same file again")))
    }

    fn run(&self, sql: &str) {
        self.0.lock().expect("a connection").execute_batch(sql).expect(sql);
    }
}

#[async_trait]
impl Outage for Lock {
    fn name(&self) -> &'static str {
        "another program keeps the file locked"
    }

    async fn begin(&self) {
        self.run("begin immediate");
    }

    async fn end(&self) {
        self.run("commit");
    }
}
