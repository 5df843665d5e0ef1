//! What a simulation found.

use std::fmt;

use super::trouble::Trouble;

/// A run that breaks, made as small as can be.
#[non_exhaustive]
pub struct SimulationError {
    /// Its seed.
    pub seed: u64,
    /// What is wrong.
    pub message: String,
    /// With which troubles it breaks, each with its number among those of the seed.
    pub troubles: Vec<(usize, Trouble)>,
    /// How many troubles the seed has.
    pub of: usize,
}

impl std::error::Error for SimulationError {}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, message, troubles, of } = self;
        write!(f, "the run of seed {seed} breaks: {message}")?;
        if troubles.is_empty() {
            write!(f, "\nNothing has to go wrong for that.")?;
        } else {
            write!(f, "\nOf its {of} troubles, these are enough:")?;
        }
        for (_, trouble) in troubles {
            write!(f, "\n  {trouble}")?;
        }
        let numbers: Vec<_> = troubles.iter().map(|(index, _)| *index).collect();
        write!(f, "\nagain: simulate(..).seed({seed}).keep({numbers:?}).check()")
    }
}

/// The text, since tests that end with an error show its `Debug`.
impl fmt::Debug for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
