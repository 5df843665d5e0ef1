//! Tests the end of services (S3, S7, S8 and H6): every created service is disposed once, and nothing else is disposed.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue_core::{
    BoxFuture, CallScope, FromScope as _, JobContext, NewJob, OutcomeKind, Queue as _, QueueExt as _,
    ServiceError, Services, background_job, jobs,
};
use queue_testkit::TestKit;
use tokio::sync::Notify;

use crate::scopes;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// The disposed services, in order.
#[derive(Clone, Default)]
struct Disposed(Arc<Mutex<Vec<String>>>);

impl Disposed {
    /// Returns a disposal that records the service's name and the outcome.
    fn noting<T: ?Sized + Send + Sync + 'static>(
        &self,
        name: &'static str,
    ) -> impl Fn(Arc<T>, OutcomeKind) -> BoxFuture<'static, Result<(), Infallible>> + Send + Sync + 'static + use<T>
    {
        let disposed = self.clone();
        move |_, outcome| {
            disposed.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{name}: {outcome:?}"));
            Box::pin(async { Ok(()) })
        }
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Pool;
struct Settings;
struct Store(Arc<Settings>);
struct Slow(JobContext);

#[background_job(max_attempts = 1)]
async fn use_pool(#[inject] pool: &Pool) {
    let _: &Pool = pool;
}

#[background_job(max_attempts = 1)]
async fn write_slowly(#[inject] slow: &mut Slow) {
    let _: &mut Slow = slow;
}

/// H6: a commit has no time limit, unless the attempt is aborted.
#[test]
fn a_long_commit_is_awaited() -> TestResult {
    queue_testkit::block_on(async {
        let services = Services::builder().unit_of_work(
            async |context: JobContext| Ok::<_, Infallible>(Slow(context)),
            async |slow: Slow, _: OutcomeKind| {
                slow.0.sleep(Duration::from_secs(60)).await; // virtual
                Ok::<_, Infallible>(())
            },
        );
        let kit = TestKit::new(jobs![write_slowly]).services(services).build()?;
        kit.queue().enqueue(write_slowly::new()).await?;

        let run = kit.run_until_idle().await?;

        run.expect_success();
        let attempt = &run.attempts()[0];
        assert_eq!(attempt.ended_at.since(attempt.started_at), Duration::from_secs(60));
        Ok(())
    })
}

/// S3, S7: a service whose creation outlasts its attempt is disposed at once, and no job gets it.
#[test]
fn a_service_created_after_the_end_of_its_attempt_is_disposed() -> TestResult {
    queue_testkit::block_on(async {
        type Late = Arc<Mutex<Option<BoxFuture<'static, Result<Arc<Pool>, ServiceError>>>>>;
        let (disposed, gate, late) = (Disposed::default(), Arc::new(Notify::new()), Late::default());
        let opened = gate.clone();
        let services = Services::builder()
            .scoped_with(move || {
                let gate = gate.clone();
                async move {
                    gate.notified().await;
                    Ok::<_, Infallible>(Pool)
                }
            })
            .dispose(disposed.noting::<Pool>("pool"));
        let kit = TestKit::new(jobs![]).services(services).build()?;
        let kept = late.clone();
        let call = NewJob::call(async move |scope: CallScope| {
            let mut making: BoxFuture<'static, _> = Box::pin(async move { scope.service::<Pool>().await });
            assert!(futures_util::poll!(making.as_mut()).is_pending());
            *kept.lock().unwrap() = Some(making);
        });
        kit.queue().push(vec![call]).await?;
        kit.run_until_idle().await?.expect_success();

        opened.notify_one();
        let making = late.lock().unwrap().take().unwrap();
        let made = making.await;

        assert!(made.is_err_and(|error| error.to_string().contains("the attempt has ended")));
        assert_eq!(disposed.all(), ["pool: Failure"]);
        Ok(())
    })
}

/// S2, S3: dependencies that were created for a failed singleton are disposed.
#[test]
fn the_dependencies_of_a_failed_singleton_are_disposed() -> TestResult {
    queue_testkit::block_on(async {
        let disposed = Disposed::default();
        let services = Services::builder()
            .transient_fn(|| Settings)
            .dispose(disposed.noting::<Settings>("settings"))
            .singleton_with(async |_: Arc<Settings>| Err::<Pool, _>("connection refused"));
        let kit = TestKit::new(jobs![use_pool]).services(services).build()?;
        kit.queue().enqueue(use_pool::new()).await?;

        let run = kit.run_until_idle().await?;

        assert_eq!(run.failures().count(), 1);
        assert_eq!(disposed.all(), ["settings: Failure"]);
        Ok(())
    })
}

/// S3: dependencies that were created for a singleton live as long as it does, and they are disposed in reverse order.
#[tokio::test]
async fn a_singleton_is_disposed_with_its_dependencies() -> TestResult {
    let disposed = Disposed::default();
    let services = Services::builder()
        .transient_fn(|| Settings)
        .dispose(disposed.noting::<Settings>("settings"))
        .singleton_fn(Store)
        .dispose(disposed.noting::<Store>("store"))
        .build()?;
    let scope = scopes::open(services.clone(), use_pool::new());
    let _: &Settings = &Arc::<Store>::from_scope(&scope, None).await?.0;

    let closed = scope.close(OutcomeKind::Success).await;
    assert!(closed.is_ok() && disposed.all().is_empty(), "it outlives the attempt that asked for it first");
    let ended = services.dispose().await;

    assert!(ended.is_ok());
    assert_eq!(disposed.all(), ["store: Success", "settings: Success"]);
    Ok(())
}

/// S8: a test's replacement of a service belongs to the test: the disposal of the replaced service does not apply to it.
/// Other services are disposed as before.
#[tokio::test]
async fn a_replacement_is_not_disposed_by_the_replaced_disposal() -> TestResult {
    let disposed = Disposed::default();
    let services = Services::builder()
        .singleton(Settings)
        .dispose(disposed.noting::<Settings>("settings"))
        .singleton_fn(Store)
        .dispose(disposed.noting::<Store>("store"))
        .replace::<Settings>(Arc::new(Settings))
        .build()?;
    let scope = scopes::open(services.clone(), use_pool::new());
    Arc::<Store>::from_scope(&scope, None).await?;

    let ended = services.dispose().await;

    assert!(ended.is_ok());
    assert_eq!(disposed.all(), ["store: Success"]);
    Ok(())
}

/// S3: singletons are disposed in reverse order, all of them even if one fails, and every failure is reported.
#[test]
fn every_singleton_is_disposed_even_if_one_fails() -> TestResult {
    queue_testkit::block_on(async {
        let disposed = Disposed::default();
        let services = Services::builder()
            .singleton(Pool)
            .dispose(disposed.noting::<Pool>("pool"))
            .singleton(Settings)
            .dispose(async |_: Arc<Settings>, _: OutcomeKind| Err("disk full"))
            .build()?;

        let errors = services.dispose().await.unwrap_err();

        assert_eq!(
            errors.iter().map(|error| queue_core::backend::error_chain(error)).collect::<Vec<_>>(),
            ["Settings: disk full"]
        );
        assert_eq!(disposed.all(), ["pool: Success"]);
        Ok(())
    })
}
