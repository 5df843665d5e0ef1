//! Servers for tests.
//!
//! [`SharedPostgres`] is one server for all test processes of a user. One test alone uses each of the other servers: they are found
//! among the installed programs, started in a temporary folder with a socket of their own, and stopped when they are dropped. No
//! other process sees such a server, so any number of tests may have one.
//!
//! Starting a server waits for the server's own message that it is ready, and never for a fixed time.

mod browser;
mod error;
mod pgbouncer;
mod postgres;
mod process;
mod programs;
mod proxy;
mod shared_postgres;
mod tmux;

pub use browser::Browser;
pub use error::ServerError;
pub use pgbouncer::PgBouncer;
pub use postgres::{Backup, Durability, Postgres};
pub use programs::{Missing, missing};
pub use proxy::{Connection, Fault, Proxy};
pub use shared_postgres::SharedPostgres;
pub use tmux::Tmux;

/// The README's programs, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
