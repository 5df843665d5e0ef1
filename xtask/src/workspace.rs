//! The workspace as cargo sees it: its crates, what they use, and where cargo builds.

use std::path::Path;

use anyhow::Context as _;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, TargetKind};

/// Where the macro's tests keep the little programs that they build.
const FIXTURES: &str = "queue-macros/tests/crates/";

/// What `cargo metadata` says of the workspace.
pub(crate) struct Workspace {
    metadata: Metadata,
}

/// A crate of ours.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// The path of its manifest from the root.
    pub(crate) manifest: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// The names of its examples.
    pub(crate) examples: Vec<String>,
}

/// What a crate says that it uses.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Whether it is a dev-dependency.
    pub(crate) is_for_tests: bool,
    pub(crate) has_path: bool,
    pub(crate) has_version: bool,
}

impl Workspace {
    /// Asks cargo about the workspace that this program is built in.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml");
        let metadata = MetadataCommand::new()
            .manifest_path(&manifest)
            .exec()
            .with_context(|| format!("could not read the workspace of {}", manifest.display()))?;
        Ok(Self { metadata })
    }

    pub(crate) fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// The crates of ours.
    pub(crate) fn crates(&self) -> Vec<Crate> {
        let packages = self.metadata.workspace_packages();
        let crates = packages.into_iter().map(|package| Crate {
            name: package.name.to_string(),
            manifest: self.relative(package.manifest_path.as_std_path()),
            dependencies: package.dependencies.iter().map(Dependency::new).collect(),
            examples: (package.targets.iter())
                .filter(|target| target.kind.contains(&TargetKind::Example))
                .map(|target| target.name.clone())
                .collect(),
        });
        crates.collect()
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }
}

impl Crate {
    /// Whether it is one of the little programs that the macro's tests build.
    pub(crate) fn is_fixture(&self) -> bool {
        self.manifest.starts_with(FIXTURES)
    }
}

impl Dependency {
    fn new(dependency: &cargo_metadata::Dependency) -> Self {
        Self {
            name: dependency.name.clone(),
            is_for_tests: dependency.kind == DependencyKind::Development,
            has_path: dependency.path.is_some(),
            has_version: !dependency.req.comparators.is_empty(),
        }
    }
}
