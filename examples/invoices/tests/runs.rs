//! Each job does its work, with retries and backoff.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use queue_core::{Admin as _, BoxError, JobId, QueueExt as _, State};

use super::world::World;
use crate::jobs::{
    bill_order, close_month, import_orders, mail_invoice, notify_shop, render_invoice, send_statement,
};
use crate::webhook::Webhook;

pub(super) async fn an_order_is_billed_rendered_mailed_and_reported(world: World) -> Result<(), BoxError> {
    let kit = world.kit()?;
    world.place(7, "ada@example.com").await?;
    world.outside.outages.store(2, Ordering::SeqCst);

    let run = kit.run_until_idle().await?; // the mail waits minutes between its attempts

    assert_eq!(run.attempts_of::<mail_invoice>(), 3);
    kit.assert_completed(&bill_order::new(7));
    kit.assert_completed(&render_invoice::new(7));
    kit.assert_completed(&notify_shop::new(7));
    assert_eq!(world.count("invoices").await?, 1);
    assert_eq!(world.read("invoice-7.txt")?, "invoice 7: 12.50 EUR");
    assert_eq!(world.outside.mails(), ["ada@example.com: invoice 7: 12.50 EUR"]);
    assert_eq!(world.outside.reports(), [7]);
    Ok(())
}

pub(super) async fn an_order_that_is_rolled_back_is_not_billed(world: World) -> Result<(), BoxError> {
    let kit = world.kit()?;
    world.place(7, "ada@example.com").await?;

    let twice = world.place(7, "bob@example.com").await;

    assert!(twice.is_err(), "an order has a number of its own");
    let run = kit.run_until_idle().await?;
    assert_eq!((run.attempts_of::<bill_order>(), world.count("orders").await?), (1, 1));
    Ok(())
}

/// A shop that accepts calls and never answers.
struct Silent;

#[async_trait]
impl Webhook for Silent {
    async fn post(&self, _: JobId, _: i64) -> Result<(), BoxError> {
        std::future::pending().await
    }
}

pub(super) async fn a_shop_that_does_not_answer_is_called_four_times(world: World) -> Result<(), BoxError> {
    // The job waits for a timeout and for nothing else, so its time may jump.
    let kit = world.builder().replace::<dyn Webhook>(Arc::new(Silent)).virtual_time().build()?;
    let began = kit.now();
    let job = kit.queue().enqueue(notify_shop::new(7)).await?.id();

    let run = kit.run_until_idle().await?;

    assert_eq!(run.attempts_of::<notify_shop>(), 4);
    assert_eq!(kit.now().since(began).as_secs(), 4 * 20 + 3 * 5 * 60);
    let job = kit.queue().get(job).await?.expect("the job is kept");
    assert_eq!(job.state, State::Discarded);
    assert!(job.errors.iter().all(|error| error.message.contains("timed out")), "{:?}", job.errors);
    Ok(())
}

/// Calls a shop by HTTP.
struct Http(SocketAddr);

#[async_trait]
impl Webhook for Http {
    async fn post(&self, key: JobId, order: i64) -> Result<(), BoxError> {
        let url = format!("http://{}/invoiced/{order}", self.0);
        let call = reqwest::Client::new().post(url).header("idempotency-key", key.to_string());
        call.send().await?.error_for_status()?;
        Ok(())
    }
}

/// Answers one call with each status.
fn shop(statuses: &'static [&'static str]) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for (status, call) in statuses.iter().zip(listener.incoming()) {
            let mut call = call.expect("a call");
            let mut lines = BufReader::new(&call).lines();
            while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            call.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    Ok(address)
}

pub(super) async fn a_webhook_on_a_real_socket_does_not_time_out(world: World) -> Result<(), BoxError> {
    let address = shop(&["503 Service Unavailable", "204 No Content"])?;
    let kit = world.builder().replace::<dyn Webhook>(Arc::new(Http(address))).build()?;
    let job = kit.queue().enqueue(notify_shop::new(7)).await?.id();

    let run = kit.run_until_idle().await?;

    assert_eq!(run.attempts_of::<notify_shop>(), 2);
    let job = kit.queue().get(job).await?.expect("the job is kept");
    assert_eq!(job.state, State::Completed);
    assert!(job.errors[0].message.contains("503"), "{:?}", job.errors);
    Ok(())
}

/// Returns a file of 25 orders, in which a line may be broken.
pub(super) fn orders(broken: Option<usize>) -> String {
    let line = |number: usize| match broken {
        Some(line) if line == number => "7 items of tea\n".to_owned(),
        _ => format!("{number};customer-{}@example.com;100\n", number % 3),
    };
    (1..=25).map(line).collect()
}

pub(super) async fn an_import_continues_where_it_stopped(world: World) -> Result<(), BoxError> {
    let kit = world.kit()?;
    world.write("orders.csv", &orders(Some(15)))?;
    kit.queue().enqueue(import_orders::new("orders.csv", 0)).await?;
    let run = kit.run_until_idle().await?;
    assert_eq!((run.attempts_of::<import_orders>(), world.count("orders").await?), (2, 10));
    let stopped = kit.jobs().into_iter().find(|job| job.state == State::Discarded).expect("a line is broken");
    assert!(stopped.errors[0].message.contains("line 15 of orders.csv"), "{:?}", stopped.errors);

    world.write("orders.csv", &orders(None))?;
    kit.queue().retry(stopped.id).await?;
    let run = kit.run_until_idle().await?;

    assert_eq!((run.attempts_of::<import_orders>(), world.count("orders").await?), (2, 25));
    Ok(())
}

pub(super) async fn each_customer_gets_one_statement_of_a_month(world: World) -> Result<(), BoxError> {
    let kit = world.kit()?;
    for (order, customer) in [(1, "ada@example.com"), (2, "bob@example.com"), (3, "ada@example.com")] {
        world.place(order, customer).await?;
    }
    kit.run_until_idle().await?.expect_success();
    world.outside.mails.lock().unwrap().clear();
    kit.queue().enqueue(close_month::new("May")).await?;
    kit.queue().enqueue(close_month::new("May")).await?;

    let run = kit.run_until_idle().await?;

    assert_eq!((run.attempts_of::<close_month>(), run.attempts_of::<send_statement>()), (1, 2));
    let mut mails = world.outside.mails();
    mails.sort();
    let text = |customer| format!("{customer}@example.com: your statement of May");
    assert_eq!(mails, ["ada", "bob"].map(text));
    Ok(())
}
