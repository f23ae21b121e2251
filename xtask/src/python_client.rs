//! The client in Python against a real node. It is written from `docs/PROTOCOL.md` alone, so it
//! shows that this page is enough.

use std::path::PathBuf;

use crate::node::{Folder, Node, build, target};
use crate::project::{Failure, Project};

const FOLDER: &str = "gateway/examples/python";

pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let python = environment(project)?;
    build(project, &[])?;
    let folder = Folder::new("python-client")?;
    let node = Node::start_of(project, "debug", &folder.path, &[])?;
    let mut client = project.command(&python);
    client.arg(format!("{FOLDER}/keel_client.py"));
    client.args(["--connect", &node.listen, "--protocol", "docs/PROTOCOL.md"]);
    project.execute(client)?;
    node.kill()
}

/// The interpreter of a virtual environment with the pinned packages; made if it is not there.
fn environment(project: &Project) -> Result<String, Failure> {
    let requirements = format!("{FOLDER}/requirements.txt");
    let wanted = project.read(&requirements)?.text;
    let path: PathBuf = target(project).join("python-client");
    let python = path.join("bin/python3").to_string_lossy().into_owned();
    // Written last, so what has it is whole.
    let installed = path.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|it| it == wanted) {
        return Ok(python);
    }
    let mut venv = project.command("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&path);
    project.execute(venv)?;
    let mut pip = project.command(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--require-virtualenv",
    ]);
    pip.args(["--disable-pip-version-check", "-r", &requirements]);
    project.execute(pip)?;
    std::fs::write(&installed, wanted)
        .map_err(|error| Failure::new(format!("{}: {error}", installed.display())))?;
    Ok(python)
}
