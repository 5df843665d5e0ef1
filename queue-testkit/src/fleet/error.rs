//! What a simulation found.

use std::fmt;

use super::fault::FleetFault;

/// A run that breaks, made as small as can be.
#[non_exhaustive]
pub struct SimulationError {
    /// Its seed.
    pub seed: u64,
    /// What is wrong.
    pub message: String,
    /// With which troubles it breaks, each with its number among those of the seed.
    pub faults: Vec<(usize, FleetFault)>,
    /// How many troubles the seed has.
    pub total_faults: usize,
}

impl std::error::Error for SimulationError {}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, message, faults, total_faults } = self;
        write!(f, "the run of seed {seed} breaks: {message}")?;
        if faults.is_empty() {
            write!(f, "\nNothing has to go wrong for that.")?;
        } else {
            write!(f, "\nOf its {total_faults} faults, these are enough:")?;
        }
        for (_, fault) in faults {
            write!(f, "\n  {fault}")?;
        }
        let numbers: Vec<_> = faults.iter().map(|(index, _)| *index).collect();
        write!(f, "\nagain: simulate(..).seed({seed}).only_faults({numbers:?}).check()")
    }
}

/// The text, since tests that end with an error show its `Debug`.
impl fmt::Debug for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
