//! Tests `#[background_job]` against the laws of section M by running its expansions; `tests/ui.rs` tests its messages.
#![expect(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod attempt;
mod forms;
mod function;
mod options;
mod partition;
mod payload;
mod recurrence;
mod services;
mod stored;
mod unique;
