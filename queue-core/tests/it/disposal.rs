//! Holds the end of services to law S3, where an attempt alone can't show it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use queue_core::{FromScope as _, OutcomeKind, Services, background_job};

use crate::scopes;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;
type Log = Arc<Mutex<Vec<&'static str>>>;

struct Part;
struct Whole(Arc<Part>);

#[background_job]
async fn work() {}

/// Notes that something was disposed.
fn noting<T>(
    log: &Log,
    what: &'static str,
) -> impl Fn(Arc<T>, OutcomeKind) -> std::future::Ready<Result<(), Infallible>> + Send + Sync + use<T> {
    let log = log.clone();
    move |_, _| {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        std::future::ready(Ok(()))
    }
}

/// S3: what is made for a singleton lives as long as it does, and they are disposed in reverse.
#[tokio::test]
async fn a_singleton_is_disposed_with_what_was_made_for_it() -> TestResult {
    let log = Log::default();
    let services = Services::builder()
        .transient_fn(|| Part)
        .dispose(noting::<Part>(&log, "part"))
        .singleton_fn(Whole)
        .dispose(noting::<Whole>(&log, "whole"))
        .build()?;
    let scope = scopes::open(services.clone(), work::new());
    let _: &Part = &Arc::<Whole>::from_scope(&scope, None).await?.0;

    scope.close(OutcomeKind::Success).await.unwrap();
    assert!(log.lock().unwrap().is_empty(), "it outlives the attempt that asked for it first");
    services.dispose().await.unwrap();

    assert_eq!(*log.lock().unwrap(), ["whole", "part"]);
    Ok(())
}

/// S8: what takes the place of a registration is not disposed as that would have been; the others are as ever.
#[tokio::test]
async fn a_replacement_is_not_disposed_for_what_it_replaces() -> TestResult {
    let log = Log::default();
    let services = Services::builder()
        .singleton(Part)
        .dispose(noting::<Part>(&log, "part"))
        .singleton_fn(Whole)
        .dispose(noting::<Whole>(&log, "whole"))
        .replace(Arc::new(Part))
        .build()?;
    let scope = scopes::open(services.clone(), work::new());
    Arc::<Whole>::from_scope(&scope, None).await?;

    services.dispose().await.unwrap();

    assert_eq!(*log.lock().unwrap(), ["whole"]);
    Ok(())
}
