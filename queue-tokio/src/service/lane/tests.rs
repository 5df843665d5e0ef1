//! A lane without tasks: each test takes the steps of its workers itself.

mod walk;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use queue_core::{
    AttemptRunner, Blocking, Body, Clock as _, Demand, Environment, Jobs, NewJob, Queue as _, Services,
    Transition,
};
use queue_testkit::VirtualClock;

use super::{Claim, Lane, NextStep, Progress, Report, Yields};
use crate::MemoryQueue;
use crate::service::backoff::Backoff;
use crate::service::claimer::Claimer;
use crate::service::finished::Finished;
use crate::service::job::InFlightJob;
use crate::service::settings::Settings;

const PATIENCE: Duration = Duration::from_millis(100);

struct NoThreads;

impl Blocking for NoThreads {
    fn run_blocking(&self, _: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A lane, and the queue from which the test claims for it.
struct Fixture {
    lane: Lane,
    queue: MemoryQueue,
    clock: VirtualClock,
    runner: AttemptRunner,
}

impl Fixture {
    /// Creates a lane with one active worker.
    fn new(share: usize) -> Self {
        let clock = VirtualClock::new();
        let queue = MemoryQueue::builder().clock(clock.clone()).seed(1).build();
        let environment = Environment {
            clock: Arc::new(clock.clone()),
            blocking: Arc::new(NoThreads),
            observer: None,
            service: None,
        };
        let services = Services::builder().build().unwrap();
        let runner = AttemptRunner::new(Jobs::default(), services, Arc::new(queue.clone()), &[], environment);
        let settings = Settings::new(vec!["default".into()]);
        let backoff = Arc::new(Mutex::new(Backoff::new("claim", 1)));
        let lane = Lane::new(0, share, Claimer::new(&settings, share, None, backoff));
        lane.open();
        Self { lane, queue, clock, runner }
    }

    /// Creates a lane whose worker has claimed jobs.
    fn with_jobs(share: usize, count: usize) -> Self {
        let fixture = Self::new(share);
        let NextStep::Claim(claim) = fixture.next(Report::default()) else { panic!("nothing else to do") };
        fixture.answer(claim, count, false);
        fixture
    }

    /// Answers a claim with `count` jobs.
    fn answer(&self, claim: Claim, count: usize, was_suspended: bool) {
        let jobs = self.jobs(count);
        self.lane.accept(jobs, claim.claimer, was_suspended);
    }

    fn jobs(&self, count: usize) -> Vec<Arc<InFlightJob>> {
        if count == 0 {
            return Vec::new();
        }
        let jobs = (0..count).map(|_| NewJob::new("job", Body::stored("null"))).collect();
        self.queue.push(jobs).now_or_never().unwrap().unwrap();
        let demand = Demand::new("default", count);
        let deliveries = self.queue.claim(&demand).now_or_never().unwrap().unwrap();
        self.lane.jobs_of(deliveries, &self.runner, self.clock.now())
    }

    fn next(&self, report: Report) -> NextStep {
        self.lane.next(report, false)
    }

    /// Starts the next job.
    #[track_caller]
    fn run(&self) -> Arc<InFlightJob> {
        let NextStep::Run(job) = self.next(Report::default()) else { panic!("a job waits") };
        job.start();
        job
    }

    /// Returns whether a parked worker was called.
    fn is_called(&self) -> bool {
        self.lane.parked().now_or_never().is_some()
    }
}

fn finished(job: &Arc<InFlightJob>, was_suspended: bool) -> Report {
    let finished = Some(Finished::unrun(job.clone(), Transition::complete()));
    Report { finished, was_suspended, ..Report::default() }
}

#[track_caller]
fn batch(step: NextStep) -> Vec<Finished> {
    let NextStep::Settle(batch) = step else { panic!("there are results: {step:?}") };
    batch
}

#[test]
fn a_lane_starts_no_more_jobs_than_its_share() {
    let fixture = Fixture::with_jobs(2, 3);
    let first = fixture.run();
    assert!(fixture.lane.suspend(true, false), "there is a second job, and no worker");
    fixture.run();

    assert!(!fixture.lane.suspend(true, false), "the lane runs its share");
    assert!(matches!(fixture.next(finished(&first, true)), NextStep::Run(_)), "the third job starts now");
}

#[test]
fn a_suspended_worker_calls_a_parked_one_before_a_new_one() {
    let (fixture, claim) = parked();
    fixture.answer(claim, 2, false);
    fixture.run();

    assert!(!fixture.lane.suspend(true, false), "no new one is needed");
    assert!(fixture.is_called());
    assert!(!fixture.is_called(), "one was called");
}

#[test]
fn a_suspended_claim_calls_no_worker_while_there_is_nothing_to_do() {
    let fixture = Fixture::new(4);
    let NextStep::Claim(_claim) = fixture.next(Report::default()) else { panic!("nothing else to do") };

    assert!(!fixture.lane.suspend(false, false));
    assert!(!fixture.lane.is_active());
}

#[test]
fn jobs_and_results_gather_while_a_settlement_and_a_claim_are_under_way() {
    let fixture = Fixture::with_jobs(4, 3);
    let jobs = [(); 3].map(|()| fixture.run());
    let first = batch(fixture.next(finished(&jobs[0], false)));
    assert!(fixture.lane.suspend(false, false), "another claim can be made");
    let NextStep::Claim(claim) = fixture.next(Report { yields: Yields::Done, ..finished(&jobs[1], false) })
    else {
        panic!("no second settlement, so a claim")
    };
    assert_eq!(claim.room, 3);
    assert!(!fixture.lane.suspend(false, false), "one settlement and one claim are under way");
    assert!(fixture.lane.begin_settlement().is_empty());

    fixture.lane.remove(first);
    fixture.lane.end_settlement();

    let second = batch(fixture.next(Report { was_suspended: true, ..Report::default() }));
    assert!(Arc::ptr_eq(second[0].job(), &jobs[1]));
}

/// H11: jobs that are about to end do so first, so that their room is claimed together.
#[test]
fn a_lane_yields_once_before_it_claims_for_little_room() {
    let fixture = Fixture::with_jobs(4, 4);
    let jobs = [(); 4].map(|()| fixture.run());

    assert!(matches!(fixture.next(finished(&jobs[0], false)), NextStep::Yield));
    assert_eq!(batch(fixture.next(Report { yields: Yields::Done, ..Report::default() })).len(), 1);
}

#[test]
fn a_settlement_has_a_limited_number_of_jobs() {
    let fixture = Fixture::with_jobs(1, 1_500);
    fixture.lane.release_waiting();

    assert_eq!(fixture.lane.begin_settlement().len(), 1_000);
    fixture.lane.end_settlement();
    assert_eq!(fixture.lane.begin_settlement().len(), 500);
}

#[test]
fn the_result_of_a_job_that_was_released_by_force_is_dropped() {
    let fixture = Fixture::with_jobs(2, 1);
    let job = fixture.run();
    fixture.lane.release_running();
    let released = fixture.lane.begin_settlement();
    assert_eq!(released[0].settlement().transition, Transition::Release);
    assert!(fixture.lane.is_quiet());

    let step = fixture.lane.next(finished(&job, false), true);

    assert!(matches!(step, NextStep::Leave), "{step:?}");
    assert!(fixture.lane.begin_settlement().is_empty());
    let state = fixture.lane.lock();
    assert_eq!((state.running, state.finished.len()), (0, 0));
}

/// H26: the watchdog calls a worker for jobs that wait behind one that blocks its thread, and no other until that one has come.
#[test]
fn a_rescue_calls_one_worker_until_it_has_come() {
    let fixture = Fixture::with_jobs(4, 3);
    let mut progress = Progress::default();
    let _blocks = fixture.run();
    assert!(!fixture.lane.rescue(&mut progress, false).needs_worker, "the lane has made progress");

    assert!(fixture.lane.rescue(&mut progress, false).needs_worker);
    for _ in 0..3 {
        let rescue = fixture.lane.rescue(&mut progress, false);
        assert!(!rescue.needs_worker);
        assert_eq!(rescue.next, Some(Lane::SLOW_CHECK));
    }
    let _blocks_too = fixture.run();
    assert!(!fixture.lane.rescue(&mut progress, false).needs_worker, "the lane has made progress");
    assert!(fixture.lane.rescue(&mut progress, false).needs_worker, "the second one is held too");
}

#[test]
fn a_rescue_settles_results_that_wait_from_one_check_to_the_next() {
    let fixture = Fixture::with_jobs(4, 2);
    let mut progress = Progress::default();
    let job = fixture.run();
    assert!(matches!(fixture.next(finished(&job, false)), NextStep::Run(_)));

    assert_eq!(fixture.lane.rescue(&mut progress, false).finished.len(), 1);
    assert!(fixture.lane.rescue(&mut progress, false).finished.is_empty(), "a settlement is under way");
}

#[test]
fn a_rescue_of_a_lane_without_an_active_worker_changes_nothing() {
    let fixture = Fixture::with_jobs(1, 2);
    let mut progress = Progress::default();
    fixture.run();
    assert!(!fixture.lane.suspend(true, false));

    for _ in 0..2 {
        let rescue = fixture.lane.rescue(&mut progress, false);
        assert!(!rescue.needs_worker && rescue.finished.is_empty() && rescue.next.is_none(), "{rescue:?}");
    }
}

#[test]
fn only_jobs_beyond_the_room_are_released_once_they_have_waited() {
    let fixture = Fixture::with_jobs(2, 5);
    fixture.run();
    assert_eq!(fixture.lane.release_surplus(fixture.clock.now(), PATIENCE), Some(PATIENCE));
    fixture.clock.advance(PATIENCE - Duration::from_millis(1));
    let now = fixture.clock.now();
    assert_eq!(fixture.lane.release_surplus(now, PATIENCE), Some(Duration::from_millis(1)));

    fixture.clock.advance(Duration::from_millis(1));

    assert_eq!(fixture.lane.release_surplus(fixture.clock.now(), PATIENCE), None);
    assert_eq!(fixture.lane.lock().waiting.len(), 1, "one more can start");
    assert_eq!(fixture.lane.begin_settlement().len(), 3);
}

/// A lane with a claim under way and a parked worker.
fn parked() -> (Fixture, Claim) {
    let fixture = Fixture::new(4);
    let NextStep::Claim(claim) = fixture.next(Report::default()) else { panic!("nothing else to do") };
    fixture.lane.lock().active += 1;
    assert!(matches!(fixture.next(Report::default()), NextStep::Park), "a claim is under way");
    assert!(!fixture.is_called());
    (fixture, claim)
}

#[test]
fn a_closed_lane_ends_its_parked_workers() {
    let (fixture, _claim) = parked();

    fixture.lane.close();

    assert!(fixture.is_called());
    assert!(matches!(fixture.lane.next(Report::default(), true), NextStep::Leave));
}

#[test]
fn no_worker_parks_after_the_close() {
    let fixture = Fixture::new(4);

    fixture.lane.close();

    assert!(matches!(fixture.next(Report::default()), NextStep::Leave), "although it has not seen the stop");
    assert!(!fixture.lane.is_active());
}

/// A worker that was called just before the close comes, so that it is not counted for ever.
#[test]
fn a_worker_that_was_called_before_the_close_comes() {
    let (fixture, claim) = parked();
    fixture.answer(claim, 2, false);
    fixture.run();
    assert!(!fixture.lane.suspend(true, false), "the parked worker is called");

    fixture.lane.close();

    assert!(fixture.is_called());
    assert!(matches!(fixture.lane.next(Report::default(), true), NextStep::Leave));
    assert!(!fixture.lane.is_active());
}
