//! Holds the queue to every law of durable queues, in a file.

mod bank;
mod on_disk;
mod transaction;

pub(crate) use on_disk::{OnDisk, open};

queue_testkit::durable_conformance!(async |address: Option<String>| OnDisk::at(address));
