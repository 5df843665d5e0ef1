//! Checks every law of durable queues.

mod bank;
mod in_a_schema;
mod operations;
mod replacements;
mod transaction;
mod troubles;
mod versions;

use in_a_schema::InASchema;

queue_conformance::durable_conformance!(async |address: Option<String>| InASchema::at(address));

/// T10, D2: with `synchronous_commit` off, a killed server loses jobs that it has acknowledged, and the suite reports
/// that.
#[test]
fn asynchronous_commits_break_d2() {
    let test = concat!(module_path!(), "::asynchronous_commits_break_d2");
    let store = async |address| InASchema::at(address).without_waiting_for_commits();

    let message = queue_conformance::durable::check(test, "d2", store)
        .expect_err("the store was taken for a right one");

    assert!(message.starts_with("the queue breaks law D2: "), "{message}");
    assert!(
        message.contains("jobs were acknowledged before the server was killed, and are gone"),
        "{message}"
    );
}
