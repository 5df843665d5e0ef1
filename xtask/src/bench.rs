//! `cargo xtask bench`: the benchmarks, a workspace of their own so that nobody's build waits for our peers.

use anyhow::ensure;

use crate::cargo::cargo;
use crate::workspace::Workspace;

const MANIFEST: &str = "bench/Cargo.toml";

/// The hot paths by themselves, which need no peers.
const MICRO: &str = "bench/micro/Cargo.toml";

/// Runs the benchmarks, with the arguments passed on.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    ensure!(
        workspace.root().join(MANIFEST).is_file(),
        "{MANIFEST} is missing: there are no benchmarks to run"
    );
    if let [first, rest @ ..] = arguments
        && first == "micro"
    {
        let call = cargo("bench --manifest-path").with_arguments(&[MICRO.to_owned(), "--".to_owned()]);
        return call.with_arguments(rest).run(workspace);
    }
    let call = cargo("run --release --manifest-path").with_arguments(&[MANIFEST.to_owned(), "--".to_owned()]);
    call.with_arguments(arguments).run(workspace)
}
