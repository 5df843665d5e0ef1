//! Holds the SQLite queue to the laws, and to the promises of its own documentation.

mod broken_stores;
mod clock;
mod conformance;
mod diagnosis;
mod drop_releases_file;
mod durable;
mod enqueue;
mod extremes;
mod fixture;
mod history;
mod kit;
mod locked_file;
mod opening;
mod overview;
mod payloads;
mod reading;
mod replaced_files;
mod retention;
mod rolled_back;
mod schema;
mod settling;
mod sql_authorizer;
mod transactions;
mod units;
mod versions;
mod waiting;
