//! Laws about payloads and meta.

use queue_core::{Body, Meta, NewJob, QueueErrorKind};

use super::harness::QueueHarness;
use super::jobs::{job, json, text};
use crate::law::expect_eq;
use crate::law::expect_refusal;

/// Q6: Payloads are JSON text and come back byte for byte, likewise meta keys and values; what is not JSON is `Invalid`.
pub(super) async fn q6_payloads_and_meta_come_back_byte_for_byte(harness: &QueueHarness) {
    let mebibyte = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    let texts = [
        "null",
        "{}",
        "[]",
        "\"\"",
        "true",
        "0",
        "-0",
        "1.0",
        "1.50e+2",
        "1E400",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
        "{\"b\":1,\"a\":2,\"b\":3}",
        "{ \"spaced\" :\t1 ,\n \"out\": [ ] }",
        "\"\\u0000 a\\u0000b\"",
        "\"\\/ \\u00e9 é \\ud83d\\ude80 🚀\"",
        "\"'; drop table jobs; --\"",
        "\"\u{feff}\u{2028}\u{7f}\"",
        mebibyte.as_str(),
    ];
    let words = [
        ("clé", "ü"),
        ("emoji 🚀", "👩‍👩‍👧"),
        ("", ""),
        ("nul", "a\0b"),
        ("quotes", "\"'\\\n\t"),
        ("json", "{\"a\":1}"),
    ];
    for text in texts {
        let mut new = NewJob::new("work", json(text));
        new.meta = Meta::from_iter(words);
        harness.push_one(new).await;
    }
    let typed = harness.push_one(NewJob::new("work", Body::typed((1, "two")))).await;
    expect_eq!(
        text(&harness.get(typed).await.body),
        "[1,\"two\"]",
        "a typed payload comes back as serde writes it"
    );

    for expected in texts {
        let shown = expected.get(..60).unwrap_or(expected);
        let delivery = harness.claim_one().await;
        assert!(
            text(&delivery.body) == expected,
            "the payload {shown} was delivered as {:.80}",
            text(&delivery.body)
        );
        let stored = harness.get(delivery.id()).await;
        assert!(
            text(&stored.body) == expected,
            "the payload {shown} was stored as {:.80}",
            text(&stored.body)
        );
        for meta in [&delivery.meta, &stored.meta] {
            let found: Vec<_> = meta.iter().collect();
            let mut expected = words;
            expected.sort_unstable();
            expect_eq!(found, expected, "meta must come back byte for byte, in order of the keys");
        }
    }
    let broken = Body::json("{\"a\":").map(|_| ());
    expect_refusal(QueueErrorKind::Invalid, "a payload that is cut off", broken);
}

/// Q7: A closure is delivered as a closure, or its push is `Unsupported`, with what to use instead.
pub(super) async fn q7_a_closure_is_delivered_or_refused_with_what_to_use_instead(harness: &QueueHarness) {
    let batch = vec![job(0), NewJob::call(async |_| ())];
    harness.note("a push of a job and a closure");

    match harness.queue().push(batch).await {
        Ok(receipts) => {
            expect_eq!(receipts.len(), 2, "the receipts of a job and a closure");
            let deliveries = harness.claim_up_to(2).await;
            let is_closure: Vec<_> = deliveries.iter().map(|delivery| delivery.body.is_closure()).collect();
            expect_eq!(
                is_closure,
                [false, true],
                "a closure that was accepted must be delivered as a closure"
            );
        }
        error => {
            let error = expect_refusal(QueueErrorKind::Unsupported, "a push of a closure", error).to_string();
            let says = error.contains("#[background_job]");
            assert!(
                says,
                "the error must say what to use instead, a function with `#[background_job]`: {error}"
            );
            expect_eq!(
                harness.total().await,
                0,
                "a batch with a closure that was refused must store nothing"
            );
        }
    }
}
