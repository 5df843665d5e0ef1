//! The command `queue` as its users meet it: a process, its output and its exit code, on each store.

mod addresses;
mod barrier;
mod board;
mod changes;
mod dashboard;
mod fixture;
mod interrupted_moves;
mod jobs;
mod limits;
mod migrations;
mod operations;
mod outputs;
mod schedules;
mod store;
mod terminal;
mod waits;
