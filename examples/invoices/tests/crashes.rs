//! Every job keeps its promise, wherever its worker crashes.

use queue_core::{BoxError, QueueExt as _};
use queue_testkit::{TestKit, crash_everywhere};

use super::runs::orders;
use super::world::World;
use crate::jobs::{close_month, import_orders};

/// Crashes the worker of the jobs that `prepare` enqueues at each point, over a database of each run's own, and checks the
/// result.
async fn crash(
    world: &World,
    prepare: impl AsyncFn(&World, &TestKit) -> Result<(), BoxError>,
    check: impl AsyncFn(&World) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    let explored = crash_everywhere(async || {
        let world = world.another().await?;
        let kit = world.kit()?;
        prepare(&world, &kit).await?;
        Ok((kit, world))
    })
    .check_async(async |(_, world): &(TestKit, World)| check(world).await)
    .await?;
    assert!(explored.crashes > 1, "{explored:?}");
    Ok(())
}

pub(super) async fn from_an_order_to_the_webhook(world: World) -> Result<(), BoxError> {
    let prepare = async |world: &World, _: &TestKit| world.place(7, "ada@example.com").await;
    let check = async |world: &World| {
        assert_eq!(world.count("invoices").await?, 1, "invoices");
        assert_eq!(world.read("invoice-7.txt")?, "invoice 7: 12.50 EUR");
        assert_eq!(world.outside.mails().len(), 1, "mails");
        assert_eq!(world.outside.reports(), [7]);
        Ok(())
    };

    crash(&world, prepare, check).await
}

pub(super) async fn of_an_import(world: World) -> Result<(), BoxError> {
    let prepare = async |world: &World, kit: &TestKit| {
        world.write("orders.csv", &orders(None))?;
        kit.queue().enqueue(import_orders::new("orders.csv", 0)).await?;
        Ok(())
    };

    let check = async |world: &World| {
        assert_eq!(world.count("orders").await?, 25, "orders");
        Ok(())
    };

    crash(&world, prepare, check).await
}

pub(super) async fn of_closing_a_month(world: World) -> Result<(), BoxError> {
    let prepare = async |world: &World, kit: &TestKit| {
        world.add(1, "ada@example.com").await?;
        world.add(2, "bob@example.com").await?;
        kit.queue().enqueue(close_month::new("May")).await?;
        Ok(())
    };
    let check = async |world: &World| {
        assert_eq!(world.count("closed_months").await?, 1, "closed months");
        assert_eq!(world.outside.mails().len(), 2, "mails");
        Ok(())
    };

    crash(&world, prepare, check).await
}
