//! Tests problems that are reported before the start (S4, M9 and H25), and the causes in error texts.

use std::fmt;
use std::sync::Arc;

use queue_core::backend::error_chain;
use queue_core::{CancellationToken, JobContext, Services, background_job, jobs};
use queue_testkit::TestKit;

struct Audit;

/// S4: the built-in services of an attempt live as long as the attempt, so a singleton cannot hold them.
#[test]
fn a_singleton_can_not_hold_the_attempt_itself() {
    let error = Services::builder()
        .singleton_fn(|_: JobContext| Audit)
        .singleton_fn(|_: Arc<u8>| 1_u16)
        .transient_fn(|_: CancellationToken| 1_u8)
        .build()
        .map(drop)
        .unwrap_err();

    let text = error.to_string();
    for expected in [
        "2 problems found before the start:",
        "the singleton `Audit` would hold `JobContext`, which lives for one attempt: Audit → JobContext",
        "the singleton `u16` would hold `CancellationToken`, which lives for one attempt: u16 → u8 → CancellationToken",
    ] {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
}

#[background_job]
async fn one() {}

#[background_job(name = "one")]
async fn another_one() {}

#[background_job]
async fn two() {}

/// M9, H25: a duplicate name is a problem in any of several lists, and between them.
#[test]
fn a_duplicate_name_is_found_in_combined_lists() {
    let within = [jobs![two].and(jobs![one, another_one]), jobs![one, another_one].and(jobs![two])];
    let between = jobs![one, two].and(jobs![another_one]);

    for jobs in within.into_iter().chain([between]) {
        let error = TestKit::new(jobs.clone()).build().map(drop).unwrap_err();

        assert!(error.to_string().contains("the job name `one` is taken twice"), "{jobs:?}: {error}");
    }
}

#[derive(Debug)]
struct Failed(&'static str, Option<Box<Self>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

/// H19: a chain has each cause once, also if an error ends with the text of its cause, or contained its words before.
#[test]
fn a_chain_of_errors_has_every_cause() {
    let caused = |text, cause| Failed(text, Some(Box::new(Failed(cause, None))));

    assert_eq!(error_chain(&caused("could not send", "refused")), "could not send: refused");
    assert_eq!(error_chain(&caused("could not send: refused", "refused")), "could not send: refused");
    assert_eq!(error_chain(&caused("time out of 5 s", "time out")), "time out of 5 s: time out");
}
