//! Tests that a move of jobs between two stores loses none and changes none, wherever it is interrupted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join;
use queue_core::admin::{
    Change, Filter, Imported, JobMove, JobPage, LeftReason, MoveError, Moved, PageRequest,
};
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{
    Admin, AdminExt as _, Body, Clock as _, Demand, JobId, JobRecord, NewJob, OnDiscard, Queue, QueueError,
    QueueErrorKind, QueueName, Receipt, Settlement, State, Transition, Unique,
};
use queue_testkit::{ModelQueue, VirtualClock};

const MAIL: QueueName = QueueName::from_static("mail");

/// A store whose calls are counted. The call of a given number fails, before it is done or after it.
struct Flaky {
    store: ModelQueue,
    calls: Arc<AtomicUsize>,
    fails: Option<(usize, When)>,
}

#[derive(Clone, Copy, PartialEq)]
enum When {
    Before,
    After,
}

impl Flaky {
    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, QueueError>> + Send,
    ) -> Result<T, QueueError> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let crash = || Err(QueueError::unavailable("the program crashed here"));
        match self.fails.filter(|(at, _)| *at == number) {
            None => call.await,
            Some((_, When::Before)) => crash(),
            Some((_, When::After)) => {
                call.await?;
                crash()
            }
        }
    }
}

impl Decorator for Flaky {
    type Inner = ModelQueue;

    fn inner(&self) -> &ModelQueue {
        &self.store
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.store.push_at_once(job)
    }
}

#[async_trait]
impl AdminDecorator for Flaky {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.call(self.store.get(id)).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.call(self.store.list(filter, page)).await
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        self.call(Admin::change(&self.store, ids, filter, change)).await
    }

    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        self.call(self.store.import(jobs)).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.call(self.store.pause(queue)).await
    }
}

/// Two stores with one clock.
fn stores() -> (ModelQueue, ModelQueue) {
    let clock = VirtualClock::new();
    (ModelQueue::seeded(clock.clone(), 1), ModelQueue::seeded(clock, 2))
}

/// Stores jobs of many kinds, and pauses their queue.
async fn fill(store: &ModelQueue) -> Result<(), QueueError> {
    let job = |number: u32| NewJob::new("send", Body::stored(format!("{{\"n\": {number}}}"))).queue(MAIL);
    let failing = |number: u32| job(number).priority(-5).max_attempts(9);
    store.push((0..3).map(failing).collect()).await?;
    for delay in [0, 3600, 7200] {
        let at = store.clock().now().saturating_add(Duration::from_secs(delay));
        let claimed = store.claim(&Demand::new(MAIL, 3).wait(Duration::ZERO)).await?;
        let retry = |lease| Settlement::new(lease, Transition::Retry { at, error: format!("in {delay} s") });
        store.settle(claimed.into_iter().map(|job| retry(job.lease)).collect()).await?;
        store.clock().advance(Duration::from_secs(1));
    }
    let mut traced = job(7).meta("trace", "abc");
    traced.on_discard = Some(Arc::new(OnDiscard::nothing()));
    let keyed = Unique::new("key").within(Duration::from_secs(86_400));
    let jobs = [job(3).delay(Duration::from_secs(60)), job(4).priority(2), job(5).unique("plain"), traced];
    store.push(jobs.into_iter().chain([job(6).unique(keyed)]).collect()).await?;
    store.push(vec![job(8).queue("other")]).await?;
    store.pause(&MAIL).await
}

/// Returns the waiting jobs of the queue by id, in full.
async fn shown(store: &ModelQueue) -> Result<BTreeMap<JobId, String>, QueueError> {
    let jobs = store.list_all(&Filter::all().queue(MAIL).unfinished()).await?;
    let shown = |job: JobRecord| {
        let payload = job.body.encode().unwrap_or_default();
        (job.id, format!("{payload} {job:?}"))
    };
    Ok(jobs.into_iter().map(shown).collect())
}

async fn moved(from: &dyn Admin, to: &dyn Admin) -> Result<Moved, MoveError> {
    JobMove::of(MAIL).batch(3).run(from, to, &mut |_| ()).await
}

/// H56: `move` loses nothing: after a crash at any point each job is in one store or in both, and running it again completes it.
#[test]
fn a_move_that_is_interrupted_at_any_call_is_completed_by_the_next() -> Result<(), MoveError> {
    queue_testkit::block_on(async {
        let mut crashes = 0;
        for when in [When::Before, When::After] {
            for at in 0.. {
                let (from, to) = stores();
                fill(&from).await.map_err(MoveError::Source)?;
                let expected = shown(&from).await.map_err(MoveError::Source)?;
                let calls = Arc::<AtomicUsize>::default();
                let flaky = |store: &ModelQueue| Flaky {
                    store: store.clone(),
                    calls: calls.clone(),
                    fails: Some((at, when)),
                };

                let crashed = moved(&flaky(&from), &flaky(&to)).await.is_err();

                let (kept, copied) = (
                    shown(&from).await.map_err(MoveError::Source)?,
                    shown(&to).await.map_err(MoveError::Target)?,
                );
                for (id, job) in &expected {
                    let found: Vec<_> = [kept.get(id), copied.get(id)].into_iter().flatten().collect();
                    assert!(!found.is_empty(), "job {id} is lost by a crash at call {at}");
                    assert!(found.iter().all(|found| *found == job), "{found:?} was {job}");
                }
                assert!(
                    to.claim(&Demand::new(MAIL, 9).wait(Duration::ZERO))
                        .await
                        .is_ok_and(|jobs| jobs.is_empty())
                );
                if !crashed {
                    break;
                }
                crashes += 1;
                let answer = moved(&from, &to).await?;
                assert_eq!(shown(&to).await.map_err(MoveError::Target)?, expected);
                assert_eq!(shown(&from).await.map_err(MoveError::Source)?.len(), 0);
                assert_eq!((answer.left.len(), answer.jobs as usize), (0, kept.len()));
            }
        }
        assert!(crashes > 20, "{crashes}");
        Ok(())
    })
}

/// H56: The jobs of other queues, and the finished ones, stay.
#[test]
fn only_unfinished_jobs_of_the_queue_are_moved() -> Result<(), MoveError> {
    queue_testkit::block_on(async {
        let (from, to) = stores();
        fill(&from).await.map_err(MoveError::Source)?;
        let waiting = shown(&from).await.map_err(MoveError::Source)?;
        let first = *waiting.keys().next().expect("a waiting job");
        from.cancel(first, "not this one").await.map_err(MoveError::Source)?;
        let mut steps = Vec::new();

        let answer = JobMove::of(MAIL).batch(3).run(&from, &to, &mut |moved| steps.push(moved.jobs)).await?;

        assert_eq!(answer.jobs as usize, waiting.len() - 1);
        assert_eq!(steps, [3, 6, 7]);
        assert_eq!(to.counts().await.map_err(MoveError::Target)?.len(), 1, "only the queue itself");
        let kept = from.get(first).await.map_err(MoveError::Source)?.map(|job| job.state);
        assert_eq!(kept, Some(State::Cancelled));
        Ok(())
    })
}

/// H56: A queue that is not paused, a job that executes, and a move within one store are refused, with what to do.
#[test]
fn a_move_is_refused_unless_nothing_can_run_meanwhile() -> Result<(), QueueError> {
    queue_testkit::block_on(async {
        let (from, to) = stores();
        fill(&from).await?;
        from.resume(&MAIL).await?;
        let error = moved(&from, &to).await.expect_err("the queue is not paused");
        assert!(matches!(&error, MoveError::NotPaused(queue) if *queue == MAIL), "{error:?}");
        assert_eq!(error.kind(), QueueErrorKind::Conflict);

        let claimed = from.claim(&Demand::new(MAIL, 1)).await?;
        from.pause(&MAIL).await?;
        let error = moved(&from, &to).await.expect_err("a job is executing");
        assert!(
            matches!(error, MoveError::Executing { count: 1, job } if job == claimed[0].id()),
            "{error:?}"
        );
        assert!(shown(&to).await?.is_empty());

        let patient = JobMove::of(MAIL).wait_for_executing(Duration::from_secs(60));
        let mut progress = |_: &Moved| ();
        let settle = async {
            from.settle(vec![Settlement::new(claimed[0].lease.clone(), Transition::complete())]).await
        };
        let (answer, settled) = join(patient.run(&from, &to, &mut progress), settle).await;
        settled?;
        assert!(answer.is_ok_and(|moved| moved.jobs == 7));

        to.pause(&MAIL).await?;
        let before = shown(&to).await?;
        let error = moved(&to, &to.clone()).await.expect_err("it is the same store");
        assert!(matches!(error, MoveError::SameStore), "{error:?}");
        assert_eq!(shown(&to).await?, before);
        assert!(to.workers().await?.is_empty(), "the check leaves no worker behind");
        Ok(())
    })
}

/// H56: A job whose key is held in the other store, and one that differs from the job of its id there, stay where they are.
#[test]
fn a_job_that_the_other_store_cannot_take_stays() -> Result<(), MoveError> {
    queue_testkit::block_on(async {
        let (from, to) = stores();
        let job = |text: &str| NewJob::new("send", Body::stored(text.to_owned())).queue(MAIL);
        let (same, keyed) = (JobId::from_u128(1), JobId::from_u128(2));
        let jobs = vec![job("1").id(same), job("2").id(keyed).unique("key"), job("3")];
        from.push(jobs).await.map_err(MoveError::Source)?;
        let receipts =
            to.push(vec![job("9").id(same), job("8").unique("key")]).await.map_err(MoveError::Target)?;
        from.pause(&MAIL).await.map_err(MoveError::Source)?;

        let answer = moved(&from, &to).await?;

        let left = [(same, LeftReason::Differs), (keyed, LeftReason::KeyHeld(receipts[1].id()))];
        assert_eq!((answer.jobs, answer.left.as_slice()), (1, left.as_slice()));
        assert_eq!(shown(&from).await.map_err(MoveError::Source)?.len(), 2);
        assert_eq!(shown(&to).await.map_err(MoveError::Target)?.len(), 3);
        Ok(())
    })
}

/// A store that cancels a job of another store once it has imported it.
struct CancelsMeanwhile {
    store: ModelQueue,
    other: ModelQueue,
    job: JobId,
}

impl Decorator for CancelsMeanwhile {
    type Inner = ModelQueue;

    fn inner(&self) -> &ModelQueue {
        &self.store
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.store.push_at_once(job)
    }
}

#[async_trait]
impl AdminDecorator for CancelsMeanwhile {
    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        let imported = self.store.import(jobs).await?;
        self.other.cancel(self.job, "meanwhile").await?;
        Ok(imported)
    }
}

/// H56: A job that is cancelled in the first store after it was copied does not run in the other one.
#[test]
fn the_copy_of_a_job_that_is_cancelled_meanwhile_is_deleted() -> Result<(), MoveError> {
    queue_testkit::block_on(async {
        let (from, to) = stores();
        let cancelled = JobId::from_u128(1);
        let job = || NewJob::new("send", Body::stored("1")).queue(MAIL);
        from.push(vec![job().id(cancelled), job()]).await.map_err(MoveError::Source)?;
        from.pause(&MAIL).await.map_err(MoveError::Source)?;

        let to = CancelsMeanwhile { store: to, other: from.clone(), job: cancelled };
        let answer = moved(&from, &to).await?;

        assert_eq!(answer.jobs, 1);
        assert!(to.store.get(cancelled).await.map_err(MoveError::Target)?.is_none());
        assert_eq!(shown(&to.store).await.map_err(MoveError::Target)?.len(), 1);
        Ok(())
    })
}
