//! The store under test, and the steps that laws take with it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use queue_core::admin::Filter;
use queue_core::{Admin, AdminExt as _, JobId, JobRecord, NewJob, QueueError, Receipt, State};

use super::process::{Process, Role};
use super::store::{Make, Store};
use crate::law::Steps;

pub(super) struct StoreHarness {
    make: Arc<Make>,
    store: Arc<dyn Store>,
    test: String,
    steps: Steps,
}

impl StoreHarness {
    pub(super) async fn new(make: Arc<Make>, test: String, steps: Steps) -> Self {
        let store = make(None).await;
        Self { make, store, test, steps }
    }

    /// Returns a harness for a fresh store.
    pub(super) async fn afresh(&self) -> Self {
        let store = (self.make)(None).await;
        self.with_store(store)
    }

    /// Returns a harness for another store.
    pub(super) fn with_store(&self, store: Arc<dyn Store>) -> Self {
        let (make, test, steps) = (self.make.clone(), self.test.clone(), self.steps.clone());
        Self { make, store, test, steps }
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) fn steps(&self) -> &Steps {
        &self.steps
    }

    pub(super) async fn open(&self) -> Arc<dyn Admin> {
        self.steps.ok("opening the store", self.store.open()).await
    }

    /// Starts a process on the store.
    #[expect(clippy::needless_pass_by_value, reason = "a role is played by one process")]
    pub(super) fn start(&self, role: Role) -> Process {
        self.steps.note(format!("starting a process to {role}"));
        Process::start(&self.test, &self.store.address(), &role)
    }

    /// Pushes jobs that must all be stored.
    pub(super) async fn push(&self, queue: &dyn Admin, jobs: Vec<NewJob>) -> Vec<JobId> {
        let step = format!("a push of {} jobs", jobs.len());
        let receipts = self.steps.ok(step, queue.push(jobs)).await;
        receipts.into_iter().map(Receipt::id).collect()
    }

    /// Returns every job of the store.
    pub(super) async fn all(&self, queue: &dyn Admin) -> BTreeMap<JobId, JobRecord> {
        let filter = Filter::all();
        let jobs = self.retry_until_ok("`list_all` of every job", || queue.list_all(&filter)).await;
        jobs.into_iter().map(|job| (job.id, job)).collect()
    }

    /// Waits until a job is in a state that it reaches by time alone.
    pub(super) async fn is_in(&self, queue: &dyn Admin, id: JobId, state: State) {
        let is_in = async {
            loop {
                match queue.get(id).await {
                    Ok(Some(job)) if job.state == state => return,
                    Ok(Some(_)) => tokio::task::yield_now().await,
                    Ok(None) => panic!("job {id} is missing"),
                    Err(error) => panic!("`get` failed: {}", queue_core::backend::error_chain(&error)),
                }
            }
        };
        self.steps.finishes(format!("waiting until job {id} is {}", state.as_str()), is_in).await;
    }

    /// Returns whether at least `jobs` jobs are completed, and records how many are.
    pub(super) async fn are_completed(&self, queue: &dyn Admin, jobs: u32) -> bool {
        let counts = self.steps.ok("`counts`", queue.counts()).await;
        let completed: u64 = counts.iter().map(|counts| counts.of(State::Completed)).sum();
        self.steps.note(format!("{completed} of {jobs} jobs are completed"));
        completed >= jobs.into()
    }

    /// Repeats a call while it fails transiently, until it succeeds.
    pub(super) async fn retry_until_ok<T, F>(&self, step: &str, call: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        let answered = async {
            loop {
                match call().await {
                    Ok(answer) => return answer,
                    Err(error) if error.is_transient() => tokio::task::yield_now().await,
                    Err(error) => {
                        panic!("{step} failed permanently: {}", queue_core::backend::error_chain(&error))
                    }
                }
            }
        };
        self.steps.finishes(format!("{step}, repeated until it succeeds,"), answered).await
    }
}
