//! Holds the SQLite queue to the laws, and to what its own documentation promises.

mod bodies;
mod busy;
mod conformance;
mod fixture;
mod killed;
mod opening;
mod reading;
mod retention;
mod sharing;
mod skew;
mod transactions;
mod units;
