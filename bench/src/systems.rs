//! The systems that this program measures itself, each set up as its own documentation shows.
//!
//! Every system runs with its defaults. If a peer has no bound, or runs all jobs in one task, it stays so: it saves that cost
//! here. Peers on SQLite and on PostgreSQL are programs of their own, in `peers/`.

mod apalis;
mod baseline;
mod mpsc;
mod observed;
mod payload;
mod queue_postgres;
mod queue_sqlite;
mod queue_tokio;
mod raw_on_postgres;
mod raw_on_sqlite;
mod shared;
mod spawn;

pub(crate) use apalis::Apalis;
pub(crate) use baseline::Baseline;
pub(crate) use mpsc::Mpsc;
pub(crate) use observed::{Observed, Store};
pub(crate) use payload::Payloads;
pub(crate) use queue_postgres::PostgresSystem;
pub(crate) use queue_sqlite::SqliteSystem;
pub(crate) use queue_tokio::{MemorySystem, welcome};
pub(crate) use raw_on_postgres::RawOnPostgres;
pub(crate) use raw_on_sqlite::RawOnSqlite;
pub(crate) use shared::{
    Hundred, HundredAtWork, InLine, NotAhead, SharedSystem, TenThousand, TenThousandAtWork, Tenants, Total,
};
pub(crate) use spawn::Spawn;
