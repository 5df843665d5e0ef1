//! Small pieces of text: times, numbers, states.

pub(crate) mod badge;
pub(crate) mod number;
pub(crate) mod time;
