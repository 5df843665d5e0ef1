//! A set of the values of a field.

/// A set of numbers from 0 to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Set(u64);

impl Set {
    pub(crate) fn insert(&mut self, value: u8) {
        self.0 |= 1 << value;
    }

    pub(crate) fn contains(self, value: u8) -> bool {
        self.0 & 1 << value != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the least value that is at least `from`.
    pub(crate) fn at_least(self, from: u8) -> Option<u8> {
        let rest = self.0.checked_shr(u32::from(from)).unwrap_or_default();
        (rest != 0).then(|| from + rest.trailing_zeros() as u8)
    }

    pub(crate) fn first(self) -> Option<u8> {
        self.at_least(0)
    }

    /// Returns the values in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = u8> + Clone {
        (0..64).filter(move |value| self.contains(*value))
    }

    /// Returns the only value, if there is exactly one.
    pub(crate) fn single(self) -> Option<u8> {
        self.first().filter(|_| self.0.is_power_of_two())
    }
}
