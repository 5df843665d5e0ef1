//! The machine's monotonic clock and its wall clock, read together.

use std::time::SystemTime;

use queue_core::BoxError;

use crate::history::LogTime;

/// Reads the monotonic clock, which all processes share, and the wall clock, which the queue uses.
pub(super) fn now() -> Result<LogTime, BoxError> {
    Ok(LogTime { order: order()?, queue_time: SystemTime::now().into() })
}

#[cfg(unix)]
fn order() -> Result<u64, BoxError> {
    use nix::time::{ClockId, clock_gettime};

    let monotonic = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(u64::try_from(monotonic.tv_sec())? * 1_000_000_000 + u64::try_from(monotonic.tv_nsec())?)
}

/// Returns the wall clock's nanoseconds: the standard library has no monotonic clock that processes share.
#[cfg(not(unix))]
fn order() -> Result<u64, BoxError> {
    let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(u64::try_from(age.as_nanos())?)
}
