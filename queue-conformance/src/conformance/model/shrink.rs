//! Shrinks a failing sequence.

use std::fmt::Write as _;
use std::time::Instant;

use super::Sequence;
use super::compare::{self, Compared, Failure, SHRINK_GUARD};
use super::reused_queue::fresh;
use crate::conformance::factory::FixtureFactory;

/// Describes the shortest failing sequence that was found.
pub(super) async fn shrink(factory: &FixtureFactory, seed: u64, sequence: Sequence, text: String) -> String {
    let began = Instant::now();
    let whole = sequence.len();
    // Run it once more, to learn which call fails.
    let (mut sequence, mut failure) = match run(factory, sequence.clone()).await {
        Err(failure) => (sequence, failure),
        Ok(()) => {
            return format!(
                "{text}\n    seed: {seed}, which passed when it ran again on a fresh queue: the queue is not deterministic"
            );
        }
    };
    sequence.truncate(failure.length);
    let mut chunk = sequence.len() / 2;
    while chunk > 0 && failure.is_quick && began.elapsed() < SHRINK_GUARD {
        match without_a_chunk(factory, &sequence, chunk).await {
            Some((shorter, its_failure)) => (sequence, failure) = (shorter, its_failure),
            None => chunk /= 2,
        }
    }
    render(seed, whole, &failure)
}

/// Returns the sequence without a chunk of this length, if it still fails.
async fn without_a_chunk(
    factory: &FixtureFactory,
    sequence: &Sequence,
    chunk: usize,
) -> Option<(Sequence, Failure)> {
    let mut start = 0;
    while start < sequence.len() {
        let shorter: Sequence =
            sequence.iter().take(start).chain(sequence.iter().skip(start + chunk)).copied().collect();
        if let Err(failure) = run(factory, shorter.clone()).await {
            let mut shorter = shorter;
            shorter.truncate(failure.length);
            return Some((shorter, failure));
        }
        start += chunk;
    }
    None
}

/// Runs a sequence on a fresh queue. Everything is compared, so that a shorter sequence fails, too.
async fn run(factory: &FixtureFactory, sequence: Sequence) -> Result<(), Failure> {
    compare::run(fresh(factory).await, sequence, Compared::Everything).await
}

fn render(seed: u64, whole: usize, failure: &Failure) -> String {
    let mut text =
        format!("{}\n    seed: {seed} (repeat it with `QUEUE_CONFORMANCE_SEED={seed}`)\n", failure.text);
    let calls = &failure.calls;
    if calls.is_empty() {
        return text;
    }
    // Writing to a string can't fail.
    writeln!(text, "   calls: {} are left of {whole}, the last one fails", calls.len()).ok();
    for (number, call) in (1..).zip(calls) {
        writeln!(text, "    {number:>4} {call:?}").ok();
    }
    text
}
