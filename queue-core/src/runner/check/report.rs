//! The result of a check of stored jobs.

use serde::{Deserialize, Serialize};

use super::CheckAnswer;
use crate::contract::id::JobId;

/// The jobs that were checked, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// The number of jobs that were checked.
    pub checked: u64,
    /// The number of those that would fail.
    pub failed: u64,
    /// The jobs by name, sorted.
    pub names: Vec<CheckedName>,
}

/// The jobs of one name that were checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckedName {
    /// The name.
    pub name: String,
    /// The number of jobs that were checked.
    pub checked: u64,
    /// The number of those that would fail.
    pub failed: u64,
    /// Why, the most frequent problem first: at most [`CheckReport::MAX_PROBLEMS`].
    pub problems: Vec<CheckProblem>,
}

/// A reason why jobs of one name would fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckProblem {
    /// Whether the program does not know the name. Otherwise, it cannot decode the payload.
    pub is_unknown: bool,
    /// The reason, with the path in the payload and without its values.
    pub reason: String,
    /// The number of jobs that would fail for this reason.
    pub count: u64,
    /// One of them.
    pub example: JobId,
}

impl CheckReport {
    /// The most different problems that are kept for a name.
    pub const MAX_PROBLEMS: usize = 20;

    /// Counts checked jobs of a name.
    pub fn add_checked(&mut self, name: &str, count: u64) {
        self.checked += count;
        self.named(name).checked += count;
    }

    /// Adds a job that would fail.
    pub fn add_answer(&mut self, answer: CheckAnswer) {
        self.failed += 1;
        let name = self.named(&answer.name);
        name.add(answer);
        name.problems.sort_by_key(|problem| std::cmp::Reverse(problem.count));
    }

    fn named(&mut self, name: &str) -> &mut CheckedName {
        let index = match self.names.binary_search_by(|known| known.name.as_str().cmp(name)) {
            Ok(index) => index,
            Err(index) => {
                self.names.insert(index, CheckedName { name: name.to_owned(), ..CheckedName::default() });
                index
            }
        };
        &mut self.names[index]
    }

    /// Returns whether no job would fail.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.failed == 0
    }
}

impl CheckedName {
    fn add(&mut self, answer: CheckAnswer) {
        let CheckAnswer { id, is_unknown, reason, .. } = answer;
        self.failed += 1;
        let kept = self.problems.len();
        match self.problems.iter_mut().find(|problem| problem.reason == reason) {
            Some(problem) => problem.count += 1,
            None if kept < CheckReport::MAX_PROBLEMS => {
                self.problems.push(CheckProblem { is_unknown, reason, count: 1, example: id });
            }
            None => {}
        }
    }
}
