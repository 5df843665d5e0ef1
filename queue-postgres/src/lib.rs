//! A job queue in PostgreSQL: shared by any number of machines, and transactional with your own writes.

mod batch;
mod common;
mod company;
mod config;
mod error;
mod inspect;
mod io;
mod link;
mod listening;
mod migrations;
mod place;
mod pruning;
mod pushing;
mod queue;
mod rows;
mod sql;
mod transaction;
mod unit_of_work;
mod working;

pub use config::PostgresQueueBuilder;
pub use queue::PostgresQueue;
pub use sqlx;
pub use unit_of_work::PgUnitOfWork;
