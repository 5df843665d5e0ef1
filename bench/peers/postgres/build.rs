//! Finds the folders of peers whose tables have to be made from files that they bring.

use std::process::Command;

use serde_json::Value;

const PEERS: [&str; 2] = ["sqlxmq", "fang"];

fn main() {
    let cargo = std::env::var_os("CARGO").expect("cargo runs this");
    let target = std::env::var("TARGET").expect("cargo tells what it builds for");
    // What other platforms would need may not be there.
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &target])
        .output()
        .expect("cargo can be run");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo tells its metadata as JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    for peer in PEERS {
        let package = packages.iter().find(|package| package["name"] == peer).expect("it's a dependency");
        let manifest = package["manifest_path"].as_str().expect("it has a manifest");
        let folder = manifest.strip_suffix("/Cargo.toml").expect("a manifest is in a folder");
        println!("cargo::rustc-env={}={folder}", peer.to_uppercase());
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
}
