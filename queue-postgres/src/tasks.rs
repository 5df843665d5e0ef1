//! The tasks on the queue's own thread. Each one that talks to the server has its own connections.

pub(crate) mod claim;
pub(crate) mod listen;
pub(crate) mod prune;
pub(crate) mod push;
pub(crate) mod renew;
pub(crate) mod settle;
pub(crate) mod start;
