//! The arguments that say when a job is enqueued by a schedule.

use std::time::Duration;

use syn::LitStr;

/// `cron`, `every`, and what belongs to them.
#[derive(Default)]
pub(crate) struct RecurrenceArguments {
    /// The expression, which is checked.
    pub(crate) cron: Option<LitStr>,
    /// The interval, with its text.
    pub(crate) every: Option<(LitStr, Duration)>,
    pub(crate) zone: Option<LitStr>,
    /// The word, with the variant of `Overlap`.
    pub(crate) overlap: Option<(LitStr, OverlapWord)>,
    /// The word, with the variant of `CatchUp`.
    pub(crate) catch_up: Option<(LitStr, CatchUpWord)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OverlapWord {
    Skip,
    Follow,
    Allow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CatchUpWord {
    Latest,
    All,
    Skip,
}
