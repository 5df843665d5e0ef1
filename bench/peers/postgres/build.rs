//! Finds the folders of peers whose tables are created from files in their packages.

use std::error::Error;
use std::process::Command;

use serde_json::Value;

const PEERS: [&str; 2] = ["sqlxmq", "fang"];

fn main() -> Result<(), Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").ok_or("`CARGO` is not set")?;
    let target = std::env::var("TARGET")?;
    // Packages for other platforms may not be downloaded.
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &target])
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("cargo lists no packages")?;
    for peer in PEERS {
        let package = packages.iter().find(|package| package["name"] == peer);
        let manifest = package.and_then(|package| package["manifest_path"].as_str());
        let folder = manifest.and_then(|manifest| manifest.strip_suffix("/Cargo.toml"));
        let folder = folder.ok_or_else(|| format!("`{peer}` is not among the dependencies"))?;
        println!("cargo::rustc-env={}={folder}", peer.to_uppercase());
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
    Ok(())
}
