//! What the jobs of a table are called, by numbers.

use rustc_hash::FxHashMap;

use crate::name::JobName;

/// The names that have ever been pushed, so that each of millions of jobs has a number rather than a name.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<JobName>,
    numbers: FxHashMap<JobName, u32>,
    /// The number that was last given.
    last: u32,
}

impl Names {
    /// Gives a name's number, which it keeps.
    pub(super) fn number(&mut self, name: JobName) -> u32 {
        // Mostly it's the same as last time, which is faster to see than to look up.
        if self.get(self.last).is_some_and(|last| *last == name) {
            return self.last;
        }
        self.last = match self.numbers.get(&name) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                self.names.push(name.clone());
                self.numbers.insert(name, number);
                number
            }
        };
        self.last
    }

    pub(super) fn get(&self, number: u32) -> Option<&JobName> {
        self.names.get(number as usize)
    }
}
