//! The servers that the tests start: found on the machine, or installed as root, or asked for.

use std::process::Command;

use anyhow::ensure;
use test_servers::Missing;

use crate::steps::Call;
use crate::workspace::Workspace;

/// Installs the missing servers, or fails with the command that does.
pub(crate) fn ensure_installed(workspace: &Workspace) -> anyhow::Result<()> {
    let mut missing = test_servers::missing();
    if !missing.is_empty() && may_install() {
        let apt = |line: &str| Call::new("apt-get", line).with("DEBIAN_FRONTEND", "noninteractive");
        // The lists may name the packages already, so a failure to refresh them decides nothing.
        apt("update").run(workspace).ok();
        apt(&format!("install -y --no-install-recommends {}", packages(&missing))).run(workspace)?;
        missing = test_servers::missing();
    }
    ensure!(missing.is_empty(), "{}", asked_for(&missing));
    Ok(())
}

fn packages(missing: &[Missing]) -> String {
    missing.iter().map(|missing| missing.package).collect::<Vec<_>>().join(" ")
}

/// Returns the missing programs and the command that installs them.
fn asked_for(missing: &[Missing]) -> String {
    let lines =
        missing.iter().map(|missing| format!("`{}` is missing: {}\n", missing.program, missing.remedy));
    let command = "on Debian or Ubuntu: sudo apt-get update && sudo apt-get install -y";
    format!("{}{command} {}", lines.collect::<String>(), packages(missing))
}

/// Returns whether this is root on a machine with Debian's package manager.
fn may_install() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0"));
    is_root && Command::new("apt-get").arg("--version").output().is_ok_and(|output| output.status.success())
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
