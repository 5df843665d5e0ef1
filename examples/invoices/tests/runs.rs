//! Each job does its work, with retries and backoff.

use std::sync::atomic::Ordering;

use queue_core::{Admin as _, BoxError, QueueExt as _, State};

use super::world::World;
use crate::jobs::{
    bill_order, close_month, import_orders, mail_invoice, notify_customer, render_invoice, send_statement,
};

pub(super) async fn an_order_is_billed_rendered_mailed_and_reported(world: World) -> Result<(), BoxError> {
    let kit = world.kit()?;
    world.place(7, "ada@example.com").await?;
    world.outside.outages.store(2, Ordering::SeqCst);

    let run = kit.run_until_idle().await?; // the mail waits minutes between its attempts

    assert_eq!(run.attempts_of::<mail_invoice>(), 3);
    kit.assert_completed(&bill_order::new(7));
    kit.assert_completed(&render_invoice::new(7));
    kit.assert_completed(&notify_customer::new("ada@example.com", 7));
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
