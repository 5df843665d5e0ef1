//! Old and new workers over the same jobs (D29).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue_core::{
    Admin as _, BoxError, Event, JobId, Jobs, QueueExt as _, Services, Transition, background_job, jobs,
};
use queue_postgres::PostgresQueue;
use queue_testkit::Recorder;
use queue_tokio::{Host, QueueService, RunningHost};

use crate::fixture::{TestResult, queue, url};

/// A program by its name, and what all programs ran.
struct Program {
    name: &'static str,
    ran: Ran,
}

type Ran = Arc<Mutex<Vec<String>>>;

impl Program {
    fn note(&self, what: &str) {
        self.ran.lock().expect("no holder of the lock panics").push(format!("{}: {what}", self.name));
    }
}

mod old {
    use super::*;

    #[background_job(name = "greet")]
    pub(super) async fn greet(#[inject] program: &Program, to: &str) {
        program.note(&format!("greet {to}"));
    }
}

mod new {
    use super::*;

    /// It has one more parameter than before, which jobs of the older program lack.
    #[background_job(name = "greet")]
    pub(super) async fn greet(
        #[inject] program: &Program,
        to: &str,
        #[serde(default)] language: Option<String>,
    ) {
        drop(language);
        program.note(&format!("greet {to}"));
    }

    /// The older program doesn't know it.
    #[background_job(name = "part", max_attempts = 1)]
    pub(super) async fn part(#[inject] program: &Program, from: &str) {
        program.note(&format!("part {from}"));
    }
}

/// A program that runs, with what its loop told.
struct Running {
    host: RunningHost,
    recorder: Recorder,
}

async fn start(
    queue: &PostgresQueue,
    jobs: Jobs,
    name: &'static str,
    ran: &Ran,
) -> Result<Running, BoxError> {
    let services = Services::builder().singleton(Program { name, ran: ran.clone() }).build()?;
    let recorder = Recorder::with_deadline(Duration::from_secs(60));
    let service = QueueService::new(queue.clone(), jobs).queues(["default"]).observe(recorder.clone());
    let host = Host::builder().services(services).service(service).build()?.start().await?;
    Ok(Running { host, recorder })
}

impl Running {
    async fn completes(&self, id: JobId) {
        let is_it = |event: &Event| matches!(event, Event::Settled { job, transition: Transition::Complete { .. }, .. } if job.id == id);
        self.recorder.wait_for("the job's completion", is_it).await;
    }
}

/// D29: an old worker runs a newer program's jobs if it knows their names, also with additional parameters, and leaves the
/// others to workers that know them; a new worker runs the jobs of an older program.
#[tokio::test(flavor = "multi_thread")]
async fn each_job_of_two_versions_runs_on_a_worker_that_knows_it() -> TestResult {
    let (queue, _, schema) = queue().await?;
    let of_new = PostgresQueue::builder(url()).schema(&schema).connect().await?;
    let ran = Ran::default();
    let old = start(&queue, jobs![old::greet], "old", &ran).await?;

    let greeted = of_new.enqueue(new::greet::new("Ada", Some("en".to_owned()))).await?.id();
    old.completes(greeted).await;
    let parted = of_new.enqueue(new::part::new("Ada")).await?.id();
    let is_left = |event: &Event| matches!(event, Event::Settled { job, .. } if job.id == parted);
    old.recorder.wait_for("the unknown job's settlement", is_left).await;
    let left = queue.get(parted).await?.map(|job| job.state.is_finished());
    assert_eq!(left, Some(false), "the old program has ended a job that it doesn't know");
    let new = start(&of_new, jobs![new::greet, new::part], "new", &ran).await?;
    old.host.stop().await?;
    new.completes(parted).await;
    let late = queue.enqueue(old::greet::new("Bob")).await?.id();
    new.completes(late).await;

    let ran = ran.lock().expect("no holder of the lock panics").clone();
    assert_eq!(ran, ["old: greet Ada", "new: part Ada", "new: greet Bob"]);
    new.host.stop().await?;
    Ok(())
}
