//! The partition of a job within its queue.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The part of a queue to which a job belongs, such as a tenant or a customer.
///
/// The partitions of a queue share its workers fairly, and each can have a [`Limit`](crate::Limit). A partition comes into being
/// with its first job, and its name means nothing in another queue. Jobs that name no partition are together in
/// [`Partition::NONE`], which is a partition like any other.
///
/// A name has 1–128 bytes without control characters. A push checks this. Cheap to clone.
///
/// ```
/// use queue_core::{NewJob, Partition, background_job};
///
/// #[background_job]
/// async fn call_webhook(url: String) {}
///
/// let job = NewJob::from(call_webhook::new("https://example.com")).partition("acme");
///
/// assert_eq!(job.partition, Partition::new("acme"));
/// assert!(Partition::default().is_none());
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(Option<Arc<str>>);

impl Partition {
    /// The partition of the jobs that name none.
    pub const NONE: Self = Self(None);

    /// Creates a partition from its name. The empty name is [`NONE`](Self::NONE).
    pub fn new(name: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        Self((!name.is_empty()).then(|| name.into()))
    }

    /// Returns the name; the empty text for [`NONE`](Self::NONE).
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Returns whether this is the partition of the jobs that name none.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the name, or `None` for the partition of the jobs that name none.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl From<&str> for Partition {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Partition {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl From<&Self> for Partition {
    fn from(partition: &Self) -> Self {
        partition.clone()
    }
}

impl Borrow<str> for Partition {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// Writes the name.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Serializes the name.
impl Serialize for Partition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Partition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A map with partitions as keys is searched by text, so both must have the same hash.
    #[test]
    fn a_partition_is_found_by_its_name() {
        let map = HashMap::from([(Partition::new("acme"), 1), (Partition::NONE, 2)]);

        assert_eq!(map.get(&Partition::from("acme")), Some(&1));
        assert_eq!(map.get(&Partition::new("")), Some(&2));
    }
}
