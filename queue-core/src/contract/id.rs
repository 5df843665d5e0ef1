//! The identity of a job.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The identity of a job. Pushing the same one twice stores one job.
///
/// ```
/// # use queue_core::{JobId, NewJob, Queue as _, background_job, jobs};
/// # use queue_testkit::TestKit;
/// # #[background_job]
/// # async fn charge(order: u64) {}
/// # queue_testkit::block_on(async {
/// # let kit = TestKit::new(jobs![charge]).build()?;
/// let id = JobId::from_u128(7); // derived from the order, so a repeated push is the same job
/// kit.queue().push(vec![NewJob::from(charge::new(7)).id(id)]).await?;
/// kit.queue().push(vec![NewJob::from(charge::new(7)).id(id)]).await?;
/// assert_eq!(kit.run_until_idle().await?.attempts().len(), 1);
/// # Ok::<(), queue_core::BoxError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// Creates a unique identity that sorts by its time of creation (UUID version 7).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// Creates an identity from 128 bits of the caller's choice.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// Returns the 128 bits.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// Returns the UUID.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Derives the identity of a parent's nth followup. The same arguments derive the same identity (UUID version 8).
    pub(crate) fn followup(self, fence: u64, nth: usize) -> Self {
        let salt = mix(fence ^ mix(nth as u64));
        let bits = self.as_u128();
        let high = mix((bits >> 64) as u64 ^ salt);
        let low = mix(bits as u64 ^ high);
        Self(
            uuid::Builder::from_custom_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
                .into_uuid(),
        )
    }

    /// Returns a random seed that depends on this identity only.
    pub(crate) fn seed(self) -> u64 {
        let bits = self.as_u128();
        mix((bits >> 64) as u64 ^ mix(bits as u64))
    }
}

/// The finalizer of `SplitMix64`: each bit of the input changes half of the output.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl From<Uuid> for JobId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl std::str::FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
