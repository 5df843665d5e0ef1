//! Notes on failed attempts: how the kit's time may have caused the failure.

use std::time::Duration;

use queue_core::{FailureCause, Outcome};

use super::TestKit;
use super::clock::Pace;

/// The note on an attempt that timed out under virtual time.
const TIMED_OUT: &str = "the time is virtual in this kit: it jumped to the timeout because the job waited and no earlier timer was \
     due. If the job waited for something real, such as a database or a socket, run it in real time: add `.real_time()` \
     to the kit, or use `TestKit::over(queue)`";

/// The note on an attempt that failed after virtual time had passed in it.
const TIME_JUMPED: &str = "the time is virtual in this kit, and it jumped while the job waited. If the job waited for something real, such \
     as a database or a socket, a driver's timeout was due at once: add `.real_time()` to the kit, or use \
     `TestKit::over(queue)`";

impl TestKit {
    /// Returns the note on an attempt. It took `passed` by the kit's time, and `took` by the machine's.
    pub(super) fn note_on(
        &self,
        outcome: &Outcome,
        passed: Duration,
        took: Duration,
    ) -> Option<&'static str> {
        let failure = outcome.failure().filter(|_| self.clock.pace() == Pace::Virtual && passed > took)?;
        match failure.cause {
            FailureCause::Timeout => Some(TIMED_OUT),
            _ if self.clock.time().is_tokio() => Some(TIME_JUMPED),
            _ => None,
        }
    }
}
