//! Servers that one test uses alone.
//!
//! A server is found among the installed programs, started in a temporary folder with a socket of its own, and stopped when it
//! is dropped. No other process sees it, so any number of tests may have one.
//!
//! Starting a server waits for the server's own message that it is ready, and never for a fixed time.

mod error;
mod pgbouncer;
mod postgres;
mod process;
mod programs;
mod proxy;

pub use error::ServerError;
pub use pgbouncer::PgBouncer;
pub use postgres::{Backup, Durability, Postgres};
pub use programs::{Missing, missing};
pub use proxy::{Connection, Fault, Proxy};
