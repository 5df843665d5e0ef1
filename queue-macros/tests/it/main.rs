//! Holds `#[background_job]` to the laws of section M by what its expansions do; `tests/ui.rs` does so by what they say.
#![expect(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod attempt;
mod forms;
mod function;
mod options;
mod payload;
mod services;
mod stored;
mod unique;
