//! Faults that the test scripts or draws from a seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Fault, FaultSource, Operation};

/// The faults to inject into a queue. Cheap to clone; clones share one script.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    done: BTreeMap<Operation, u32>,
    scripted: BTreeMap<(Operation, u32), Fault>,
    random: Option<(fastrand::Rng, u32)>,
}

impl Faults {
    /// Injects `fault` into the nth call of an operation from now on, counted from 1.
    pub fn on(&self, operation: Operation, nth: u32, fault: Fault) {
        let mut script = self.lock();
        let done = script.done.get(&operation).copied().unwrap_or_default();
        script.scripted.insert((operation, done + nth), fault);
    }

    /// Injects a fault into one of `one_in` calls on average from now on, drawn from the seed. Zero turns this off.
    pub fn randomly(&self, seed: u64, one_in: u32) {
        self.lock().random = (one_in > 0).then(|| (fastrand::Rng::with_seed(seed), one_in));
    }

    /// Counts a call and returns the fault to inject into it.
    pub(crate) fn next_one(&self, operation: Operation) -> Option<Fault> {
        let mut script = self.lock();
        let done = script.done.entry(operation).or_default();
        *done += 1;
        let nth = *done;
        if let Some(fault) = script.scripted.remove(&(operation, nth)) {
            return Some(fault);
        }
        let (random, one_in) = script.random.as_mut()?;
        if random.u32(0..*one_in) > 0 {
            return None;
        }
        random.choice(at_random(operation)).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultSource for Faults {
    fn next(&self, operation: Operation) -> Vec<Fault> {
        self.next_one(operation).into_iter().collect()
    }
}

/// Returns the faults that may be drawn at random for an operation.
const fn at_random(operation: Operation) -> &'static [Fault] {
    use Fault::{DeliverTwice, FailAfter, FailBefore, LoseLease};
    const SLOW: Fault = Fault::Delay(Duration::from_millis(20));
    match operation {
        Operation::Push => &[FailBefore, FailAfter, SLOW],
        Operation::Claim => &[FailBefore, FailAfter, SLOW, DeliverTwice, LoseLease],
        Operation::Renew | Operation::Settle => &[FailBefore, FailAfter, SLOW, LoseLease],
    }
}
