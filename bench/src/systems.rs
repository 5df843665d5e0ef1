//! The systems that this program measures itself, each set up as its own documentation shows it.
//!
//! Every system does all that it does by default. Where a peer has no bound, or runs all jobs in one task, it's left so:
//! what it doesn't do costs it nothing here. Peers on SQLite and on PostgreSQL are programs of their own, in `peers/`.

mod apalis;
mod mpsc;
mod payload;
mod port;
mod raw_on_postgres;
mod raw_on_sqlite;
mod spawn;
mod us;
mod us_on_postgres;
mod us_on_sqlite;

pub(crate) use apalis::Apalis;
pub(crate) use mpsc::Mpsc;
pub(crate) use payload::Payloads;
pub(crate) use port::Port;
pub(crate) use raw_on_postgres::RawOnPostgres;
pub(crate) use raw_on_sqlite::RawOnSqlite;
pub(crate) use spawn::Spawn;
pub(crate) use us::{Us, welcome};
pub(crate) use us_on_postgres::UsOnPostgres;
pub(crate) use us_on_sqlite::UsOnSqlite;
