//! The calls of the customers' webhooks: timeouts, real sockets, and the limits of each customer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{Admin as _, BoxError, JobId, Queue as _, QueueExt as _, State};
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;

use super::world::World;
use crate::jobs::{notify_customer, webhook_limits};
use crate::webhook::{CallError, Webhook};

const SECOND: Duration = Duration::from_secs(1);

/// A webhook that accepts calls and never answers.
struct Silent;

#[async_trait]
impl Webhook for Silent {
    async fn post(&self, _: JobId, _: &str, _: i64) -> Result<(), CallError> {
        std::future::pending().await
    }
}

pub(super) async fn a_webhook_that_does_not_answer_is_called_four_times(
    world: World,
) -> Result<(), BoxError> {
    // The job waits for a timeout and for nothing else, so its time may jump.
    let kit = world.builder().replace::<dyn Webhook>(Arc::new(Silent)).virtual_time().build()?;
    let began = kit.now();
    let job = kit.queue().enqueue(notify_customer::new("ada", 7)).await?.id();

    let run = kit.run_until_idle().await?;

    assert_eq!(run.attempts_of::<notify_customer>(), 4);
    assert_eq!(kit.now().since(began).as_secs(), 4 * 20 + 3 * 5 * 60);
    let job = kit.queue().get(job).await?.expect("the job is kept");
    assert_eq!(job.state, State::Discarded);
    assert!(job.errors.iter().all(|error| error.message.contains("timed out")), "{:?}", job.errors);
    Ok(())
}

/// Calls webhooks by HTTP. All customers have the same address.
struct Http(SocketAddr);

#[async_trait]
impl Webhook for Http {
    async fn post(&self, key: JobId, customer: &str, order: i64) -> Result<(), CallError> {
        let url = format!("http://{}/{customer}/invoiced/{order}", self.0);
        let call = reqwest::Client::new().post(url).header("idempotency-key", key.to_string());
        let answer = call.send().await.map_err(BoxError::from)?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            let seconds = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
            return Err(CallError::TooManyCalls(Duration::from_secs(seconds.unwrap_or(60))));
        }
        answer.error_for_status().map_err(BoxError::from)?;
        Ok(())
    }
}

/// Answers one call with each status line, to which headers may be added.
fn customers(answers: &'static [&'static str]) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for (answer, call) in answers.iter().zip(listener.incoming()) {
            let mut call = call.expect("a call");
            let mut lines = BufReader::new(&call).lines();
            while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            call.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    Ok(address)
}

pub(super) async fn a_webhook_on_a_real_socket_does_not_time_out(world: World) -> Result<(), BoxError> {
    let address = customers(&["503 Service Unavailable", "204 No Content"])?;
    let kit = world.builder().replace::<dyn Webhook>(Arc::new(Http(address))).build()?;
    let job = kit.queue().enqueue(notify_customer::new("ada", 7)).await?.id();

    let run = kit.run_until_idle().await?;

    assert_eq!(run.attempts_of::<notify_customer>(), 2);
    let job = kit.queue().get(job).await?.expect("the job is kept");
    assert_eq!(job.state, State::Completed);
    assert!(job.errors[0].message.contains("503"), "{:?}", job.errors);
    Ok(())
}

pub(super) async fn no_customer_gets_more_than_five_calls_a_second(world: World) -> Result<(), BoxError> {
    let kit = world.kit()?;
    kit.queue().declare_limits(&"webhooks".into(), &webhook_limits()).await?;
    let began = kit.now();
    kit.queue().enqueue_all((1..=20).map(|order| notify_customer::new("ada", order))).await?;
    kit.queue().enqueue(notify_customer::new("bob", 21)).await?;

    let run = kit.run_until_idle().await?;

    run.expect_success();
    assert_eq!((run.attempts_of::<notify_customer>(), world.outside.reports().len()), (21, 21));
    assert_eq!(run.starts_within("ada", SECOND), 5, "{}", run.trace());
    let bob =
        run.attempts().iter().find(|attempt| attempt.partition.as_str() == "bob").expect("bob was called");
    assert_eq!(bob.started_at.since(began), Duration::ZERO, "he does not wait for the calls of ada");
    Ok(())
}

pub(super) async fn a_customer_who_answers_429_is_left_alone(world: World) -> Result<(), BoxError> {
    const BUSY: &str = "429 Too Many Requests\r\nretry-after: 30";
    let address = customers(&[BUSY, "204 No Content", "204 No Content", "204 No Content"])?;
    let kit = world.builder().replace::<dyn Webhook>(Arc::new(Http(address))).build()?;
    kit.queue().declare_limits(&"webhooks".into(), &webhook_limits()).await?;
    let began = kit.now();
    let calls = [("ada", 1), ("ada", 2), ("bob", 3)];
    kit.queue().enqueue_all(calls.map(|(customer, order)| notify_customer::new(customer, order))).await?;

    let run = kit.run_until_idle().await?;

    let starts = run.attempts().iter().map(|attempt| {
        (attempt.partition.to_string(), attempt.started_at.since(began).as_secs(), attempt.facts.attempt)
    });
    let expected = [("ada", 0, 1), ("bob", 0, 1), ("ada", 30, 1), ("ada", 30, 1)];
    let expected = expected.map(|(customer, at, attempt)| (customer.to_owned(), at, attempt));
    assert_eq!(starts.collect::<Vec<_>>(), expected, "{}", run.trace());
    Ok(())
}
