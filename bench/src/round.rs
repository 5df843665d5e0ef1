//! The rounds: each round measures every case, each in a process of its own.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use harness::Figures;

use crate::Setup;
use crate::case::Case;
use crate::peer::Peer;
use crate::results::Results;
use crate::resume::Resume;
use crate::server::Server;
use crate::suite::Suite;

/// Runs all selected measurements; the results of the first round are discarded.
pub(crate) fn all(suite: Suite, setup: &Setup) -> anyhow::Result<Results> {
    let workloads: Vec<_> = setup.workloads(suite).map(|workload| setup.cases(suite, workload)).collect();
    let systems: BTreeSet<_> = workloads.iter().flatten().map(|case| case.system).collect();
    ensure!(!systems.is_empty(), "no such system or workload is in the suite {}", suite.word());
    for peer in systems.iter().copied().filter_map(Peer::of) {
        peer.build()?;
    }
    harness::sweep()?;

    let is_served = systems.into_iter().any(|system| suite.is_served(system));
    let server = is_served.then(Server::start).transpose()?;
    let mut results = Results::default();
    if let Some(server) = &server {
        results.place = server.description()?;
    }
    let mut resume = Resume::open(suite, setup)?;
    if resume.count() > 0 {
        let went_on =
            format!("{} measurements are from an interrupted run, which this one continued", resume.count());
        results.retried.push(went_on);
    }
    for mut cases in workloads {
        for round in 0..=setup.rounds {
            let mut failed = Vec::new();
            for &case in &cases {
                let figures = match resume.find(case, round) {
                    Some(figures) => figures,
                    None => match measure_again(case, round, server.as_ref(), &mut results) {
                        Ok(figures) => figures,
                        // This project's systems, and the ones written for the comparison, must not fail.
                        Err(error) if Peer::of(case.system).is_none() => {
                            return Err(error.context(case.to_string()));
                        }
                        Err(error) => {
                            results.leave_out(case, &error);
                            failed.push(case);
                            continue;
                        }
                    },
                };
                resume.add(case, round, &figures)?;
                eprintln!("round {round} of {}: {case}: {figures}", setup.rounds);
                if round > 0 {
                    results.add(case, figures);
                }
            }
            cases.retain(|case| !failed.contains(case));
        }
    }
    Ok(results)
}

/// The number of times a failing peer is measured. This project's systems must not fail at all.
const TRIES: usize = 3;

/// Measures one case; repeats a failed peer.
fn measure_again(
    case: Case,
    round: u32,
    server: Option<&Server>,
    results: &mut Results,
) -> anyhow::Result<Figures> {
    let tries = if Peer::of(case.system).is_some() { TRIES } else { 1 };
    for _ in 1..tries {
        match measure(case, server) {
            Err(error) => {
                let retry = format!("{case}, in round {round}, was measured again: {error}");
                eprintln!("{retry}");
                results.retried.push(retry);
            }
            measured => return measured,
        }
    }
    measure(case, server)
}

/// Measures one case in a new child process.
fn measure(case: Case, server: Option<&Server>) -> anyhow::Result<Figures> {
    let mut call = call(case)?;
    if let Some(server) = server {
        let (name, value) = server.variable()?;
        call.env(name, value);
    }
    let child = call.stderr(Stdio::piped()).output()?;
    let said = String::from_utf8_lossy(&child.stderr);
    let first = said.lines().find_map(|line| line.strip_prefix("Error: ")).unwrap_or("no error message");
    eprint!("{said}");
    ensure!(child.status.success(), "the measurement ended with {}: {first}", child.status);
    serde_json::from_slice(&child.stdout).context("the measurement printed no figures")
}

/// Returns the command that makes one measurement, of this program or of a peer's.
fn call(case: Case) -> anyhow::Result<Command> {
    if let Some(peer) = Peer::of(case.system) {
        return peer.call(case);
    }
    let mut call = Command::new(std::env::current_exe()?);
    call.arg("measure").arg(serde_json::to_string(&case)?);
    Ok(call)
}
