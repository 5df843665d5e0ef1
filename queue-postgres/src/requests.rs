//! The messages that callers send to the tasks.

mod claim;
mod push;
mod settle;

pub(crate) use claim::{ClaimMessage, WaitingClaim};
pub(crate) use push::{PushRequest, answer_pushes, fail_pushes, refuse_push};
pub(crate) use settle::{SettleRequest, split};
