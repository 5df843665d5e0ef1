//! How the jobs of a queue are divided into partitions, and limited.

use std::fmt;
use std::sync::Arc;

use harness::FLOOD;
use queue_core::{Limit, QueueLimits};
use serde::{Deserialize, Serialize};

/// The partitions and limits of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Sharing {
    /// Jobs without a partition, in a queue without limits.
    Plain,
    /// The same, and a service that claims no more jobs than it can start, as from a queue with limits.
    NotAhead,
    /// Jobs without a partition, in a queue with a limit that it never reaches.
    Total,
    /// Jobs of 100 partitions, each with a limit that 64 workers never reach.
    Hundred,
    /// Jobs of 10,000 partitions, each with a limit.
    TenThousand,
    /// Jobs of 20 small tenants and of one with a flood, in a queue without limits.
    Tenants,
}

impl Sharing {
    /// Returns the number of partitions, without that of a flood.
    fn partitions(self) -> u64 {
        match self {
            Self::Plain | Self::NotAhead | Self::Total => 0,
            Self::Hundred => 100,
            Self::TenThousand => 10_000,
            Self::Tenants => 20,
        }
    }

    /// Returns the limits of the queue.
    pub(crate) fn limits(self) -> QueueLimits {
        match self {
            Self::Plain | Self::NotAhead | Self::Tenants => QueueLimits::none(),
            Self::Total => QueueLimits::total(Limit::running(1_000_000)),
            Self::Hundred => QueueLimits::each(Limit::running(64)),
            Self::TenThousand => QueueLimits::each(Limit::running(4)),
        }
    }
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::NotAhead => "plain, no job prefetched",
            Self::Total => "a limit of the queue",
            Self::Hundred => "100 partitions, 64 at once each",
            Self::TenThousand => "10,000 partitions, 4 at once each",
            Self::Tenants => "a partition for each tenant",
        })
    }
}

/// The names of the partitions. They are created once, since a program gets the name of its tenant with each request.
#[derive(Clone, Debug)]
pub(crate) struct PartitionNames(Arc<[String]>);

impl PartitionNames {
    /// Creates the names.
    pub(crate) fn of(sharing: Sharing) -> Self {
        Self((0..sharing.partitions()).map(|number| format!("tenant-{number}")).collect())
    }

    /// Returns the partition of a user's jobs; an empty name if jobs have none.
    pub(crate) fn of_user(&self, user_id: u64) -> &str {
        let count = self.0.len() as u64;
        match user_id.checked_rem(count) {
            Some(_) if user_id >= FLOOD => "flood",
            Some(number) => self.0.get(number as usize).map_or("", String::as_str),
            None => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_take_turns_among_the_partitions_and_a_flood_has_its_own() {
        let names = PartitionNames::of(Sharing::Tenants);

        let partitions = [0, 19, 20, FLOOD, FLOOD + 1].map(|user_id| names.of_user(user_id));

        assert_eq!(partitions, ["tenant-0", "tenant-19", "tenant-0", "flood", "flood"]);
    }

    #[test]
    fn jobs_of_a_plain_queue_have_no_partition() {
        let names = PartitionNames::of(Sharing::Plain);

        assert_eq!([1, FLOOD].map(|user_id| names.of_user(user_id)), ["", ""]);
    }
}
