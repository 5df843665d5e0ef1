//! Tests the limits: each breach names the index, the field, the size and the limit.

use std::time::Duration;

use queue_core::{Body, Limits, NewJob, QueueErrorKind, Unique};

fn job() -> NewJob {
    NewJob::new("job", Body::stored("null"))
}

/// Q2: each breach is `Invalid`, and names the index, the field, the size and the limit.
#[test]
fn each_breach_names_the_index_the_field_and_the_size() {
    let long = "x".repeat(129);
    let table = [
        (NewJob::new("", Body::stored("1")), "`name` is empty"),
        (
            NewJob::new(long.as_str(), Body::stored("1")),
            "`name` has 129 characters, the limit is 128: shorten it",
        ),
        (job().queue("a b"), "`queue` has ' ' in it; allowed are `A-Z a-z 0-9 _ . : -`"),
        (job().queue("größe"), "`queue` has 'ö' in it"),
        (job().max_attempts(0), "`max_attempts` is 0, and must be at least 1"),
        (
            NewJob::new("job", Body::stored("1".repeat(1_048_577))),
            "`payload` has 1048577 bytes, the limit is 1048576: store the data elsewhere and pass a reference",
        ),
        (
            job().meta("key", "v".repeat(16_384)),
            "`meta` has 16387 bytes, the limit is 16384: store the data elsewhere and pass a reference",
        ),
        (job().unique(""), "`unique` has an empty key"),
        (
            job().unique(Unique::new("k".repeat(257)).within(Duration::from_secs(1))),
            "`unique` has a key of 257 bytes, the limit is 256: hash the key",
        ),
    ];
    for (breach, expected) in table {
        let error = Limits::default().check(&[job(), breach]).unwrap_err();

        assert_eq!(error.kind(), QueueErrorKind::Invalid);
        let text = error.to_string();
        assert!(
            text.contains("job 1 of the batch") && text.contains(expected),
            "no {expected:?} in {text:?}"
        );
    }
}

/// Q2: a single job has no index, and a name that is too long is cut.
#[test]
fn the_error_of_a_single_job_has_no_index_and_no_long_name() {
    let long = "x".repeat(300);
    let table = [
        (
            job().queue("a b"),
            "job `job`: `queue` has ' ' in it; allowed are `A-Z a-z 0-9 _ . : -` (queue `a b`)".to_owned(),
        ),
        (
            NewJob::new(long.as_str(), Body::stored("1")),
            format!(
                "job `{}…`: `name` has 300 characters, the limit is 128: shorten it (queue `default`)",
                &long[..64]
            ),
        ),
        (
            job().queue(long.as_str()),
            "job `job`: `queue` has 300 characters, the limit is 128: shorten it".to_owned(),
        ),
    ];
    for (breach, expected) in table {
        assert_eq!(Limits::default().check(&[breach]).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_batch_has_a_limit() {
    let error = Limits::default().check(&vec![job(); 10_001]).unwrap_err();

    assert_eq!(error.to_string(), "the batch has 10001 jobs, the limit is 10000: push it in parts");
}
