//! The program of a peer: makes the measurement in its arguments and prints it as JSON.

use anyhow::Context as _;

use crate::load::Load;
use crate::measurement::{measure, runtime};
use crate::system::System;

/// Puts the system under the load in the first argument, with the number of jobs in the second.
///
/// # Errors
///
/// The arguments are not a load and a number, or the system failed.
pub fn run<S: System>() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let load: Load = serde_json::from_str(&arguments.next().context("a load is missing")?)?;
    let jobs: u64 = arguments.next().context("a number of jobs is missing")?.parse()?;
    let figures = runtime(load)?.block_on(measure::<S>(load, jobs))?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}
