//! Holds what `Debug` shows to its use: enough to know the thing by, and nothing of what it carries.

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

/// What performs jobs shows their names and those of the services, and nothing of what they hold.
#[test]
fn what_performs_jobs_shows_their_names() -> TestResult {
    let services = registered().build()?;

    let queue = Arc::new(ModelQueue::new());
    let runner = AttemptRunner::new(jobs![send], services.clone(), queue, &[], scopes::environment());

    assert_eq!(shown(&registered()), r#"ServicesBuilder([Pool, Pool("replica"), Tx])"#);
    assert_eq!(shown(&services), r#"Services(["Pool", "Pool(\"replica\")", "Tx"])"#);
    assert_eq!(shown(&runner), r#"AttemptRunner { jobs: Jobs(["send"]), .. }"#);
    Ok(())
}

/// What an attempt is given shows what it is, and not what is in it.
#[tokio::test]
async fn what_an_attempt_is_given_shows_what_it_is() -> TestResult {
    let scope = scopes::open(registered().build()?, send::new());

    let replica = Keyed::<Replica, Pool>::from_scope(&scope, None).await?;
    let tx = Exclusive::<Tx>::from_scope(&scope, None).await?;

    assert_eq!(shown(&replica), r#"Keyed("replica")"#);
    assert_eq!(shown(&tx), "Exclusive(..)");
    assert_eq!(shown(&scope), r#"Scope { services: Services(["Pool", "Pool(\"replica\")", "Tx"]), .. }"#);
    Ok(())
}

/// What a closure is given shows which attempt it is.
#[test]
fn what_a_closure_is_given_shows_its_attempt() -> TestResult {
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
