//! The workspace as cargo sees it.

use std::path::Path;

use anyhow::Context as _;
use cargo_metadata::{Metadata, MetadataCommand};

/// The output of `cargo metadata` for the workspace.
pub(crate) struct Workspace {
    metadata: Metadata,
}

impl Workspace {
    /// Asks cargo about the workspace that this program is built in.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml");
        let metadata = MetadataCommand::new()
            .manifest_path(&manifest)
            .no_deps()
            .exec()
            .with_context(|| format!("could not read the workspace of {}", manifest.display()))?;
        Ok(Self { metadata })
    }

    pub(crate) fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// The directory that cargo builds in.
    pub(crate) fn target(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// The names of the examples that are programs rather than tests.
    pub(crate) fn examples(&self) -> Vec<String> {
        let targets = self.metadata.packages.iter().flat_map(|package| &package.targets);
        let examples = targets.filter(|target| target.is_example() && !target.test);
        examples.map(|target| target.name.clone()).collect()
    }
}
