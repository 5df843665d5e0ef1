//! Which job has which identity.

use std::collections::HashMap;

use super::Slot;
use crate::job::JobId;

/// Finds jobs by identity.
///
/// An identity that the table makes itself names the job's slot, so that finding it is an index rather than a hash:
/// with millions of jobs that is the difference between touching one cache line and touching three.
/// Identities that callers chose are looked up in a map.
#[derive(Debug)]
pub(super) struct Identities {
    seed: u64,
    chosen: HashMap<JobId, Slot>,
}

impl Identities {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, chosen: HashMap::new() }
    }

    /// Makes the identity of the job with this place in push order: a UUID of version 8 that sorts by it.
    pub(super) fn mint(&self, sequence: u64, slot: Slot) -> JobId {
        const VERSION: u128 = 8 << 76;
        const VARIANT: u128 = 2 << 62;
        let time = u128::from(sequence & 0xffff_ffff_ffff) << 80;
        let high = u128::from(self.seed & 0xfff) << 64;
        let low = u128::from(slot) << 30 | u128::from((self.seed >> 12) & 0x3fff_ffff);
        JobId::from_u128(time | VERSION | high | VARIANT | low)
    }

    /// Finds a job; `id_at` tells which identity, if any, is at a slot.
    pub(super) fn find(&self, id: JobId, id_at: impl Fn(Slot) -> Option<JobId>) -> Option<Slot> {
        let named = u32::try_from(id.as_u128() >> 30 & 0xffff_ffff).ok()?;
        if id_at(named) == Some(id) {
            return Some(named);
        }
        self.chosen.get(&id).copied()
    }

    pub(super) fn choose(&mut self, id: JobId, slot: Slot) {
        self.chosen.insert(id, slot);
    }

    pub(super) fn give_memory_back(&mut self) {
        self.chosen.shrink_to_fit();
    }

    pub(super) fn forget(&mut self, id: JobId) {
        if !self.chosen.is_empty() {
            self.chosen.remove(&id);
        }
    }
}
