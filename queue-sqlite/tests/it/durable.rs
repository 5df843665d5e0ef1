//! Holds the queue to every law of durable queues, in a file.

mod bank;
mod on_disk;
mod replacements;
mod transaction;

pub(crate) use on_disk::{OnDisk, open};
pub(crate) use replacements::beside;

queue_conformance::durable_conformance!(async |address: Option<String>| OnDisk::at(address));
