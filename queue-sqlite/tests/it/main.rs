//! Holds the SQLite queue to the laws, and to the promises of its own documentation.

mod broken_stores;
mod clock;
mod conformance;
mod drop_releases_file;
mod durable;
mod extremes;
mod fixture;
mod guard;
mod locked_file;
mod moved;
mod opening;
mod overview;
mod payloads;
mod reading;
mod retention;
mod rolled_back;
mod schema;
mod transactions;
mod units;
mod versions;
mod waiting;
