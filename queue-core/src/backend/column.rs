//! Values as columns of a database store them.
//!
//! Databases have signed integers, and the contract has unsigned ones. A stored number that is out of range is read as the
//! nearest valid one, so that the rest of the job stays readable. Only an unknown state and malformed meta are errors.

use crate::contract::error::{QueueError, QueueErrorKind};
use crate::contract::job::Meta;
use crate::contract::record::State;

/// Returns the integer that a column stores for `number`: at most `i64::MAX`.
///
/// ```
/// use queue_core::backend::{to_i64, to_u64};
///
/// assert_eq!(to_i64(7), 7);
/// assert_eq!(to_i64(u64::MAX), i64::MAX);
/// assert_eq!(to_u64(-1), 0); // no program stores it
/// ```
#[must_use]
pub fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns a stored number; 0 if it is negative, which no program stores.
#[must_use]
pub fn to_u64(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// Returns a stored number of attempts; 0 if it is negative, and at most `u32::MAX`.
#[must_use]
pub fn to_u32(stored: i64) -> u32 {
    u32::try_from(stored.max(0)).unwrap_or(u32::MAX)
}

/// Returns the state that is stored as `number`, which is `state as i64`.
///
/// ```
/// use queue_core::State;
/// use queue_core::backend::read_state;
///
/// assert_eq!(read_state(State::Executing as i64).unwrap(), State::Executing);
/// assert_eq!(read_state(99).unwrap_err().to_string(), "there is no state 99");
/// ```
///
/// # Errors
///
/// `Corrupt` if no state has this number.
pub fn read_state(number: i64) -> Result<State, QueueError> {
    let found = usize::try_from(number).ok().and_then(|number| State::ALL.get(number));
    found
        .copied()
        .ok_or_else(|| QueueError::new(QueueErrorKind::Corrupt, format!("there is no state {number}")))
}

/// Returns a set of states as bits: bit `state as i32` is set for each state of the set.
#[must_use]
pub fn state_bits(states: &[State]) -> i32 {
    states.iter().fold(0, |bits, state| bits | 1 << *state as i32)
}

/// Returns the meta that is stored as the text of a JSON object, or as null if there is none.
///
/// # Errors
///
/// Those of [`Meta::from_json`].
pub fn read_meta(text: Option<&str>) -> Result<Meta, QueueError> {
    text.map_or_else(|| Ok(Meta::new()), Meta::from_json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_read_as_it_was_stored() {
        for state in State::ALL {
            assert_eq!(read_state(state as i64).ok(), Some(state));
        }
        assert_eq!(read_state(-1).map_err(|error| error.kind()), Err(QueueErrorKind::Corrupt));
    }

    #[test]
    fn a_set_of_states_has_a_bit_for_each() {
        assert_eq!(state_bits(&[]), 0);
        assert_eq!(state_bits(&[State::Scheduled, State::Executing]), 0b101);
    }

    #[test]
    fn a_number_that_is_out_of_range_is_read_as_the_nearest_one() {
        assert_eq!((to_u32(-1), to_u32(3), to_u32(i64::MAX)), (0, 3, u32::MAX));
        assert_eq!((to_u64(-1), to_u64(i64::MAX)), (0, i64::MAX as u64));
    }

    #[test]
    fn no_text_is_no_meta() {
        assert!(read_meta(None).is_ok_and(|meta| meta.is_empty()));
        assert_eq!(read_meta(Some("[]")).map_err(|error| error.kind()), Err(QueueErrorKind::Corrupt));
    }
}
