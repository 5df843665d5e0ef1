//! Tests that `Debug` identifies a value, and shows no data that it carries.

use std::fmt;
use std::sync::Arc;

use queue_core::{
    AttemptRunner, CallScope, Exclusive, FromScope as _, Key, Keyed, NewJob, OutcomeKind, QueueExt as _,
    Services, ServicesBuilder, background_job, jobs,
};
use queue_testkit::{ModelQueue, TestKit};

use crate::scopes;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

struct Pool;
struct Tx;
struct Replica;

impl Key for Replica {
    const KEY: &'static str = "replica";
}

#[background_job]
async fn send() {}

fn registered() -> ServicesBuilder {
    Services::builder().singleton(Pool).keyed("replica").singleton(Pool).unit_of_work(
        async || Ok::<_, std::io::Error>(Tx),
        async |_: Tx, _: OutcomeKind| Ok::<_, std::io::Error>(()),
    )
}

fn shown(thing: &impl fmt::Debug) -> String {
    format!("{thing:?}")
}

/// Types that run jobs show the names of jobs and services, and no data.
#[test]
fn types_that_run_jobs_show_names_only() -> TestResult {
    let services = registered().build()?;

    let queue = Arc::new(ModelQueue::new());
    let runner = AttemptRunner::new(jobs![send], services.clone(), queue, &[], scopes::environment());

    assert_eq!(shown(&registered()), r#"ServicesBuilder([Pool, Pool("replica"), Tx])"#);
    assert_eq!(shown(&services), r#"Services(["Pool", "Pool(\"replica\")", "Tx"])"#);
    assert_eq!(shown(&runner), r#"AttemptRunner { jobs: Jobs(["send"]), .. }"#);
    Ok(())
}

/// Types that an attempt gets show what they are, and no data.
#[tokio::test]
async fn types_that_an_attempt_gets_show_no_data() -> TestResult {
    let scope = scopes::open(registered().build()?, send::new());

    let replica = Keyed::<Replica, Pool>::from_scope(&scope, None).await?;
    let tx = Exclusive::<Tx>::from_scope(&scope, None).await?;

    assert_eq!(shown(&replica), r#"Keyed("replica")"#);
    assert_eq!(shown(&tx), "Exclusive(..)");
    assert_eq!(shown(&scope), r#"Scope { services: Services(["Pool", "Pool(\"replica\")", "Tx"]), .. }"#);
    Ok(())
}

/// The scope of a closure shows its attempt.
#[test]
fn the_scope_of_a_closure_shows_its_attempt() -> TestResult {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![]).build()?;
        let (tell, told) = std::sync::mpsc::channel();
        let job = NewJob::call(async move |scope: CallScope| tell.send((shown(&scope), shown(&*scope))));
        kit.queue().enqueue(job).await?;

        kit.run_until_idle().await?.expect_success();

        let (scope, context) = told.recv()?;
        assert_eq!(scope, format!("CallScope({context})"));
        Ok(())
    })
}

/// Errors that `main` may return show their text with the causes, since `main` prints `Debug`.
#[tokio::test]
async fn errors_of_services_and_payloads_show_their_text() -> TestResult {
    let broken = Services::builder()
        .scoped_with(async || Err::<Pool, _>(std::io::Error::other("no route")))
        .build()?;
    let scope = scopes::open(broken, send::new());

    let service = Arc::<Pool>::from_scope(&scope, None).await.map(drop).unwrap_err();
    let payload = queue_core::Body::stored("\"five\"").decode::<u8>().unwrap_err();

    assert_eq!(shown(&service), "Pool: no route");
    assert_eq!(shown(&payload), payload.to_string());
    Ok(())
}
