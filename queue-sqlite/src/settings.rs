//! The settings of a queue.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::{PushHooks, RetentionPeriods};
use queue_core::{Clock, Limits};

use crate::clock::SystemClock;
use crate::location::Location;

/// When SQLite reports a commit as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Synchronous {
    /// When it is on disk, so that it survives a power cut.
    #[default]
    Full = 2,
    /// When it is written to the operating system, so that it survives a crash of the program. A power cut or a crash of
    /// the machine may lose the last commits. It does not corrupt the file.
    Normal = 1,
}

/// The settings with which a queue is opened.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) location: Location,
    /// Whether opening creates the file and migrates its schema.
    pub(crate) run_migrations: bool,
    pub(crate) synchronous: Synchronous,
    pub(crate) busy_timeout: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) retention: RetentionPeriods,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hooks: PushHooks,
}

impl Settings {
    /// Creates the default settings of a queue at `path`.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            location: Location::from_path(path),
            run_migrations: true,
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(30),
            poll_interval: Duration::from_millis(25),
            retention: RetentionPeriods::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            hooks: PushHooks::default(),
        }
    }
}
