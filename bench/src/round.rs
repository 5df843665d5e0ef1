//! The rounds: each case in turn, again and again, each in a process of its own.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::Setup;
use crate::case::Case;
use crate::figures::Figures;
use crate::results::Results;

/// Measures all that the setup asks for; what the first round finds is thrown away.
pub(crate) fn all(setup: &Setup) -> anyhow::Result<Results> {
    let mut results = Results::default();
    for workload in setup.workloads() {
        let cases = setup.cases(workload);
        for round in 0..=setup.rounds {
            for case in &cases {
                let figures = measure(*case).with_context(|| case.to_string())?;
                eprintln!("round {round} of {}: {case}: {figures}", setup.rounds);
                if round > 0 {
                    results.add(*case, figures);
                }
            }
        }
    }
    Ok(results)
}

/// Measures one case in a fresh child of this program.
fn measure(case: Case) -> anyhow::Result<Figures> {
    let child = Command::new(std::env::current_exe()?)
        .arg("measure")
        .arg(serde_json::to_string(&case)?)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(child.status.success(), "the measurement ended with {}", child.status);
    serde_json::from_slice(&child.stdout).context("the measurement printed no figures")
}
