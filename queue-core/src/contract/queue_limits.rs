//! The limits of a queue: those that a program declares, and those that operators set instead.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::contract::error::QueueError;
use crate::contract::limit::{Limit, LimitScope};
use crate::contract::limits::check_partition;
use crate::contract::partition::Partition;

/// The limits that a program declares for a queue: see [`Queue::declare_limits`](crate::Queue::declare_limits).
///
/// ```
/// use queue_core::{Limit, QueueLimits};
/// use std::time::Duration;
///
/// // At most 50 at once in all, at most 4 of each customer, and 8 of the customer `acme`.
/// let limits = QueueLimits::total(Limit::running(50)).and_each(Limit::running(4)).and_partition("acme", Limit::running(8));
/// // Five starts a second for each tenant.
/// let polite = QueueLimits::each(Limit::starts(5, Duration::from_secs(1)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueueLimits(BTreeMap<LimitScope, Limit>);

impl QueueLimits {
    /// Creates an empty list. Declaring it removes the declared limits of the queue.
    #[must_use]
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Creates a list with the limit of the queue as a whole.
    #[must_use]
    pub fn total(limit: Limit) -> Self {
        Self::none().and_total(limit)
    }

    /// Creates a list with the limit of each partition.
    #[must_use]
    pub fn each(limit: Limit) -> Self {
        Self::none().and_each(limit)
    }

    /// Creates a list with the limit of one partition.
    #[must_use]
    pub fn partition(partition: impl Into<Partition>, limit: Limit) -> Self {
        Self::none().and_partition(partition, limit)
    }

    /// Sets the limit of the queue as a whole.
    #[must_use]
    pub fn and_total(self, limit: Limit) -> Self {
        self.and(LimitScope::Total, limit)
    }

    /// Sets the limit of each partition that has none of its own.
    #[must_use]
    pub fn and_each(self, limit: Limit) -> Self {
        self.and(LimitScope::Each, limit)
    }

    /// Sets the limit of one partition, which replaces that of each.
    #[must_use]
    pub fn and_partition(self, partition: impl Into<Partition>, limit: Limit) -> Self {
        self.and(LimitScope::One(partition.into()), limit)
    }

    /// Sets the limit of a scope.
    #[must_use]
    pub fn and(mut self, scope: LimitScope, limit: Limit) -> Self {
        self.0.insert(scope, limit);
        self
    }

    /// Returns the limits with their scopes: the queue first, then each, then the partitions by name.
    pub fn iter(&self) -> impl Iterator<Item = (&LimitScope, &Limit)> {
        self.0.iter()
    }

    /// Returns whether there is no limit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks each limit and the names of the partitions.
    ///
    /// # Errors
    ///
    /// `Invalid`, with the scope, the field, its value and the allowed values.
    pub fn check(&self) -> Result<(), QueueError> {
        self.0.iter().try_for_each(|(scope, limit)| check_limit(scope, limit))
    }
}

/// Checks one limit and the name of its partition, for [`Admin::set_limit`](crate::Admin::set_limit).
///
/// # Errors
///
/// `Invalid`, with the scope, the field, its value and the allowed values.
pub fn check_limit(scope: &LimitScope, limit: &Limit) -> Result<(), QueueError> {
    if let LimitScope::One(partition) = scope {
        check_partition(partition)
            .map_err(|text| QueueError::invalid(format!("the limit of a partition: {text}")))?;
    }
    limit.check().map_err(|error| QueueError::invalid(format!("the limit of {scope}: {error}")))
}

/// A limit of a queue as it is stored: what programs declare, and what an operator has set instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitRecord {
    /// The part of the queue that it binds.
    pub scope: LimitScope,
    /// The limit that a program has declared last.
    pub declared: Option<Limit>,
    /// The limit that an operator has set. It is in force instead of the declared one until it is taken back.
    pub set: Option<Limit>,
}

impl LimitRecord {
    /// Creates the record of a scope.
    #[must_use]
    pub const fn new(scope: LimitScope, declared: Option<Limit>, set: Option<Limit>) -> Self {
        Self { scope, declared, set }
    }

    /// Returns the limit that is in force.
    #[must_use]
    pub fn in_force(&self) -> Option<Limit> {
        self.set.or(self.declared)
    }
}

/// The limits of one queue, as a backend keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredLimits(BTreeMap<LimitScope, (Option<Limit>, Option<Limit>)>);

impl StoredLimits {
    /// Replaces the declared limits.
    pub fn declare(&mut self, limits: &QueueLimits) {
        for (declared, _) in self.0.values_mut() {
            *declared = None;
        }
        for (scope, limit) in limits.iter() {
            self.0.entry(scope.clone()).or_default().0 = Some(*limit);
        }
        self.remove_unused();
    }

    /// Sets the limit of an operator, or takes it back.
    pub fn set(&mut self, scope: LimitScope, limit: Option<Limit>) {
        self.0.entry(scope).or_default().1 = limit;
        self.remove_unused();
    }

    /// Adds a record that was stored.
    pub fn add(&mut self, record: LimitRecord) {
        self.0.insert(record.scope, (record.declared, record.set));
    }

    /// Returns all limits, the queue's first, then that of each, then those of partitions by name.
    #[must_use]
    pub fn records(&self) -> Vec<LimitRecord> {
        let record = |(scope, (declared, set)): (&LimitScope, &(_, _))| {
            LimitRecord::new(scope.clone(), *declared, *set)
        };
        self.0.iter().map(record).collect()
    }

    /// Returns whether there is no limit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the limit in force of the queue as a whole.
    #[must_use]
    pub fn total(&self) -> Limit {
        self.in_force(&LimitScope::Total).unwrap_or(Limit::NONE)
    }

    /// Returns the limit in force of a partition: its own, otherwise that of each.
    #[must_use]
    pub fn of(&self, partition: &Partition) -> Limit {
        let own = self.in_force(&LimitScope::One(partition.clone()));
        own.or_else(|| self.in_force(&LimitScope::Each)).unwrap_or(Limit::NONE)
    }

    fn in_force(&self, scope: &LimitScope) -> Option<Limit> {
        self.0.get(scope).and_then(|(declared, set)| set.or(*declared))
    }

    fn remove_unused(&mut self) {
        self.0.retain(|_, (declared, set)| declared.is_some() || set.is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_that_an_operator_has_set_is_in_force_until_it_is_taken_back() {
        let mut limits = StoredLimits::default();
        limits.declare(&QueueLimits::each(Limit::running(4)).and_partition("acme", Limit::running(8)));
        limits.set(LimitScope::Each, Some(Limit::running(2)));
        limits.declare(&QueueLimits::each(Limit::running(5)));

        assert_eq!(
            limits.of(&Partition::new("acme")),
            Limit::running(2),
            "its own limit is not declared any more"
        );
        limits.set(LimitScope::Each, None);
        assert_eq!(limits.of(&Partition::NONE), Limit::running(5));
        assert_eq!(limits.total(), Limit::NONE);
        limits.declare(&QueueLimits::none());
        assert!(limits.is_empty());
    }
}
