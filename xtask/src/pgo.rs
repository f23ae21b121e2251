//! Binaries that know how they are used: profile-guided optimisation.
//!
//! The demo runs once in each of its shapes on an instrumented build, and what it found is given to a
//! second build. Needs `llvm-profdata` (`rustup component add llvm-tools`). `benches/README.md` has what
//! it is worth; nothing depends on it, and the plain build is what everything else measures.

use std::path::{Path, PathBuf};

use crate::node;
use crate::project::{Failure, Project};

/// The shapes of the demo that are run: large frames, small ones, single orders.
const RUNS: &[&[&str]] = &[
    &["--frame", "128"],
    &["--frame", "32"],
    &["--frame", "8"],
    &["--frame", "1", "--signatures", "rolling"],
];

/// Seconds of each: counts do not get better with more.
const SECONDS: &str = "6";

/// Builds instrumented binaries, runs them, and builds `keel` and `loadgen` with what that found; prints
/// where `keel` is.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let merge = profdata(project)?;
    let folder = node::target(project).join("pgo");
    let (raw, merged) = (folder.join("raw"), folder.join("keel.profdata"));
    // Counts of an earlier build would be merged with these.
    if raw.exists() {
        std::fs::remove_dir_all(&raw)
            .map_err(|error| Failure::new(format!("{}: {error}", raw.display())))?;
    }
    let instrumented = folder.join("instrumented");
    let generate = format!("-Cprofile-generate={}", raw.display());
    build(project, &instrumented, &generate)?;
    for arguments in RUNS {
        let mut demo = project.command(&keel(project, &instrumented)?);
        demo.arg("demo").args(*arguments);
        demo.args(["--seconds", SECONDS]);
        project.execute(demo)?;
    }
    let mut command = project.command(&merge);
    command.arg("merge").arg("-o").arg(&merged).arg(&raw);
    project.execute(command)?;
    let built = folder.join("built");
    let profile = format!("-Cprofile-use={}", merged.display());
    build(project, &built, &profile)?;
    println!("\n== pgo: {}", keel(project, &built)?);
    Ok(())
}

/// A build with these flags for the compiler. A target is named so that they are not for build scripts and
/// macros, which run while others are built.
fn build(project: &Project, folder: &Path, flags: &str) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo.args(["build", "--release", "--locked", "--workspace"]);
    cargo.args(["--bin", "keel", "--bin", "loadgen"]);
    cargo.args(["--target", &rustc(project, "host-tuple")?]);
    cargo
        .env("CARGO_TARGET_DIR", folder)
        .env("RUSTFLAGS", flags);
    project.execute(cargo)
}

/// Where a build for a target leaves `keel`.
fn keel(project: &Project, folder: &Path) -> Result<String, Failure> {
    let host = rustc(project, "host-tuple")?;
    Ok(folder.join(host).join("release/keel").display().to_string())
}

/// The compiler's own tool: a profile is read only by the version that wrote it.
fn profdata(project: &Project) -> Result<String, Failure> {
    let sysroot = rustc(project, "sysroot")?;
    let host = rustc(project, "host-tuple")?;
    let tool = PathBuf::from(sysroot)
        .join("lib/rustlib")
        .join(host)
        .join("bin/llvm-profdata");
    if !tool.exists() {
        return Err(Failure::new(
            "pgo: llvm-profdata is missing; `rustup component add llvm-tools` gets it",
        ));
    }
    Ok(tool.display().to_string())
}

fn rustc(project: &Project, what: &str) -> Result<String, Failure> {
    let mut rustc = project.command("rustc");
    rustc.args(["--print", what]);
    Ok(project.capture(rustc)?.trim().to_owned())
}
