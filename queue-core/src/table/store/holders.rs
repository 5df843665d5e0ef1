//! Numbers for the workers that hold leases.

use rustc_hash::FxHashMap;

use crate::contract::worker_id::WorkerId;

/// The number of a worker. Zero stands for a claim that named none.
pub(in crate::table) type WorkerNumber = u16;

/// Workers with the number of leases that each holds. A number is used again once its worker holds none.
#[derive(Debug)]
pub(in crate::table) struct Holders {
    holders: Vec<LeaseHolder>,
    numbers: FxHashMap<WorkerId, WorkerNumber>,
}

#[derive(Debug, Default)]
struct LeaseHolder {
    id: Option<WorkerId>,
    leases: usize,
}

/// Up to this number of workers, those that hold no lease keep their numbers.
const KEPT: usize = 64;

impl Default for Holders {
    fn default() -> Self {
        Self { holders: vec![LeaseHolder::default()], numbers: FxHashMap::default() }
    }
}

impl Holders {
    /// Returns the number of a worker, and creates it if it has none. It is valid until the worker holds no lease.
    pub(in crate::table) fn number(&mut self, worker: Option<&WorkerId>) -> WorkerNumber {
        let Some(worker) = worker else { return 0 };
        match self.numbers.get(worker) {
            Some(number) => *number,
            None => self.add(worker.clone()),
        }
    }

    /// Returns the worker of a number.
    pub(in crate::table) fn id(&self, number: WorkerNumber) -> Option<&WorkerId> {
        self.holders.get(usize::from(number))?.id.as_ref()
    }

    /// Changes the number of leases of a worker.
    #[inline]
    pub(super) fn count(&mut self, number: WorkerNumber, change: isize) {
        if let Some(holder) = self.holders.get_mut(usize::from(number)) {
            holder.leases = holder.leases.saturating_add_signed(change);
        }
    }

    fn add(&mut self, worker: WorkerId) -> WorkerNumber {
        let is_free = |holder: &LeaseHolder| holder.id.is_some() && holder.leases == 0;
        let free = if self.holders.len() > KEPT { self.holders.iter().position(is_free) } else { None };
        let place = free.unwrap_or(self.holders.len());
        let Ok(number) = WorkerNumber::try_from(place) else {
            return 0; // 65,535 workers hold leases at once.
        };
        if place == self.holders.len() {
            self.holders.push(LeaseHolder::default());
        }
        if let Some(holder) = self.holders.get_mut(place) {
            if let Some(gone) = holder.id.replace(worker.clone()) {
                self.numbers.remove(&gone);
            }
            self.numbers.insert(worker, number);
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_keeps_its_number_while_it_holds_a_lease_and_numbers_are_used_again() {
        let mut holders = Holders::default();
        let first = holders.number(Some(&"first".into()));
        holders.count(first, 1);

        for number in 0..100_000 {
            let worker = WorkerId::new(format!("worker {number}"));
            let number = holders.number(Some(&worker));
            assert_eq!(holders.id(number), Some(&worker));
        }

        assert_eq!(holders.id(first), Some(&"first".into()));
        assert!(
            holders.holders.len() <= KEPT + 1 && holders.numbers.len() <= KEPT,
            "{}",
            holders.holders.len()
        );
        assert_eq!((holders.number(None), holders.id(0)), (0, None));
    }
}
