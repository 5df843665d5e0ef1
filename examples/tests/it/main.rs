//! Tests the application: clear error messages, work that is done once, and a demo that completes.

mod answers;
mod board;
mod crashes;
mod demo;
mod folder;
mod health;
mod import;
mod jobs;
mod killed;
mod metrics;
mod moved;
mod page;
mod shop;
mod transaction;
