//! Requests as the arguments of statements, which take an array for each column.

mod imports;
mod jobs;
mod settlements;

pub(crate) use imports::{Imports, bind_imports};
pub(crate) use jobs::{JobColumns, bind_one, has_defaults_only, micros};
pub(crate) use settlements::{SettleMode, SettleOutcome, SettlementSlice, bind_settlements};
