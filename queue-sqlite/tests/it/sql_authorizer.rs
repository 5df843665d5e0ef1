//! A write of a unit of work leaves nothing behind in the queue's connection (D33).

use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{BoxError, Delivery, Demand, OutcomeKind, Queue as _, QueueError, QueueExt as _};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::hooks::{AuthContext, Authorization};
use queue_sqlite::rusqlite::{self, Connection};
use queue_testkit::VirtualClock;

use crate::fixture::{TestResult, work};
use crate::units::unit;

/// A change of a connection through one of its methods.
type Set = fn(&Connection) -> rusqlite::Result<()>;

/// An application whose accounts are in the same file as its jobs.
struct Bank {
    queue: SqliteQueue,
    path: std::path::PathBuf,
    folder: tempfile::TempDir,
}

impl Bank {
    async fn open() -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bank.db");
        let queue = SqliteQueue::open(&path).await?;
        Connection::open(&path)?
            .execute_batch("create table accounts (id integer primary key, cents integer)")?;
        Ok(Self { queue, path, folder })
    }

    /// Commits a write together with the completion of a job.
    async fn write<T, E: Into<BoxError>>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<(), QueueError> {
        self.queue.enqueue(work::new(1)).await?;
        let delivery = self.queue.claim(&Demand::new("default", 1)).await?.remove(0);
        let made = unit(&self.queue, &delivery, &VirtualClock::new()).await;
        let mut unit = made.unwrap_or_else(|error| panic!("a unit of work: {error}"));
        unit.write(write);
        unit.end(OutcomeKind::Success).await
    }

    /// Asserts that the queue and its units of work work as before.
    async fn works(&self, after: &str) {
        let pushed = self.queue.enqueue(work::new(2)).queue("after").await;
        let pushed = pushed.unwrap_or_else(|error| panic!("a push after {after}: {}", error_chain(&error)));
        let claimed = self.queue.claim(&Demand::new("after", 1)).await;
        let claimed =
            claimed.unwrap_or_else(|error| panic!("a claim after {after}: {}", error_chain(&error)));
        assert_eq!(claimed.iter().map(Delivery::id).collect::<Vec<_>>(), [pushed.id()], "after {after}");
        let written = self.write(|tx| tx.execute("insert into accounts (cents) values (1)", [])).await;
        written.unwrap_or_else(|error| panic!("a write after {after}: {}", error_chain(&error)));
    }
}

/// D33: SQL that would leave something behind is refused, the error says what to do, and nothing of the job is written.
#[tokio::test]
async fn sql_that_leaves_something_behind_is_refused() -> TestResult {
    let bank = Bank::open().await?;
    let other = format!("attach '{}' as other", bank.folder.path().join("other.db").display());
    let table = [
        ("pragma query_only = on", "pragma query_only"),
        ("pragma foreign_keys = on", "pragma foreign_keys"),
        ("PRAGMA Recursive_Triggers(1)", "changes the queue's connection"),
        ("pragma synchronous = off", "pragma synchronous"),
        ("pragma main.journal_mode = delete", "pragma journal_mode"),
        ("pragma locking_mode = exclusive", "pragma locking_mode"),
        ("pragma busy_timeout = 60000", "pragma busy_timeout"),
        ("pragma case_sensitive_like = on", "pragma case_sensitive_like"),
        ("pragma writable_schema = on", "pragma writable_schema"),
        ("pragma max_page_count = 1", "pragma max_page_count"),
        ("pragma temp_store = memory", "pragma temp_store"),
        (&other, "attached"),
        ("detach main", "detached"),
        ("create temp table queue_jobs (id)", "temporary"),
        ("create table temp.queue_names (id)", "temporary"),
        ("create temporary table queue_jobs as select 1 as id", "temporary"),
        ("create temp view queue_jobs as select 1 as id", "temporary"),
        ("create temp trigger t after insert on queue_jobs begin delete from queue_jobs; end", "temporary"),
        ("create virtual table temp.queue_jobs using fts5(id)", "temporary"),
    ];

    for (sql, why) in table {
        let statement = sql.to_owned();
        let written = bank.write(move |tx| {
            tx.execute("insert into accounts values (99, 99)", [])?;
            tx.execute_batch(&statement)
        });
        let error = written.await.expect_err(sql);
        assert!(error_chain(&error).contains(why), "{sql}: {}", error_chain(&error));
        bank.works(sql).await;
    }
    let rows = Connection::open(&bank.path)?;
    let written: i64 = rows.query_row("select count(*) from accounts where id = 99", [], |row| row.get(0))?;
    assert_eq!(written, 0, "a refused write changed the file");
    Ok(())
}

/// D33: A write may read pragmas, create tables, use savepoints, and set what ends with the transaction.
#[tokio::test]
async fn sql_that_leaves_nothing_behind_is_allowed() -> TestResult {
    let bank = Bank::open().await?;
    let table = [
        "select count(*) from pragma_table_info('accounts')",
        "pragma table_info(accounts)",
        "pragma user_version = 7",
        "pragma defer_foreign_keys = on",
        "create table more (id integer)",
        "create index more_id on more (id)",
        "savepoint mine; insert into more values (1); rollback to mine; release mine",
        "with new as (select 1 as id) insert into more select id from new",
        "drop table more",
    ];

    for sql in table {
        let written = bank.write(move |tx| tx.execute_batch(sql)).await;
        written.unwrap_or_else(|error| panic!("{sql}: {}", error_chain(&error)));
        bank.works(sql).await;
    }
    Ok(())
}

/// D33: Settings through the methods of the connection end with the write.
#[tokio::test]
async fn hooks_that_a_write_sets_end_with_it() -> TestResult {
    let bank = Bank::open().await?;
    let all: [(&str, Set); 5] = [
        ("a commit hook", |tx| tx.commit_hook(Some(|| true))),
        ("a progress handler", |tx| tx.progress_handler(1, Some(|| true))),
        ("an authorizer", |tx| tx.authorizer(Some(|_: AuthContext<'_>| Authorization::Deny))),
        ("no authorizer", |tx| tx.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)),
        ("a busy timeout", |tx| tx.busy_timeout(Duration::from_secs(60))),
    ];

    for (what, set) in all {
        let written = bank.write(set).await;
        written.unwrap_or_else(|error| panic!("{what}: {}", error_chain(&error)));
        bank.works(what).await;
        let error = bank.write(|tx| tx.execute_batch("pragma query_only = on")).await.expect_err(what);
        assert!(error_chain(&error).contains("pragma query_only"), "{what}: {}", error_chain(&error));
    }
    Ok(())
}
