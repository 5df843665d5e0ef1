//! The machine's monotonic clock and its wall clock, read together.

use std::time::SystemTime;

use nix::time::{ClockId, clock_gettime};
use queue_conformance::history::LogTime;
use queue_core::BoxError;

/// Reads the monotonic clock, which all processes share, and the wall clock, which the queue uses.
pub(crate) fn now() -> Result<LogTime, BoxError> {
    let monotonic = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    let order = u64::try_from(monotonic.tv_sec())? * 1_000_000_000 + u64::try_from(monotonic.tv_nsec())?;
    Ok(LogTime { order, queue_time: SystemTime::now().into() })
}
