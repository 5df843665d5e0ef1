//! Numbers for the names of jobs and queues.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Names with consecutive numbers from zero, so that each of millions of jobs stores a number instead of a name.
///
/// A name keeps its number for as long as the table lives.
#[derive(Debug)]
pub(super) struct Interner<N> {
    names: Vec<N>,
    numbers: FxHashMap<N, u32>,
    /// The number that was returned last.
    last: u32,
}

impl<N: Clone + Eq + Hash> Interner<N> {
    /// Returns the number of a name, and creates it at the first use.
    #[inline]
    pub(super) fn intern(&mut self, name: &N) -> u32 {
        // The name is mostly the same as last time. Comparing is faster than a lookup.
        if self.names.get(self.last as usize) == Some(name) {
            return self.last;
        }
        self.last = match self.find(name) {
            Some(number) => number,
            None => {
                let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                self.names.push(name.clone());
                self.numbers.insert(name.clone(), number);
                number
            }
        };
        self.last
    }

    /// Returns the number of a name, if it has one.
    pub(super) fn find(&self, name: &N) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Returns the name of a number.
    ///
    /// # Panics
    ///
    /// Panics if no name has this number.
    #[inline]
    pub(super) fn name(&self, number: u32) -> &N {
        &self.names[number as usize]
    }
}

impl<N> Default for Interner<N> {
    fn default() -> Self {
        Self { names: Vec::new(), numbers: FxHashMap::default(), last: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::name::JobName;

    #[test]
    fn a_name_keeps_its_number() {
        let mut numbers = Interner::default();
        let names = ["a", "b", "a", "c", "b", "b"].map(JobName::new);

        let given = names.each_ref().map(|name| numbers.intern(name));

        assert_eq!(given, [0, 1, 0, 2, 1, 1]);
        assert_eq!(given.map(|number| numbers.name(number)), names.each_ref());
        assert_eq!((numbers.find(&names[3]), numbers.find(&JobName::new("d"))), (Some(2), None));
    }
}
