//! The contracts of `anchor/contracts`: `cargo xtask evm install|build|check|test`.
//!
//! Compiler, forge and anvil are npm packages, pinned with their digests by `package-lock.json` and
//! installed below `target`, never into the checkout. What Rust needs of the contracts is committed,
//! so nothing else of this project needs Node.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::node::{Folder, build as build_binaries, target};
use crate::packages;
use crate::project::{Failure, Project};

const CONTRACTS: &str = "anchor/contracts";
const ARTIFACTS: &str = "anchor/contracts/artifacts";

/// Installs compiler, forge and anvil, unless they are there.
pub(crate) fn install(project: &Project) -> Result<(), Failure> {
    let folder = folder(project);
    let lock = format!("{CONTRACTS}/package-lock.json");
    packages::once(&folder, &project.read(&lock)?.text, || {
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
        for name in ["package.json", "package-lock.json"] {
            let from = project.root().join(CONTRACTS).join(name);
            std::fs::copy(from, folder.join(name)).map_err(failed)?;
        }
        let mut npm = project.command("npm");
        npm.args(["ci", "--ignore-scripts", "--no-fund", "--no-audit"]);
        npm.arg("--prefix").arg(&folder);
        project.execute(npm)
    })
}

/// Compiles the contracts into the committed artifacts.
pub(crate) fn build(project: &Project) -> Result<(), Failure> {
    install(project)?;
    let artifacts = project.root().join(ARTIFACTS);
    // What no source makes any more must not stay.
    if artifacts.exists() {
        std::fs::remove_dir_all(&artifacts)
            .map_err(|error| Failure::new(format!("{}: {error}", artifacts.display())))?;
    }
    compile(project, &artifacts)
}

/// Compiles them aside and compares.
pub(crate) fn check(project: &Project) -> Result<(), Failure> {
    install(project)?;
    let fresh = Folder::new("artifacts")?;
    compile(project, &fresh.path)?;
    let committed = texts(&project.root().join(ARTIFACTS))?;
    Failure::unless_empty(differences(&committed, &texts(&fresh.path)?))?;
    println!(
        "evm: {} artifacts are what the sources give",
        committed.len()
    );
    Ok(())
}

/// Everything about the contracts that a plain test run cannot do: the comparison, forge's fuzzing
/// and invariants, and the end to end runs on a real anvil.
pub(crate) fn test(project: &Project) -> Result<(), Failure> {
    check(project)?;
    project.execute(forge(project))?;
    build_binaries(project, &[])?;
    let mut cargo = project.command("cargo");
    cargo.args(["test", "--workspace", "--locked"]);
    cargo.args(["--test", "contracts", "--test", "anvil"]);
    cargo.env("KEEL_ANVIL", tool(project, "anvil"));
    project.execute(cargo)
}

fn folder(project: &Project) -> PathBuf {
    target(project).join("evm")
}

fn tool(project: &Project, name: &str) -> PathBuf {
    let package = format!("node_modules/@foundry-rs/{name}-linux-amd64/bin/{name}");
    folder(project).join(package)
}

fn compile(project: &Project, out: &Path) -> Result<(), Failure> {
    let mut node = project.command("node");
    node.arg(format!("{CONTRACTS}/compile.js")).arg(out);
    node.env("NODE_PATH", folder(project).join("node_modules"));
    project.execute(node)
}

/// `forge test`, with our script for a compiler and everything that it writes below `target`.
fn forge(project: &Project) -> Command {
    let folder = folder(project);
    let packages = folder.join("node_modules");
    let contracts = project.root().join(CONTRACTS);
    let mut forge = project.command(&tool(project, "forge").to_string_lossy());
    forge.args(["test", "--root"]).arg(&contracts);
    let openzeppelin = packages.join("@openzeppelin");
    forge.arg("--remappings");
    forge.arg(format!("@openzeppelin/={}/", openzeppelin.display()));
    forge.env("FOUNDRY_ALLOW_PATHS", format!("[{:?}]", folder));
    forge.env("FOUNDRY_CACHE_PATH", folder.join("forge/cache"));
    forge.env("FOUNDRY_OUT", folder.join("forge/out"));
    forge.env("FOUNDRY_SOLC", contracts.join("solc.js"));
    forge.env("NODE_PATH", packages);
    forge
}

/// The files of a folder, by name.
fn texts(folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        texts.push((name, std::fs::read_to_string(entry.path()).map_err(failed)?));
    }
    texts.sort();
    Ok(texts)
}

/// One line for each artifact that is not as the sources say.
fn differences(committed: &[(String, String)], fresh: &[(String, String)]) -> Vec<String> {
    let hint = "run `cargo xtask evm build` and commit what it writes";
    let mut names: Vec<_> = committed
        .iter()
        .chain(fresh)
        .map(|(name, _)| name)
        .collect();
    names.sort();
    names.dedup();
    let text = |texts: &[(String, String)], name: &str| {
        let found = texts.iter().find(|(it, _)| it == name);
        found.map(|(_, text)| text.clone())
    };
    names
        .into_iter()
        .filter(|name| text(committed, name) != text(fresh, name))
        .map(|name| format!("{ARTIFACTS}/{name}: not what the sources give; {hint}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_that_is_changed_missing_or_left_over_is_found() {
        let of = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            owned.collect()
        };
        let fresh = of(&[("A.json", "1"), ("B.json", "2")]);
        for (committed, expected) in [
            (of(&[("A.json", "1"), ("B.json", "2")]), ""),
            (of(&[("A.json", "1"), ("B.json", "3")]), "B.json"),
            (of(&[("B.json", "2")]), "A.json"),
            (
                of(&[("A.json", "1"), ("B.json", "2"), ("C.json", "")]),
                "C.json",
            ),
        ] {
            let found = differences(&committed, &fresh);
            assert_eq!(found.len(), usize::from(!expected.is_empty()), "{found:?}");
            assert!(
                found.iter().all(|line| line.contains(expected)),
                "{found:?}"
            );
        }
    }
}
