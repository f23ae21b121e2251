//! The client in Python against a real node. It is written from `docs/PROTOCOL.md` alone, so it
//! shows that this page is enough.

use crate::node::{Folder, Node, build, target};
use crate::packages;
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
    let folder = target(project).join("python-client");
    let venv = folder.join("python");
    let python = venv.join("bin/python3").to_string_lossy().into_owned();
    let requirements = format!("{FOLDER}/requirements.txt");
    packages::once(&folder, &project.read(&requirements)?.text, || {
        packages::python(project, (&venv, &python), &requirements, &["--no-deps"])
    })?;
    Ok(python)
}
