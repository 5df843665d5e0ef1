//! The verb `limit`.

use std::time::Duration;

use queue_core::{Body, Demand, Limit, NewJob, Queue as _, QueueLimits};

use crate::store::{Store, TestResult, assert_golden, on_each_store};

on_each_store!(
    limits_are_listed_set_and_taken_back,
    the_usage_of_a_queue_names_its_fullest_partitions,
    a_limit_that_cannot_be_set_is_refused,
);

async fn fill(store: &Store) -> TestResult {
    let limits = QueueLimits::each(Limit::running(1)).and_total(Limit::running(8));
    store.queue.declare_limits(&"webhooks".into(), &limits).await?;
    let call = |tenant: &str| NewJob::new("call", Body::stored("{}")).queue("webhooks").partition(tenant);
    store.queue.push(["acme", "acme", "acme", "zeta"].map(call).into()).await?;
    let demand = Demand::new("webhooks", 1).worker("host/1/queue").wait(Duration::ZERO);
    let claimed = store.queue.claim(&demand).await?;
    assert_eq!(claimed[0].partition.as_str(), "acme");
    Ok(())
}

async fn limits_are_listed_set_and_taken_back(store: &Store) -> TestResult {
    fill(store).await?;

    let transcript = store.transcript(&[
        "limit list webhooks",
        "limit set webhooks --partition acme --running 3 --starts 100 --per 1m --burst 10",
        "limit set webhooks --each --running 2 --weight 5 --json",
        "limit list webhooks",
        "limit list webhooks --json",
        "limit unset webhooks --partition acme",
        "limit unset webhooks --each --json",
        "limit list webhooks",
    ]);

    assert_golden("limit", &transcript);
    Ok(())
}

async fn the_usage_of_a_queue_names_its_fullest_partitions(store: &Store) -> TestResult {
    fill(store).await?;

    let transcript = store.transcript(&[
        "limit usage webhooks",
        "limit usage webhooks --json",
        "limit usage webhooks --partition zeta",
        "limit usage nowhere",
    ]);

    assert_golden("limit_usage", &transcript);
    Ok(())
}

async fn a_limit_that_cannot_be_set_is_refused(store: &Store) -> TestResult {
    fill(store).await?;

    let transcript = store.transcript(&[
        "limit set webhooks",
        "limit set webhooks --starts 5",
        "limit set webhooks --starts 5 --per 1s --burst 6",
        "limit set webhook --running 1",
        "limit set webhooks --each --partition acme --running 1",
        "limit unset webhooks --partition nobody",
        "limit list nowhere",
    ]);

    assert_golden("limit_refused", &transcript);
    Ok(())
}
