//! The contract of a queue, as plain data. It does not depend on outcomes, retries or services.

pub(crate) mod admin;
pub(crate) mod body;
pub(crate) mod bulk;
pub(crate) mod clock;
pub(crate) mod cursor;
pub(crate) mod decorator;
pub(crate) mod delay;
pub(crate) mod encoded;
pub(crate) mod enqueue;
pub(crate) mod error;
pub(crate) mod export;
pub(crate) mod filter;
pub(crate) mod handover;
pub(crate) mod id;
pub(crate) mod id_prefix;
pub(crate) mod job;
pub(crate) mod lease;
pub(crate) mod limits;
pub(crate) mod name;
pub(crate) mod page;
pub(crate) mod page_query;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod settlement;
pub(crate) mod stop;
pub(crate) mod unique;
