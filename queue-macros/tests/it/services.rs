//! Services are taken from the scope, in order, each in its form.

use std::sync::{Arc, Mutex};

use queue_core::{
    CancellationToken, Exclusive, Job, JobContext, Outcome, OutcomeKind, Queue, Services, background_job,
    jobs,
};

use crate::attempt::perform;

trait Mailer: Send + Sync {
    fn send(&self, to: &str);
}

#[derive(Debug, Default)]
struct Outbox(Mutex<Vec<String>>);

impl Mailer for Outbox {
    fn send(&self, to: &str) {
        self.0.lock().unwrap().push(to.to_owned());
    }
}

impl Outbox {
    fn sent(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A unit of work with the rows written so far.
struct Tx(Vec<u64>);

#[background_job]
#[expect(clippy::too_many_arguments, reason = "every form in one")]
async fn every_form(
    #[inject] mailer: &dyn Mailer,
    #[inject] bounded: &(dyn Mailer + Send),
    to: &str,
    #[inject("replica")] replica: &str,
    #[inject(key = "missing")] missing: Option<&Outbox>,
    #[inject] outbox: Arc<Outbox>,
    #[inject] maybe: Option<Arc<Outbox>>,
    #[inject] there: Option<&Outbox>,
    #[inject] context: &JobContext,
    #[inject] owned_context: JobContext,
    #[inject] token: CancellationToken,
    #[inject] queue: &dyn Queue,
    count: usize,
) -> Result<(), String> {
    mailer.send(to);
    bounded.send(replica);
    assert!(missing.is_none());
    assert_eq!(outbox.sent().len(), count);
    assert!(maybe.is_some() && there.is_some());
    assert_eq!(context.id(), owned_context.id());
    assert!(!token.is_cancelled());
    let nothing = queue.push(Vec::new()).await.map_err(|error| error.to_string())?;
    assert!(nothing.is_empty());
    Ok(())
}

#[background_job]
async fn write(
    #[inject] tx: &mut Tx,
    #[inject] mut again: Exclusive<Vec<u64>>,
    row: u64,
) -> anyhow::Result<()> {
    tx.0.push(row);
    again.push(row);
    tokio::task::yield_now().await;
    anyhow::ensure!(row < 10, "no such row: {row}");
    Ok(())
}

#[background_job(blocking)]
fn write_blocking(#[inject] tx: &mut Tx, #[inject] mailer: &dyn Mailer, rows: Vec<u64>, to: &str) {
    tx.0.extend(rows);
    mailer.send(to);
}

fn outbox() -> (Arc<Outbox>, queue_core::ServicesBuilder) {
    let outbox = Arc::new(Outbox::default());
    let services = Services::builder()
        .singleton_as::<Outbox>(outbox.clone())
        .singleton_as::<dyn Mailer>(outbox.clone())
        .singleton_as::<dyn Mailer + Send>(outbox.clone())
        .keyed("replica")
        .singleton_as::<str>(Arc::from("replica"));
    (outbox, services)
}

/// Registers units of work that record the committed rows.
fn committing(services: queue_core::ServicesBuilder, committed: &Arc<Mutex<Vec<u64>>>) -> Services {
    let committed = committed.clone();
    services
        .unit_of_work(
            async || Ok::<_, String>(Tx(Vec::new())),
            move |tx: Tx, outcome: OutcomeKind| {
                let committed = committed.clone();
                async move {
                    if outcome.is_success() {
                        committed.lock().unwrap().extend(tx.0);
                    }
                    Ok::<_, String>(())
                }
            },
        )
        .unit_of_work(
            async || Ok::<_, String>(Vec::<u64>::new()),
            async |_: Vec<u64>, _: OutcomeKind| Ok::<_, String>(()),
        )
        .build()
        .unwrap()
}

/// M3: each form of a service is passed as the function declares it, beside the payload.
#[tokio::test]
async fn each_form_of_a_service_is_passed_as_the_function_takes_it() {
    let (outbox, services) = outbox();

    let outcome = perform(every_form::new("ada", 2), services.build().unwrap()).await;

    assert_eq!(outcome, Outcome::Success);
    assert_eq!(outbox.sent(), ["ada", "replica"]);
}

/// M4: a job declares its services, each with the parameter's name.
#[test]
fn a_job_says_beforehand_which_services_it_takes() {
    let dependencies = every_form::dependencies();

    let parameters: Vec<_> = dependencies.iter().filter_map(|dependency| dependency.parameter).collect();

    assert_eq!(parameters[..5], ["mailer", "bounded", "replica", "missing", "outbox"]);
    assert_eq!(dependencies.len(), 11);
}

/// H25, M4: a service with a key is missing if it is registered only without one, and `build` reports it.
#[test]
fn a_service_that_is_missing_under_its_key_is_reported() {
    #[background_job]
    async fn read(#[inject("replica")] pool: &u64) {
        let _: u64 = *pool;
    }
    let problems = |services: queue_core::ServicesBuilder| jobs![read].check(&services.build().unwrap());

    let missing = problems(Services::builder().singleton(1_u64));
    let there = problems(Services::builder().keyed("replica").singleton(1_u64));

    assert_eq!((missing.len(), there.len()), (1, 0), "{missing:?} {there:?}");
    assert!(missing[0].to_string().contains("replica"), "{missing:?}");
}

/// M4: a unit of work is borrowed by `&mut`, and ends with the outcome.
#[tokio::test]
async fn a_unit_of_work_is_borrowed_and_ends_with_the_outcome() {
    let committed = Arc::default();
    let services = committing(Services::builder(), &committed);

    let good = perform(write::new(1), services.clone()).await;
    let bad = perform(write::new(11), services).await;

    assert_eq!(good, Outcome::Success);
    let failure = bad.failure().unwrap();
    assert_eq!(failure.message, "no such row: 11");
    assert_eq!(*committed.lock().unwrap(), [1]);
}

/// M4: a blocking job gets its services and its payload on another thread.
#[tokio::test]
async fn a_blocking_job_gets_its_services_and_payload_on_another_thread() {
    let (outbox, services) = outbox();
    let committed = Arc::default();
    let services = committing(services, &committed);

    let outcome = perform(write_blocking::new(vec![1, 2], "ada"), services).await;

    assert_eq!(outcome, Outcome::Success);
    assert_eq!(*committed.lock().unwrap(), [1, 2]);
    assert_eq!(outbox.sent(), ["ada"]);
}

/// M4: a service that can't be created ends the attempt before the function is called.
#[tokio::test]
async fn a_service_that_cannot_be_created_ends_the_attempt() {
    let outcome = perform(every_form::new("ada", 2), Services::builder().build().unwrap()).await;

    assert_eq!(outcome.failure().unwrap().cause, queue_core::FailureCause::Dependency);
}
