//! Holds the queue to every law of durable queues.

mod bank;
mod in_a_schema;
mod operations;
mod replacements;
mod transaction;
mod troubles;
mod versions;

use in_a_schema::InASchema;

queue_testkit::durable_conformance!(async |address: Option<String>| InASchema::at(address));

/// T10, D2: a server that answers before it has written what it was given loses that when it's killed, and the suite says
/// so.
#[test]
fn commits_that_are_not_waited_for_break_d2() {
    let test = concat!(module_path!(), "::commits_that_are_not_waited_for_break_d2");
    let store = async |address| InASchema::at(address).without_waiting_for_commits();

    let message =
        queue_testkit::durable::check(test, "d2", store).expect_err("the store was taken for a right one");

    assert!(message.starts_with("the queue breaks law D2: "), "{message}");
    assert!(
        message.contains("jobs were acknowledged before the server was killed, and are gone"),
        "{message}"
    );
}
