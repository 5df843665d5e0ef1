//! The servers that the tests start: found on the machine, or installed as root, or asked for.

use std::process::Command;

use anyhow::{Context as _, ensure};
use test_servers::{Missing, missing};

use crate::workspace::Workspace;

/// Installs the missing servers, or fails with the command that does.
pub(crate) fn ensure_installed(_: &Workspace) -> anyhow::Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    ensure!(may_install(), "{}", asked_for(&missing));
    let packages: Vec<_> = missing.iter().map(|missing| missing.package).collect();
    println!("installing {}", packages.join(" "));
    // The lists may name the packages already, so a failure to refresh them decides nothing.
    apt(&["update"]).ok();
    apt(&[&["install", "-y", "--no-install-recommends"], &*packages].concat())?;
    let left = test_servers::missing();
    ensure!(left.is_empty(), "{}", asked_for(&left));
    Ok(())
}

/// Returns the missing programs and the command that installs them.
fn asked_for(missing: &[Missing]) -> String {
    let lines = missing.iter().map(|missing| format!("`{}` is missing: {}", missing.program, missing.remedy));
    let packages: Vec<_> = missing.iter().map(|missing| missing.package).collect();
    let command =
        format!("on Debian or Ubuntu: sudo apt-get update && sudo apt-get install -y {}", packages.join(" "));
    lines.chain([command]).collect::<Vec<_>>().join("\n")
}

/// Returns whether this is root on a machine with Debian's package manager.
fn may_install() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0"));
    is_root && Command::new("apt-get").arg("--version").output().is_ok_and(|output| output.status.success())
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").status();
    let status = status.context("`apt-get` can't be run")?;
    ensure!(status.success(), "`apt-get {}` failed", arguments.join(" "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_asked_for_by_the_very_command() {
        let missing = [Missing { program: "initdb", package: "postgresql", remedy: "install it" }];

        let asked = asked_for(&missing);

        assert!(asked.starts_with("`initdb` is missing: install it"), "{asked}");
        assert!(asked.ends_with("sudo apt-get install -y postgresql"), "{asked}");
    }
}
