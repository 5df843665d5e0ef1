//! Crates that a user of ours would compile twice, in versions that cannot be one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, bail};
use cargo_metadata::semver::Version;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, NodeDep, PackageId};

use crate::workspace::Workspace;

/// What we publish.
const PUBLISHED: [&str; 6] =
    ["queue-core", "queue-macros", "queue-tokio", "queue-sqlite", "queue-postgres", "queue-testkit"];

/// Judged for one platform, so that the answer is the same on every machine.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Duplicates that we live with, each with the reason.
const KNOWN: [(&str, &str); 7] = [
    ("block-buffer", SQLX_DIGESTS),
    ("cpufeatures", SQLX_DIGESTS),
    ("crypto-common", SQLX_DIGESTS),
    ("digest", SQLX_DIGESTS),
    ("sha2", SQLX_DIGESTS),
    ("hashbrown", "hashlink, of rusqlite and sqlx, is a version behind indexmap"),
    ("syn", "sqlx 0.9 takes tracing with its macros, which are a version behind async-trait"),
];

const SQLX_DIGESTS: &str = "sqlx-core 0.9 is a version of RustCrypto behind sqlx-postgres 0.9";

/// Finds duplicates in what the published crates use, and reasons given for duplicates which are gone.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let metadata = MetadataCommand::new()
        .manifest_path(workspace.root().join("Cargo.toml"))
        .other_options(["--filter-platform", PLATFORM].map(str::to_owned))
        .exec()
        .context("could not read what the crates use")?;
    let versions = versions(&used(&metadata)?, &metadata);
    let problems = problems(&versions, &KNOWN);
    if problems.is_empty() {
        println!("what we publish uses {} crates; in two versions: {}", versions.len(), known_names(&KNOWN));
        return Ok(());
    }
    bail!("duplicates:\n  {}", problems.join("\n  "))
}

/// Every crate that the published ones use, their tests apart.
fn used(metadata: &Metadata) -> anyhow::Result<BTreeSet<&PackageId>> {
    let resolve = metadata.resolve.as_ref().context("cargo has not resolved the workspace")?;
    let nodes: HashMap<&PackageId, &Node> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let ours = metadata.workspace_packages().into_iter();
    let published = ours.filter(|package| PUBLISHED.contains(&package.name.as_str()));
    let mut waiting: Vec<&PackageId> = published.map(|package| &package.id).collect();
    let mut used = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if used.insert(id) {
            let dependencies = nodes.get(id).map_or(&[][..], |node| &node.deps);
            let built = dependencies.iter().filter(|dependency| is_built_for_users(dependency));
            waiting.extend(built.map(|dependency| &dependency.pkg));
        }
    }
    Ok(used)
}

fn is_built_for_users(dependency: &NodeDep) -> bool {
    dependency.dep_kinds.iter().any(|info| info.kind == DependencyKind::Normal)
}

/// The versions of each crate by its name.
fn versions<'a>(
    used: &BTreeSet<&PackageId>,
    metadata: &'a Metadata,
) -> BTreeMap<&'a str, BTreeSet<&'a Version>> {
    let mut versions: BTreeMap<&str, BTreeSet<&Version>> = BTreeMap::new();
    for package in metadata.packages.iter().filter(|package| used.contains(&package.id)) {
        versions.entry(package.name.as_str()).or_default().insert(&package.version);
    }
    versions
}

fn problems(versions: &BTreeMap<&str, BTreeSet<&Version>>, known: &[(&str, &str)]) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, versions) in versions {
        let is_twice = versions.iter().map(|version| generation(version)).collect::<BTreeSet<_>>().len() > 1;
        let is_known = known.iter().any(|(known, _)| known == name);
        if is_twice && !is_known {
            let calls: Vec<String> = versions
                .iter()
                .map(|version| format!("`cargo tree -e normal -i {name}@{version}`"))
                .collect();
            problems.push(format!("{name} is used in several versions: see {}", calls.join(" and ")));
        }
        if is_known && !is_twice {
            problems.push(format!("{name} is no longer used twice: delete its reason"));
        }
    }
    let gone = known.iter().filter(|(name, _)| !versions.contains_key(name));
    problems.extend(gone.map(|(name, _)| format!("{name} is no longer used: delete its reason")));
    problems
}

fn known_names(known: &[(&str, &str)]) -> String {
    let names: Vec<String> = known.iter().map(|(name, reason)| format!("{name} ({reason})")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What versions that can be one have in common.
fn generation(version: &Version) -> (u64, u64, u64) {
    match (version.major, version.minor, version.patch) {
        (0, 0, patch) => (0, 0, patch),
        (0, minor, _) => (0, minor, 0),
        (major, _, _) => (major, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(versions: &[&str], known: &[(&str, &str)]) -> Vec<String> {
        let versions: Vec<Version> = versions.iter().map(|version| version.parse().unwrap()).collect();
        problems(&BTreeMap::from([("syn", versions.iter().collect())]), known)
    }

    #[test]
    fn versions_that_cannot_be_one_are_a_problem() {
        assert_eq!(found(&["2.0.1", "3.0.0"], &[]).len(), 1);
        assert_eq!(found(&["0.2.1", "0.3.0"], &[]).len(), 1);
        assert_eq!(found(&["0.2.1", "0.2.7"], &[]), [""; 0]);
    }

    #[test]
    fn a_reason_excuses_a_duplicate_for_as_long_as_it_is_there() {
        let known = [("syn", "a reason")];

        assert_eq!(found(&["2.0.1", "3.0.0"], &known), [""; 0]);
        assert_eq!(found(&["3.0.0"], &known), ["syn is no longer used twice: delete its reason"]);
    }
}
