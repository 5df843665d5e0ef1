//! What the in-memory queue, the hosted loop and the host promise.

mod conformance;
mod host;
mod leases;
mod logs;
mod memory;
mod readme;
mod running;
mod side_by_side;
mod signals;
mod stopping;
mod trouble;
mod world;
