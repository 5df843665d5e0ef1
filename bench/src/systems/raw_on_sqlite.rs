//! Statements through `rusqlite`, `synchronous=FULL`: the upper bound of SQLite on this disk.
//!
//! One table with one partial index, one connection, row numbers as ids, no fences, and finished jobs are deleted.
//! Each single job is one transaction; a worker claims 500 jobs by an update, runs them, and deletes them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, spawn};

use anyhow::ensure;
use harness::{Payload, Producer, Scratch, System, Tally};
use rusqlite::Connection;

/// The number of jobs claimed, and deleted, by one statement.
const CLAIMED: i64 = 500;

const TABLE: &str = "
    create table jobs (
        id integer primary key,
        queue text not null default 'default',
        priority integer not null default 0,
        run_at integer not null default 0,
        state integer not null default 0,
        attempts integer not null default 0,
        locked_at integer,
        payload text not null
    );
    create index ready on jobs (queue, priority, run_at, id) where state = 0;";

const INSERT: &str = "insert into jobs (payload) values (?1)";

const CLAIM: &str = "
    update jobs set state = 1, attempts = attempts + 1, locked_at = 1 where id in (
        select id from jobs where queue = 'default' and state = 0 and run_at <= 1
        order by priority, run_at, id limit ?1
    ) returning id, payload";

const DELETE: &str = "delete from jobs where id in (select value from json_each(?1))";

pub(crate) struct RawOnSqlite {
    connection: Arc<Mutex<Connection>>,
    tally: Tally,
}

impl System for RawOnSqlite {
    type Producer = Inserts;
    type Workers = JoinHandle<()>;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        Ok(Self { connection: Arc::new(Mutex::new(connect(&scratch.file()?)?)), tally })
    }

    fn producer(&self) -> Inserts {
        Inserts(Arc::clone(&self.connection))
    }

    /// Starts one thread: with one connection, more would wait for each other.
    async fn start(&mut self, _workers: usize) -> anyhow::Result<JoinHandle<()>> {
        let (connection, tally) = (Arc::clone(&self.connection), self.tally);
        Ok(spawn(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = drain(&connection, tally) {
                eprintln!("the raw statements ended: {error}");
            }
        }))
    }
}

pub(crate) struct Inserts(Arc<Mutex<Connection>>);

impl Producer for Inserts {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.prepare_cached(INSERT)?.execute([serde_json::to_string(&payload)?])?;
        Ok(())
    }

    async fn enqueue_all(&mut self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for payload in &payloads {
                insert.execute([serde_json::to_string(payload)?])?;
            }
        }
        Ok(transaction.commit()?)
    }
}

fn connect(file: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(file)?;
    let journal: String = connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
    ensure!(journal == "wal", "the journal is {journal}");
    connection.execute_batch(
        "pragma synchronous = full; pragma temp_store = memory; pragma cache_size = -65536;",
    )?;
    connection.execute_batch(TABLE)?;
    Ok(connection)
}

/// Claims, runs and deletes until no job is left.
fn drain(connection: &Connection, tally: Tally) -> anyhow::Result<()> {
    let mut claim = connection.prepare(CLAIM)?;
    let mut delete = connection.prepare(DELETE)?;
    loop {
        let rows = claim.query_map([CLAIMED], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let claimed = rows.collect::<Result<Vec<(i64, String)>, _>>()?;
        if claimed.is_empty() {
            return Ok(());
        }
        for (_, payload) in &claimed {
            let payload: Payload = serde_json::from_str(payload)?;
            tally.run(payload.user_id, &payload.template);
        }
        let ids: Vec<_> = claimed.iter().map(|(id, _)| id).collect();
        delete.execute([serde_json::to_string(&ids)?])?;
    }
}
