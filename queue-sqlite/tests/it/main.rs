//! Holds the SQLite queue to the laws, and to what its own documentation promises.

mod bodies;
mod broken_stores;
mod busy;
mod clock;
mod conformance;
mod durable;
mod extremes;
mod fixture;
mod guard;
mod letting_go;
mod moved;
mod opening;
mod overview;
mod reading;
mod retention;
mod transactions;
mod undone;
mod units;
mod versions;
mod waiting;
