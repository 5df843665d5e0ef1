//! Tests that the hosted loop and the inline executor produce the same outcomes for the same jobs (T6).

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::admin::{Filter, PageRequest};
use queue_core::{Admin, JobContext, JobError, NewJob, QueueExt as _, Services, State, background_job, jobs};
use queue_testkit::TestKit;

use crate::world::{TestResult, World};

/// Follows its plan at each attempt; then succeeds.
#[background_job(timeout = "20s", max_attempts = 4, backoff = fixed("3s"))]
async fn follow_plan(#[inject] context: &JobContext, number: u32, plan: &[u8]) -> Result<(), JobError> {
    // A snooze does not count as an attempt, but the fence counts every run.
    let step = usize::try_from(context.fence().0).unwrap_or(usize::MAX) - 1;
    match plan.get(step).map(|step| step % 8) {
        Some(0) => Err("failed".into()),
        Some(1) => panic!("panicked"),
        Some(2) => Err(JobError::snooze(Duration::from_secs(7))),
        Some(3) => {
            context.sleep(Duration::from_secs(3600)).await; // virtual
            Ok(())
        }
        Some(4) => Err(JobError::permanent("given up")),
        Some(5) => Err(JobError::retry_in(Duration::from_secs(11), "later")),
        Some(6) => {
            context.then(NewJob::from(follow_plan::new(
                number + 1000,
                plan.get(step + 1..).unwrap_or_default().to_vec(),
            )));
            Ok(())
        }
        Some(_) => Err(JobError::cancel("not needed")),
        None => Ok(()),
    }
}

type Ends = BTreeMap<u32, Vec<(State, u32, u64, Vec<String>)>>;

async fn ends(queue: &dyn Admin) -> Ends {
    let mut ends = Ends::new();
    for job in queue.list(&Filter::all(), &PageRequest::first(usize::MAX)).await.unwrap().jobs {
        let number = job.body.decode::<follow_plan>().unwrap().number;
        // One hook for the whole process records where a panic happened, and other tests may panic too.
        let errors =
            job.errors.into_iter().map(|error| error.message.split(", at ").next().unwrap().to_owned());
        ends.entry(number).or_default().push((job.state, job.attempt, job.fence.0, errors.collect()));
    }
    ends
}

fn plans(seed: u64) -> Vec<follow_plan> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut plan = || (0..random.usize(0..6)).map(|_| random.u8(..)).collect::<Vec<_>>();
    (0..30).map(|number| follow_plan::new(number, plan())).collect()
}

/// T6: attempts run through the same code, so random jobs end the same in the kit and in the hosted loop.
#[tokio::test(start_paused = true)]
async fn the_loop_and_the_kit_produce_the_same_outcomes() -> TestResult {
    for seed in 0..20 {
        let kit = TestKit::new(jobs![follow_plan]).build()?;
        kit.queue().enqueue_all(plans(seed)).await?;
        kit.run_until_idle().await?;

        let world = World::start(jobs![follow_plan], Services::builder()).await;
        world.queue.enqueue_all(plans(seed)).await?;
        let idle = async {
            while world.queue.counts().await.unwrap()[0].unfinished() > 0 {
                tokio::time::advance(Duration::from_millis(500)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(3600), idle).await?;
        world.host.stop().await?;

        assert_eq!(ends(kit.queue()).await, ends(&world.queue).await, "seed {seed}");
    }
    Ok(())
}
