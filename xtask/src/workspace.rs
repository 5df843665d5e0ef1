//! The workspace as cargo sees it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// The directory that cargo builds in.
    pub(crate) target: PathBuf,
    /// The names of the examples that are programs rather than tests.
    pub(crate) examples: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace that this program is built in.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml");
        let metadata = MetadataCommand::new().manifest_path(&manifest).no_deps().exec();
        let metadata =
            metadata.with_context(|| format!("could not read the workspace of {}", manifest.display()))?;
        let targets = metadata.packages.iter().flat_map(|package| &package.targets);
        let examples = targets.filter(|target| target.is_example() && !target.test);
        Ok(Self {
            examples: examples.map(|target| target.name.clone()).collect(),
            root: metadata.workspace_root.into(),
            target: metadata.target_directory.into(),
        })
    }
}
