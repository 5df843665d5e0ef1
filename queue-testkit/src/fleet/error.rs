//! The error of a simulation.

use std::fmt;

use super::fault::NodeFault;

/// A run that fails, with a minimal list of faults.
#[non_exhaustive]
pub struct SimulationError {
    /// The seed of the run.
    pub seed: u64,
    /// The scenario's error.
    pub message: String,
    /// The faults with which the run fails, each with its number among the faults of the seed.
    pub faults: Vec<(usize, NodeFault)>,
    /// The number of faults that the seed has.
    pub total_faults: usize,
}

impl std::error::Error for SimulationError {}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, message, faults, total_faults } = self;
        write!(f, "the run of seed {seed} fails: {message}")?;
        if faults.is_empty() {
            write!(f, "\nIt fails without any fault.")?;
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

/// Prints the message, since a test that returns an error prints its `Debug`.
impl fmt::Debug for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
