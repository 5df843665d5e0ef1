//! Tools that the checks need and rustup does not bring, installed in the versions that are pinned here.

use crate::steps::{Call, cargo};
use crate::workspace::Workspace;

const DENY: &str = "cargo-deny@0.20.2";
const SHEAR: &str = "cargo-shear@1.13.0";

/// Checks licences, sources, duplicate versions and layers, as `deny.toml` states them.
pub(crate) fn deny(workspace: &Workspace) -> anyhow::Result<()> {
    run(DENY, "check licenses sources", workspace)?;
    // One platform, so that the duplicates are the same on every machine.
    let graph = "--exclude-dev --target x86_64-unknown-linux-gnu";
    let stale = "--deny unnecessary-skip --deny unmatched-skip --deny unused-wrapper";
    run(DENY, &format!("{graph} check {stale} bans"), workspace)
}

/// Finds dependencies that no code uses, and source files that no `mod` line reaches.
pub(crate) fn shear(workspace: &Workspace) -> anyhow::Result<()> {
    run(SHEAR, "--deny-warnings", workspace)
}

/// Runs a tool, and builds it first if this version is not there yet.
fn run(tool: &str, arguments: &str, workspace: &Workspace) -> anyhow::Result<()> {
    let name = tool.split('@').next().unwrap_or(tool);
    let root = workspace.target.join("tools").join(tool.replace('@', "-"));
    let program = root.join("bin").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    if !program.is_file() {
        // Unoptimized: a cold build takes less time, and the tool runs for seconds.
        let install = cargo(&format!("install --locked --debug {tool} --root"));
        let install = install.with_arguments(&[root.to_string_lossy().into_owned()]);
        install.with("CARGO_PROFILE_DEV_DEBUG", "0").run(workspace)?;
    }
    Call::new(program, arguments).run(workspace)
}
