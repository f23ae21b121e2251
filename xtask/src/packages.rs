//! Packages of others that steps need: pinned in files of ours, installed below the target folder once.

use std::path::Path;

use crate::project::{Failure, Project};

/// Runs `install` unless the folder, which it may rely on, has what is wanted. The mark is written last,
/// so what has it is whole.
pub(crate) fn once(
    folder: &Path,
    wanted: &str,
    install: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mark = folder.join("installed.txt");
    if std::fs::read_to_string(&mark).is_ok_and(|it| it == wanted) {
        return Ok(());
    }
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", mark.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    install()?;
    std::fs::write(&mark, wanted).map_err(failed)
}

/// Makes a virtual environment with these requirements; `more` are options of pip.
pub(crate) fn python(
    project: &Project,
    (venv, interpreter): (&Path, &str),
    requirements: &str,
    more: &[&str],
) -> Result<(), Failure> {
    let mut make = project.command("python3");
    make.args(["-m", "venv", "--clear"]).arg(venv);
    project.execute(make)?;
    let mut pip = project.command(interpreter);
    pip.args(["-m", "pip", "install", "--quiet", "--require-virtualenv"]);
    pip.arg("--disable-pip-version-check").args(more);
    pip.args(["-r", requirements]);
    project.execute(pip)
}

/// Installs what a `package.json` with this text names.
pub(crate) fn npm(project: &Project, folder: &Path, packages: &str) -> Result<(), Failure> {
    let file = folder.join("package.json");
    std::fs::write(&file, packages)
        .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let mut npm = project.command("npm");
    npm.args(["install", "--no-fund", "--no-audit", "--no-package-lock"]);
    npm.args(["--silent", "--prefix"]).arg(folder);
    project.execute(npm)
}
