//! Servers that a test has for itself.
//!
//! They are found on the machine, started in a temporary folder with a socket of their own, and stopped when they are
//! dropped. Nothing of them is seen by anybody else, so any number of tests may have one.
//!
//! Starting waits for what the server itself says, and never for a time that should be enough.

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
