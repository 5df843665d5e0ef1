//! One attempt of a job: its context, its outcome, and the transition that follows. It uses the contract.

pub(crate) mod blocking;
pub(crate) mod context;
pub(crate) mod decide;
pub(crate) mod environment;
#[cfg(feature = "explore")]
pub mod explore;
pub(crate) mod handle;
pub(crate) mod interrupt;
pub(crate) mod into_outcome;
pub(crate) mod observe;
pub(crate) mod operator_action;
pub(crate) mod outcome;
pub(crate) mod panic;
pub(crate) mod queue_call;
pub(crate) mod readable;
mod reports;
pub(crate) mod retry;
pub(crate) mod runtime;
pub(crate) mod tick;
mod waits;
pub(crate) mod worker;
