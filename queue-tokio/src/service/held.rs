//! A job in hand.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use queue_core::backend::Attempt;
use queue_core::{InterruptReason, JobFacts, Lease, Timestamp};

/// A job in hand, shared by its worker, the renewal and the settling.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) attempt: Attempt,
    pub(super) place: Place,
    phase: AtomicU8,
    /// When its lease was last known to hold, in microseconds.
    renewed_at: AtomicI64,
    /// When it is dropped if it has not stopped by then, in microseconds; the end of time for never.
    force_at: AtomicI64,
    /// Whether a renewal found no lease while a unit of work was committing.
    is_doubtful: AtomicBool,
    /// Whether a settlement of it got no answer, and may have been applied.
    is_settlement_repeated: AtomicBool,
}

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const ENDED: u8 = 2;

impl Held {
    pub(super) fn new(attempt: Attempt, place: Place, now: Timestamp) -> Self {
        Self {
            attempt,
            place,
            phase: AtomicU8::new(WAITING),
            renewed_at: AtomicI64::new(now.as_micros()),
            force_at: AtomicI64::new(i64::MAX),
            is_doubtful: AtomicBool::new(false),
            is_settlement_repeated: AtomicBool::new(false),
        }
    }

    /// Notes that another job is held here from now on, whose delivery is in the attempt.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.phase = AtomicU8::new(WAITING);
        self.renewed_at = AtomicI64::new(now.as_micros());
        self.force_at = AtomicI64::new(i64::MAX);
        self.is_doubtful = AtomicBool::new(false);
        self.is_settlement_repeated = AtomicBool::new(false);
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.attempt.delivery().lease
    }

    pub(super) fn facts(&self) -> JobFacts {
        self.attempt.delivery().into()
    }

    /// Why its attempt was told to stop, if it was.
    pub(super) fn interrupted(&self) -> Option<&InterruptReason> {
        self.attempt.interrupt().reason()
    }

    /// Returns whether a missing lease may be due to a completion that is being committed; once for each attempt.
    pub(super) fn doubt_completion(&self) -> bool {
        self.attempt.is_completing() && !self.is_doubtful.swap(true, Ordering::SeqCst)
    }

    pub(super) fn repeat_settlement(&self) {
        self.is_settlement_repeated.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_settlement_repeated(&self) -> bool {
        self.is_settlement_repeated.load(Ordering::SeqCst)
    }

    /// Notes that its attempt begins, and tells when.
    pub(super) fn start(&self) -> Timestamp {
        self.phase.store(RUNNING, Ordering::SeqCst);
        self.attempt.start()
    }

    pub(super) fn is_running(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == RUNNING
    }

    pub(super) fn has_ended(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == ENDED
    }

    /// Notes that it will not be worked on any more; `false` if that was so before.
    pub(super) fn end(&self) -> bool {
        self.phase.swap(ENDED, Ordering::SeqCst) != ENDED
    }

    /// When it is to be dropped; the end of time for never.
    pub(super) fn force_at(&self) -> Timestamp {
        Timestamp::from_micros(self.force_at.load(Ordering::SeqCst))
    }

    pub(super) fn renewed_at(&self) -> Timestamp {
        Timestamp::from_micros(self.renewed_at.load(Ordering::SeqCst))
    }

    pub(super) fn note_renewal(&self, at: Timestamp) {
        self.renewed_at.store(at.as_micros(), Ordering::SeqCst);
    }

    /// Asks the job to stop, and has it dropped after a grace.
    pub(super) fn interrupt(&self, reason: InterruptReason, now: Timestamp, grace: Duration) {
        self.attempt.interrupt().request(reason);
        self.force_at.fetch_min(now.saturating_add(grace).as_micros(), Ordering::SeqCst);
    }

    /// Drops the job if it had its grace and did not stop.
    pub(super) fn force_if_overdue(&self, now: Timestamp) {
        if self.force_at.load(Ordering::SeqCst) > now.as_micros() {
            return;
        }
        self.force_at.store(i64::MAX, Ordering::SeqCst);
        if let Some(reason) = self.interrupted() {
            self.attempt.interrupt().force(reason.clone());
        }
    }
}

/// A job's place in the hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(pub(super) usize);
