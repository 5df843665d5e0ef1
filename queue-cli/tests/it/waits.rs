//! The verb `wait`.

use std::time::Duration;

use queue_core::{Body, Demand, NewJob, Settlement, StoredResult, Transition};

use crate::fixture::id;
use crate::store::{Store, TestResult, assert_golden, command, on_each_store};

on_each_store!(
    wait_answers_by_the_state_of_the_job,
    wait_ends_when_the_job_ends,
    wait_ends_when_no_job_matches,
);

async fn wait_answers_by_the_state_of_the_job(store: &Store) -> TestResult {
    let transcript = store.transcript(&[
        "wait 00000001 --payload",
        "wait 00000002 --json",
        "wait 00000005 --timeout 10ms",
        "wait 00000009",
        "wait --idle --queue mail --timeout 10ms",
        "wait --idle --queue mail --timeout 10ms --json",
        "wait --idle --queue mail --name build_report --json",
        "wait --idle --queue mial",
        "wait 00000001 --queue mail",
        "wait",
    ]);

    assert_golden("wait", &transcript);
    Ok(())
}

async fn wait_ends_when_the_job_ends(store: &Store) -> TestResult {
    store.queue.push(vec![NewJob::new("charge", Body::stored("{}")).queue("new").id(id(0xf))]).await?;
    let mut command = command();
    let waiting =
        command.args(&store.options).args(["wait", "0000000f", "--payload", "--json", "--timeout", "60s"]);
    let waiting = waiting.stdout(std::process::Stdio::piped()).spawn()?;

    let delivery = store.queue.claim(&Demand::new("new", 1)).await?.remove(0);
    let result = StoredResult::of(&42)?;
    store.queue.settle(vec![Settlement::new(delivery.lease, Transition::complete_with(result))]).await?;

    let output = waiting.wait_with_output()?;
    let line: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((&line["state"], &line["result"]), (&"completed".into(), &42.into()));
    assert!(output.status.success());
    Ok(())
}

async fn wait_ends_when_no_job_matches(store: &Store) -> TestResult {
    store.queue.push(vec![NewJob::new("charge", Body::stored("{}")).queue("new").id(id(0xf))]).await?;
    let mut command = command();
    let waiting =
        command.args(&store.options).args(["wait", "--idle", "--queue", "new", "--timeout", "60s", "--json"]);
    let waiting = waiting.stdout(std::process::Stdio::piped()).spawn()?;

    let delivery = store.queue.claim(&Demand::new("new", 1).wait(Duration::from_secs(30))).await?.remove(0);
    store.queue.settle(vec![Settlement::new(delivery.lease, Transition::complete())]).await?;

    let output = waiting.wait_with_output()?;
    assert_eq!(String::from_utf8(output.stdout)?, "{\"idle\":true,\"job\":null}\n");
    assert!(output.status.success());
    Ok(())
}
