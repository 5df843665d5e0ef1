//! The jobs and the kit of the tests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue_core::{BoxError, Jobs, Tick, Timestamp, background_job, jobs};
use queue_schedules::Schedules;
use queue_testkit::TestKit;

pub(crate) type TestResult = Result<(), BoxError>;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// The time at which a kit begins, in seconds: 2030-01-01 12:00 UTC.
pub(crate) const START: i64 = 1_893_499_200;

/// The ticks of the jobs that have run.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Tick>>>);

impl Log {
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the instants of the ticks, in seconds since the start of the kit.
    pub(crate) fn seconds(&self) -> Vec<i64> {
        self.ticks().iter().map(|tick| tick.at().as_micros() / 1_000_000 - START).collect()
    }

    fn add(&self, tick: &Tick) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(tick.clone());
    }
}

#[background_job]
pub(crate) async fn note(#[inject] log: &Log, #[inject] tick: &Tick) {
    log.add(tick);
}

#[background_job]
pub(crate) async fn count(#[inject] log: &Log, #[inject] tick: &Tick, by: u32) {
    (0..by).for_each(|_| log.add(tick));
}

#[background_job(cron = "0 2 * * *")]
pub(crate) async fn nightly(#[inject] log: &Log, #[inject] tick: &Tick) {
    log.add(tick);
}

pub(crate) fn jobs() -> Jobs {
    jobs![note, count, nightly].and(Schedules::ticks())
}

/// Returns a kit with the jobs of the tests, and the ticks of the jobs that it runs.
pub(crate) fn kit() -> Result<(TestKit, Log), BoxError> {
    let log = Log::default();
    let kit = TestKit::new(jobs()).singleton(log.clone()).limit(1_000_000).build()?;
    Ok((kit, log))
}

pub(crate) fn schedules(kit: &TestKit) -> Schedules {
    Schedules::new("shop", kit.queue().clone())
}

/// Returns an instant in seconds since the start of a kit.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((START + seconds) * 1_000_000)
}
