//! The identities of jobs.

use std::collections::HashMap;

use super::Slot;
use crate::contract::id::JobId;

/// Finds jobs by identity.
///
/// An identity that the table creates contains the job's slot, so finding the job takes an index access, not a hash lookup.
/// With millions of jobs, that touches one cache line instead of three.
/// Identities that callers chose are stored in a map.
#[derive(Debug)]
pub(super) struct IdMap {
    seed: u64,
    chosen: HashMap<JobId, Slot>,
}

impl IdMap {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, chosen: HashMap::new() }
    }

    /// Creates the identity of the job with this number in push order: a UUID of version 8 that sorts by the number.
    #[inline]
    pub(super) fn mint(&self, sequence: u64, slot: Slot) -> JobId {
        const VERSION: u128 = 8 << 76;
        const VARIANT: u128 = 2 << 62;
        let time = u128::from(sequence & 0xffff_ffff_ffff) << 80;
        let high = u128::from(self.seed & 0xfff) << 64;
        let low = u128::from(slot.0) << 30 | u128::from((self.seed >> 12) & 0x3fff_ffff);
        JobId::from_u128(time | VERSION | high | VARIANT | low)
    }

    /// Returns the slot of a job. `id_at` returns the identity at a slot, if there is one.
    #[inline]
    pub(super) fn find(&self, id: JobId, id_at: impl Fn(Slot) -> Option<JobId>) -> Option<Slot> {
        let named = Slot(u32::try_from(id.as_u128() >> 30 & 0xffff_ffff).ok()?);
        if id_at(named) == Some(id) {
            return Some(named);
        }
        self.chosen.get(&id).copied()
    }

    pub(super) fn insert(&mut self, id: JobId, slot: Slot) {
        self.chosen.insert(id, slot);
    }

    pub(super) fn shrink(&mut self) {
        self.chosen.shrink_to_fit();
    }

    #[inline]
    pub(super) fn remove(&mut self, id: JobId) {
        if !self.chosen.is_empty() {
            self.chosen.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::{Uuid, Variant};

    use super::*;

    const SEED: u64 = 0xffff_fdbf_dbfd_babc;

    /// An identity that a table creates is a UUID of version 8: its number in push order, and the seed around its slot.
    #[test]
    fn a_minted_identity_is_a_uuid_of_its_number_its_slot_and_the_seed() {
        let identities = IdMap::new(SEED);

        let id = identities.mint(0x7_0123_4567_89ab, Slot(0x8000_0003));

        let uuid = Uuid::from_u128(id.as_u128());
        assert_eq!((uuid.get_version_num(), uuid.get_variant()), (8, Variant::RFC4122));
        assert_eq!(uuid.to_string(), "01234567-89ab-8abc-a000-0000dbfdbfdb");
    }

    /// Identities sort by their number in push order, independently of their slots.
    #[test]
    fn minted_identities_sort_by_push_order() {
        let identities = IdMap::new(SEED);

        let ids = [(1, 9), (2, 8), (0xffff, 7), (0x1_0000_0000, 0), (0xffff_ffff_ffff, u32::MAX)]
            .map(|(sequence, slot)| identities.mint(sequence, Slot(slot)));

        assert!(ids.is_sorted(), "{ids:?}");
    }

    /// The map of chosen identities releases its memory when the jobs are gone.
    #[test]
    fn memory_of_chosen_identities_is_released() {
        let mut identities = IdMap::new(SEED);
        let ids = || (0..5000).map(JobId::from_u128);
        ids().zip(0..).for_each(|(id, slot)| identities.insert(id, Slot(slot)));

        ids().for_each(|id| identities.remove(id));
        identities.shrink();

        assert_eq!(identities.chosen.capacity(), 0);
    }
}
