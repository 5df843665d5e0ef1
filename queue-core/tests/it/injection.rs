//! Tests dependency injection (laws S1–S8).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use queue_core::services::{Need, ServiceKey};
use queue_core::{
    Dependency, FailureCause, JobError, Key, Keyed, OutcomeKind, QueueExt as _, Services, State,
    background_job, jobs,
};
use queue_testkit::TestKit;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;
type Log = Mutex<Vec<String>>;

struct Pool;
struct Repo(Arc<Pool>);
struct Counter(u32);
struct Tx(u32);

trait Mailer: Send + Sync {
    fn name(&self) -> &'static str;
}

struct Smtp;
struct Fake;

impl Mailer for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }
}

impl Mailer for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }
}

fn note(log: &Log, text: impl Into<String>) {
    log.lock().unwrap().push(text.into());
}

#[background_job(max_attempts = 1)]
async fn count(#[inject] one: &Counter, #[inject] same: Arc<Counter>, #[inject] log: &Log) {
    note(log, format!("{} {}", one.0, same.0));
}

fn counted(log: &Arc<Log>, services: queue_core::ServicesBuilder) -> queue_testkit::TestKitBuilder {
    TestKit::new(jobs![count]).services(services.singleton_as(log.clone()))
}

/// S1: a singleton is created once, a scoped service once for each attempt, a transient service for each use.
#[test]
fn each_lifetime_creates_the_documented_number_of_instances() -> TestResult {
    let next = || {
        let made = AtomicU32::new(0);
        move || Counter(made.fetch_add(1, Ordering::SeqCst) + 1)
    };
    let later = || {
        let next = next();
        move || {
            let counter = next();
            async { Ok::<_, JobErrorFree>(counter) }
        }
    };
    let table = [
        (Services::builder().singleton_fn(next()), ["1 1", "1 1"]),
        (Services::builder().singleton_with(later()), ["1 1", "1 1"]),
        (Services::builder().scoped_fn(next()), ["1 1", "2 2"]),
        (Services::builder().scoped_with(later()), ["1 1", "2 2"]),
        (Services::builder().transient_fn(next()), ["1 2", "3 4"]),
        (Services::builder().transient_with(later()), ["1 2", "3 4"]),
    ];
    for (services, expected) in table {
        let log = Arc::new(Log::default());
        queue_testkit::block_on(async {
            let kit = counted(&log, services).build()?;
            kit.queue().enqueue_all([count::new(), count::new()]).await?;
            kit.run_until_idle().await?.expect_success();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        })?;
        assert_eq!(*log.lock().unwrap(), expected);
    }
    Ok(())
}

/// S1: concurrent first uses create one singleton.
#[tokio::test]
async fn concurrent_first_uses_make_one_singleton() -> TestResult {
    let made = Arc::new(AtomicU32::new(0));
    let counter = made.clone();
    let services = Services::builder()
        .singleton_with(move || {
            let counter = counter.clone();
            async move {
                tokio::task::yield_now().await;
                counter.fetch_add(1, Ordering::SeqCst);
                Ok::<_, std::io::Error>(Pool)
            }
        })
        .singleton_as(Arc::new(Log::default()))
        .build()?;
    side_by_side::two_closures(services).await;
    assert_eq!(made.load(Ordering::SeqCst), 1);
    Ok(())
}

/// Runs two closures whose polls interleave, over one set of services.
mod side_by_side {
    use queue_core::{
        AttemptRunner, Blocking, BoxFuture, CallScope, Delivery, Environment, Fence, JobId, JobRecord, Lease,
        NewJob, Services, Timestamp, Transition,
    };
    use queue_testkit::ModelQueue;

    use super::*;

    pub(super) async fn two_closures(services: Services) {
        let model = ModelQueue::new();
        let environment = Environment {
            clock: Arc::new(model.clock().clone()),
            blocking: Arc::new(NoThreads),
            observer: None,
            service: None,
        };
        let runner = AttemptRunner::new(jobs![], services, Arc::new(model), &[], environment);
        let [first, second] = [1, 2].map(|user| runner.attempt(delivery(user)));

        let (one, other) = tokio::join!(runner.run(&first), runner.run(&second));

        let ends = [one, other].map(|attempted| attempted.settlement.transition);
        assert_eq!(ends, [Transition::complete(), Transition::complete()]);
    }

    fn delivery(number: u128) -> Delivery {
        let job = NewJob::call(async |scope: CallScope| scope.service::<Pool>().await.map(drop));
        let record = JobRecord::new(JobId::from_u128(number), job.name, job.body);
        let lease = Lease::new(record.id, Fence(1), Lease::DEFAULT_LENGTH, Timestamp::MAX);
        Delivery::new(record, lease)
    }

    struct NoThreads;

    impl Blocking for NoThreads {
        fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
            call();
            Box::pin(async {})
        }
    }
}

#[background_job(max_attempts = 2, backoff = fixed("1s"))]
async fn use_repo(#[inject] repo: &Repo, #[inject] log: &Log) {
    let _: &Pool = &repo.0;
    note(log, "used");
}

/// S2, H9: a failed factory fails the attempt with the path of services, and is called again at the next attempt.
#[test]
fn a_failed_factory_names_its_path_and_is_retried() -> TestResult {
    let log = Arc::new(Log::default());
    let outages = AtomicU32::new(1);
    let services = Services::builder()
        .singleton_as(log.clone())
        .singleton_with(move || {
            let is_down =
                outages.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            async move { if is_down { Err("connection refused") } else { Ok(Pool) } }
        })
        .scoped_fn(Repo);
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![use_repo]).services(services).build()?;
        kit.queue().enqueue(use_repo::new()).await?;

        let run = kit.run_until_idle().await?;

        let failure = run.failures().next().unwrap().outcome.failure().unwrap();
        assert_eq!(failure.cause, FailureCause::Dependency);
        assert_eq!(failure.message, "use_repo → Repo → Pool: connection refused");
        kit.assert_completed(&use_repo::new());
        Ok(())
    })
}

#[background_job(max_attempts = 1)]
async fn write(
    #[inject] tx: &mut Tx,
    #[inject] counter: &Counter,
    #[inject] log: &Log,
    how: &str,
) -> Result<(), JobError> {
    tx.0 += counter.0;
    note(log, format!("wrote {}", tx.0));
    match how {
        "fail" => Err("no".into()),
        "panic" => panic!("no"),
        _ => Ok(()),
    }
}

fn transactional(log: &Arc<Log>, commit: Result<(), &'static str>) -> TestKit {
    let (ended, disposed, began) = (log.clone(), log.clone(), log.clone());
    let services = Services::builder()
        .singleton_as(log.clone())
        .scoped_fn(|| Counter(5))
        .dispose(move |_: Arc<Counter>, outcome: OutcomeKind| {
            note(&disposed, format!("counter: {outcome:?}"));
            async { Ok::<(), JobErrorFree>(()) }
        })
        .unit_of_work(
            move || {
                note(&began, "began");
                async { Ok::<_, JobErrorFree>(Tx(1)) }
            },
            move |tx: Tx, outcome: OutcomeKind| {
                note(&ended, format!("tx {}: {outcome:?}", tx.0));
                async move { commit }
            },
        );
    TestKit::new(jobs![write]).services(services).build().unwrap()
}

type JobErrorFree = std::convert::Infallible;

/// S3, S6, H6: the unit of work ends with the outcome, and services are disposed in reverse order of creation.
#[test]
fn a_scope_is_disposed_in_reverse_order_with_the_outcome() -> TestResult {
    let table = [("succeed", "Success"), ("fail", "Failure"), ("panic", "Failure")];
    for (how, told) in table {
        let log = Arc::new(Log::default());
        queue_testkit::block_on(async {
            let kit = transactional(&log, Ok(()));
            kit.queue().enqueue(write::new(how)).await?;
            kit.run_until_idle().await.map(drop)?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        })?;
        let expected =
            ["began".to_owned(), "wrote 6".into(), format!("counter: {told}"), format!("tx 6: {told}")];
        assert_eq!(*log.lock().unwrap(), expected, "{how}");
    }
    Ok(())
}

/// H6: a failed commit fails the attempt.
#[test]
fn a_failed_commit_fails_the_attempt() -> TestResult {
    queue_testkit::block_on(async {
        let log = Arc::new(Log::default());
        let kit = transactional(&log, Err("disk full"));
        kit.queue().enqueue(write::new("succeed")).await?;

        let run = kit.run_until_idle().await?;

        let failure = run.attempts()[0].outcome.failure().unwrap();
        assert_eq!(failure.cause, FailureCause::Disposal);
        assert_eq!(failure.message, "could not end Tx: disk full");
        assert_eq!(kit.jobs()[0].state, State::Discarded);
        Ok(())
    })
}

/// S3, H2: a disposal that panics does not prevent others from being disposed.
#[test]
fn every_service_is_disposed_even_if_one_panics() -> TestResult {
    let log = Arc::new(Log::default());
    let last = log.clone();
    let services = Services::builder()
        .singleton_as(log.clone())
        .singleton(Pool)
        .scoped_fn(Repo)
        .dispose(move |_: Arc<Repo>, outcome: OutcomeKind| {
            note(&last, format!("repo: {outcome:?}"));
            async { Ok::<(), JobErrorFree>(()) }
        })
        .scoped_fn(|_: Arc<Repo>| Counter(1))
        .dispose(async |_: Arc<Counter>, _: OutcomeKind| -> Result<(), JobErrorFree> {
            panic!("won't close")
        });
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![count]).services(services).build()?;
        kit.queue().enqueue(count::new()).await?;

        let run = kit.run_until_idle().await?;

        assert_eq!(
            run.attempts()[0].outcome.failure().unwrap().message,
            "could not end Counter: panicked: won't close"
        );
        assert_eq!(*log.lock().unwrap(), ["1 1", "repo: Failure"]);
        Ok(())
    })
}

#[background_job]
async fn send(#[inject] mailer: &dyn Mailer, #[inject] log: &Log, #[inject] none: Option<&Counter>) {
    note(log, format!("{} {}", mailer.name(), none.is_none()));
}

/// S5, S8: injects a trait object, an optional service, and a test's replacement of an application's service.
#[test]
fn a_test_may_replace_a_registration() -> TestResult {
    let log = Arc::new(Log::default());
    let application =
        || Services::builder().singleton_as::<dyn Mailer>(Arc::new(Smtp)).singleton_as(log.clone());
    queue_testkit::block_on(async {
        let real = TestKit::new(jobs![send]).services(application()).build()?;
        let fake = TestKit::new(jobs![send])
            .services(application())
            .replace::<dyn Mailer>(Arc::new(Fake))
            .build()?;
        for kit in [real, fake] {
            kit.queue().enqueue(send::new()).await?;
            kit.run_until_idle().await?.expect_success();
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    })?;
    assert_eq!(*log.lock().unwrap(), ["smtp true", "fake true"]);
    Ok(())
}

struct Replica;

impl Key for Replica {
    const KEY: &'static str = "replica";
}

#[background_job]
async fn read(
    #[inject("replica")] there: &Counter,
    #[inject] here: &Counter,
    #[inject] sum: &u64,
    #[inject] log: &Log,
) {
    note(log, format!("{} {} {sum}", there.0, here.0));
}

/// S5: keys distinguish services of one type, in jobs and in factories, and a service may have a second type.
#[test]
fn keys_distinguish_services_of_one_type() -> TestResult {
    let log = Arc::new(Log::default());
    let services = Services::builder()
        .singleton(Counter(1))
        .keyed("replica")
        .singleton(Counter(2))
        .scoped_fn(|here: Arc<Counter>, there: Keyed<Replica, Counter>| u64::from(here.0 + there.0))
        .singleton_fn(|| Smtp)
        .also_as(|smtp: Arc<Smtp>| smtp as Arc<dyn Mailer>)
        .singleton_as(log.clone());
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![read, send]).services(services).build()?;
        kit.queue().enqueue(read::new()).await?;
        kit.queue().enqueue(send::new()).await?;
        kit.run_until_idle().await?.expect_success();
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    })?;
    assert_eq!(*log.lock().unwrap(), ["2 1 3", "smtp false"]);
    Ok(())
}

#[background_job]
async fn needs_much(#[inject] mailer: &dyn Mailer, #[inject] tx: &mut Tx, #[inject] repo: &Repo) {
    let _ = (mailer.name(), tx.0, &repo.0);
}

/// S4, H25: all problems are listed together, with their paths and the nearest names.
#[test]
fn every_problem_of_the_graph_is_listed_at_once() {
    struct A;
    struct B;
    const HERE: &str = file!();
    let first = line!() + 2;
    let error = Services::builder()
        .singleton(Smtp)
        .singleton(Smtp)
        .scoped_fn(|_: Arc<B>| A)
        .scoped_fn(|_: Arc<A>| B)
        .scoped_fn(|| Counter(1))
        .transient_fn(|_: Arc<Counter>| 1_u8)
        .singleton_fn(|_: Arc<u8>| 1_u16)
        .scoped_fn(|_: Arc<Repo>| 1_u32)
        .replace::<dyn Mailer>(Arc::new(Fake))
        .build()
        .unwrap_err();

    assert_eq!(error.problems().len(), 5, "{error}");
    let text = error.to_string();
    for expected in [
        "5 problems found before the start:",
        &format!("`replace` at {HERE}:{} found no `dyn Mailer` to replace", first + 8),
        "(registered: `A`, `B`, `Counter`, `Smtp`, `u16`, `u32`, `u8`): register it first, or drop the `replace`",
        &format!("`Smtp` is registered twice, at {HERE}:{first} and at {HERE}:{}: remove one", first + 1),
        "dependency cycle: A → B → A",
        "the singleton `u16` would hold `Counter`, which lives for one attempt: u16 → u8 → Counter: register `u16` as scoped",
        "`u32` needs `Repo`, which nothing provides: u32 → Repo (registered: `A`, `B`, `Counter`, `Smtp`, `u16`, `u32`, `u8`): \
         register it with `.singleton(..)`",
    ] {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
}

/// S4, S6: missing services of jobs are reported with the nearest registered name, before anything runs.
#[test]
fn missing_services_are_reported_before_jobs_run() {
    let error = TestKit::new(jobs![needs_much])
        .singleton(Tx(1))
        .singleton(Smtp)
        .singleton_as::<dyn std::any::Any + Send + Sync>(Arc::new(1))
        .build()
        .unwrap_err();

    let text = error.to_string();
    for expected in [
        "job `needs_much` needs `dyn Mailer` (parameter `mailer`), which nothing provides: needs_much → dyn Mailer \
         (registered: `Smtp`, `Tx`, `dyn Any + Send + Sync`): register it with `.singleton_as::<dyn Mailer>(Arc::new(..))`",
        "job `needs_much` takes `Tx` by `&mut` (parameter `tx`), but it is not registered as a `unit_of_work`: take it by `&`",
        "job `needs_much` needs `Repo` (parameter `repo`)",
    ] {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    let near = TestKit::new(jobs![send])
        .singleton_as::<Log>(Arc::default())
        .singleton_as::<dyn MailerX>(Arc::new(Smtp))
        .build()
        .unwrap_err();
    assert!(near.to_string().contains("(the nearest that is registered: `dyn MailerX`)"), "{near}");
    let keyed = TestKit::new(jobs![read]).singleton(Counter(1)).singleton(1_u64).singleton(Log::default());
    let keyed = keyed.build().unwrap_err();
    let said =
        "(the nearest that is registered: `Counter`): register it with `.keyed(\"replica\").singleton(..)`";
    assert!(keyed.to_string().contains(said), "{keyed}");
    let unit = Services::builder().build().map(|services| services.check("write", &[needs_tx()]));
    assert_eq!(
        unit.unwrap()[0].to_string(),
        "job `write` needs `Tx`, which nothing provides: write → Tx: register it with `.unit_of_work(begin, end)`, or if it is a \
         queue's with `.unit_of_work(queue.unit_of_work(), Tx::end)`"
    );
}

fn needs_tx() -> Dependency {
    Dependency::new(ServiceKey::of::<Tx>(None), Need::Exclusive)
}

/// S4: both places of a duplicate registration are lines of the test, through the kit's builder too.
#[test]
fn a_duplicate_registration_names_both_lines() {
    let first = line!() + 1;
    let kit = TestKit::new(jobs![send]).singleton(Smtp).singleton_as(Arc::new(Log::default()));
    let error = kit.singleton(Smtp).build().unwrap_err();

    let places = format!("at {0}:{first} and at {0}:{1}", file!(), first + 1);
    assert!(error.to_string().contains(&places), "no {places} in:\n{error}");
}

trait MailerX: Send + Sync {}

impl MailerX for Smtp {}

/// M9: a duplicate name, aliases included, is reported before the start.
#[test]
fn a_duplicate_job_name_is_a_problem() {
    #[background_job(name = "count_again", alias = "count")]
    async fn count_again() {}

    let log = Arc::new(Log::default());
    let error = counted(&log, Services::builder().singleton(Counter(1)))
        .build()
        .map(|_| {
            TestKit::new(jobs![count, count_again]).singleton(Counter(1)).singleton_as(log.clone()).build()
        })
        .unwrap()
        .unwrap_err();

    assert!(error.to_string().contains("the job name `count` is taken twice"), "{error}");
}
