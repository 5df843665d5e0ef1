//! The first digits of ids, as an operator copies them from a log line.

use std::str::FromStr;

use crate::contract::error::QueueError;
use crate::contract::id::JobId;

/// The first digits of the ids of jobs: a range of ids.
///
/// ```
/// use queue_core::JobId;
/// use queue_core::admin::IdPrefix;
///
/// let prefix: IdPrefix = "0190af3c-7".parse()?;
///
/// assert!(prefix.matches("0190af3c-7abc-7000-8000-000000000000".parse()?));
/// assert!("mail".parse::<IdPrefix>().is_err());
/// # Ok::<(), queue_core::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdPrefix {
    first: JobId,
    last: JobId,
}

impl IdPrefix {
    /// The number of hexadecimal digits of an id.
    const DIGITS: u32 = 32;

    /// Returns the first id of the range.
    #[must_use]
    pub const fn first(self) -> JobId {
        self.first
    }

    /// Returns the last id of the range.
    #[must_use]
    pub const fn last(self) -> JobId {
        self.last
    }

    /// Returns whether an id begins with the digits.
    #[must_use]
    pub fn matches(self, id: JobId) -> bool {
        (self.first..=self.last).contains(&id)
    }
}

/// Creates the range of this id only.
impl From<JobId> for IdPrefix {
    fn from(id: JobId) -> Self {
        Self { first: id, last: id }
    }
}

/// Reads 1 to 32 hexadecimal digits. Hyphens are skipped.
impl FromStr for IdPrefix {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, QueueError> {
        let digits: String = text.chars().filter(|digit| *digit != '-').collect();
        let count = u32::try_from(digits.len()).unwrap_or(u32::MAX);
        let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let (true, true, Ok(bits)) =
            (is_hexadecimal, (1..=Self::DIGITS).contains(&count), u128::from_str_radix(&digits, 16))
        else {
            let shown: String = text.chars().take(40).collect();
            let message = format!(
                "{shown:?} is not the beginning of a job's id: use 1 to 32 hexadecimal digits, such as `0190af3c`"
            );
            return Err(QueueError::invalid(message));
        };
        let free = 4 * (Self::DIGITS - count);
        let first = bits << free;
        Ok(Self { first: JobId::from_u128(first), last: JobId::from_u128(first | ((1 << free) - 1)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_the_range_of_the_ids_that_begin_with_it() {
        let range = |text: &str| {
            let prefix: IdPrefix = text.parse().unwrap();
            (prefix.first().as_u128(), prefix.last().as_u128())
        };

        assert_eq!(range("f"), (0xf << 124, u128::MAX));
        assert_eq!(range("0"), (0, u128::MAX >> 4));
        let whole = JobId::from_u128(0x0190_af3c_7abc_7000_8000_0000_0000_0007);
        assert_eq!(range(&whole.to_string()), (whole.as_u128(), whole.as_u128()));
    }

    #[test]
    fn a_text_that_is_no_prefix_is_refused() {
        for text in ["", "-", "g", "+1", "0190 af", &"0".repeat(33)] {
            let error = text.parse::<IdPrefix>().unwrap_err();
            assert!(error.to_string().contains("hexadecimal digits"), "{text:?}: {error}");
        }
    }
}
