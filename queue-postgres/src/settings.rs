//! The settings that a builder has collected and a queue is opened with.

use std::time::Duration;

use queue_core::backend::{PushHooks, RetentionPeriods};
use queue_core::{Limits, Timestamp};

use crate::pool::PoolSource;
use crate::target::Target;

/// The settings of a queue that is to be opened.
pub(crate) struct Settings {
    pub(crate) target: Target,
    pub(crate) pool: PoolSource,
    /// Whether opening the queue migrates the schema; otherwise it only checks the schema's version.
    pub(crate) run_migrations: bool,
    pub(crate) poll_interval: Duration,
    /// The ages at which finished jobs are deleted.
    pub(crate) retention: RetentionPeriods,
    pub(crate) limits: Limits,
    pub(crate) hooks: PushHooks,
    /// The start of a clock for tests, if the schema is to have one.
    pub(crate) test_clock: Option<Timestamp>,
}
