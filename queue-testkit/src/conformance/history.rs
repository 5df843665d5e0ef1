//! What many clients did to a queue at once, and whether that may be.

mod checker;
mod clients;
mod event;

pub(super) use checker::check;
pub(super) use clients::record;
