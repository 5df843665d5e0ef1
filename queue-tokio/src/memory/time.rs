//! Time for those who wait: one of them lets it pass for all.

use std::convert::Infallible;

use queue_core::Timestamp;

use super::{Shared, State, lock};

/// Until when the timekeeper sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Armed {
    /// Nobody keeps time.
    No,
    /// Until this instant.
    Until(Timestamp),
    /// Until something becomes due at all.
    Forever,
}

impl Shared {
    /// Lets time pass, as one of those who wait does for all: what becomes due gets its permits.
    ///
    /// # Cancel safety
    ///
    /// Whoever is dropped while keeping time hands that on to the next who waits.
    pub(super) async fn keep_time(&self) -> Infallible {
        let _turn = self.timekeeper.lock().await;
        loop {
            let due = self.arm();
            let wait = async {
                match due {
                    Some(at) => self.clock.sleep(at.since(self.clock.now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.rearm.notified() => {}
                () = wait => {}
            }
            self.with(|state, now| state.table.advance(now));
        }
    }

    fn arm(&self) -> Option<Timestamp> {
        let mut state = lock::lock(&self.state);
        let due = state.table.next_due();
        state.armed = due.map_or(Armed::Forever, Armed::Until);
        due
    }
}

impl State {
    /// Tells, once, whether something is due before the timekeeper would wake.
    pub(super) fn is_due_earlier(&mut self) -> bool {
        let is_earlier = match (self.armed, self.table.next_due()) {
            (Armed::No, _) | (_, None) => false,
            (Armed::Forever, Some(_)) => true,
            (Armed::Until(armed), Some(due)) => due < armed,
        };
        if is_earlier {
            self.armed = Armed::No;
        }
        is_earlier
    }
}
