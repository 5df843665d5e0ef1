//! Crashes of the worker over a store: the lease expires by the moved clock, and the redelivery runs.

use std::sync::{Arc, Mutex};

use queue_core::{BoxError, Job, JobContext, QueueExt as _, background_job, jobs};
use queue_testkit::explore::ExploreError;
use queue_testkit::{TestKit, assert_deterministic, crash_everywhere};
use tokio::runtime::Builder;

use super::harness::KitHarness;
use crate::law::expect_eq;

/// A bank that knows a charge again by its key.
#[derive(Default)]
struct Bank(Mutex<Vec<String>>);

impl Bank {
    async fn charge(&self, key: String) {
        let mut charges = self.0.lock().expect("the charges");
        if !charges.contains(&key) {
            charges.push(key);
        }
    }
}

#[background_job]
async fn charge_carelessly(#[inject] bank: &Bank, #[inject] context: &JobContext) {
    bank.charge(format!("{}, attempt {}", context.id(), context.attempt())).await;
}

#[background_job]
async fn charge(#[inject] bank: &Bank, #[inject] context: &JobContext) {
    bank.charge(context.id().to_string()).await;
}

type World = (TestKit, Arc<Bank>);

async fn world<J: Job>(harness: &KitHarness, job: J) -> Result<World, BoxError> {
    let bank = Arc::new(Bank::default());
    let jobs = jobs![charge, charge_carelessly];
    let kit = harness.kit_with(jobs, |kit| kit.singleton_as(bank.clone())).await;
    kit.queue().enqueue(job).await?;
    Ok((kit, bank))
}

fn charged_once((_, bank): &World) -> Result<(), String> {
    let charges = bank.0.lock().expect("the charges").len();
    if charges == 1 { Ok(()) } else { Err(format!("charged {charges} times")) }
}

/// The explorer passes a job that charges by a key, and names the line after which another one charges twice.
pub(super) async fn t9_a_crash_that_breaks_an_invariant_is_named_by_its_line(harness: &KitHarness) {
    let harness = harness.clone();
    // The future of an exploration can't be sent to another thread.
    let explore = move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(explore(&harness));
    };
    tokio::task::spawn_blocking(explore).await.expect("the law");
}

async fn explore(harness: &KitHarness) {
    let explored = crash_everywhere(async || world(harness, charge::new()).await).check(charged_once).await;
    expect_eq!(explored.expect("a job that charges by a key").crashes, 3, "before, after, and unsettled");

    // Both runs of the same job over two stores agree.
    let again = assert_deterministic(async || world(harness, charge::new()).await).await;
    expect_eq!(again.expect("the same run").attempts().len(), 1);

    let careless = async || world(harness, charge_carelessly::new()).await;
    let found = crash_everywhere(careless)
        .check_async(async |world| {
            tokio::task::yield_now().await;
            charged_once(world)
        })
        .await;

    let Err(ExploreError::Broken { breaks, .. }) = &found else { panic!("{found:?}") };
    let names: Vec<_> = breaks.iter().map(|found| found.point.name()).collect();
    let line = 1 + include_str!("crashes.rs")
        .lines()
        .position(|line| line.contains("attempt {}\""))
        .expect("a line");
    expect_eq!(
        names,
        [format!("charge_carelessly after {}:{line}:5 #1", file!()), "charge_carelessly unsettled #1".into()]
    );
    assert!(breaks.iter().all(|found| found.message == "charged 2 times"), "{found:?}");
}
