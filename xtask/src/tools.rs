//! Tools that the checks need and rustup does not bring, installed in the versions that are pinned here.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::steps::cargo;
use crate::workspace::Workspace;

/// A cargo subcommand from crates.io.
struct Tool {
    name: &'static str,
    version: &'static str,
}

const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

const SHEAR: Tool = Tool { name: "cargo-shear", version: "1.13.0" };

/// Checks licences, sources, duplicate versions and layers, as `deny.toml` states them.
pub(crate) fn deny(workspace: &Workspace) -> anyhow::Result<()> {
    DENY.run(workspace, "check licenses sources")?;
    // One platform, so that the duplicates are the same on every machine.
    let graph = "--exclude-dev --target x86_64-unknown-linux-gnu";
    let stale = "--deny unnecessary-skip --deny unmatched-skip --deny unused-wrapper";
    DENY.run(workspace, &format!("{graph} check {stale} bans"))
}

/// Finds dependencies that no code uses, and source files that no `mod` line reaches.
pub(crate) fn shear(workspace: &Workspace) -> anyhow::Result<()> {
    SHEAR.run(workspace, "--deny-warnings")
}

impl Tool {
    fn run(&self, workspace: &Workspace, arguments: &str) -> anyhow::Result<()> {
        let program = self.install(workspace)?;
        let mut command = Command::new(&program);
        command.args(arguments.split_whitespace()).current_dir(workspace.root());
        let status = command.status().with_context(|| format!("could not start {}", program.display()))?;
        ensure!(status.success(), "`{} {arguments}` ended with {status}", self.name);
        Ok(())
    }

    /// Returns the path of the tool, and builds it first if this version is not there yet.
    fn install(&self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
        let Self { name, version } = self;
        let root = workspace.target().join("tools").join(format!("{name}-{version}"));
        let program = root.join("bin").join(name).with_extension(std::env::consts::EXE_EXTENSION);
        if !program.is_file() {
            // Unoptimized: a cold build takes less time, and the tool runs for seconds.
            let call = cargo(&format!("install --locked --debug {name}@{version} --root"));
            let call = call.with_arguments(&[root.to_string_lossy().into_owned()]);
            call.with_variable("CARGO_PROFILE_DEV_DEBUG", "0").run(workspace)?;
        }
        Ok(program)
    }
}
