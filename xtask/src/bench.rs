//! `cargo xtask bench`: the benchmarks, a workspace of their own so that nobody's build waits for our peers.

use anyhow::ensure;

use crate::cargo::cargo;
use crate::workspace::Workspace;

const MANIFEST: &str = "bench/Cargo.toml";

/// Runs the benchmarks, with the arguments passed on.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    ensure!(
        workspace.root().join(MANIFEST).is_file(),
        "{MANIFEST} is missing: there are no benchmarks to run"
    );
    let call = cargo("run --release --manifest-path").with_arguments(&[MANIFEST.to_owned(), "--".to_owned()]);
    call.with_arguments(arguments).run(workspace)
}
