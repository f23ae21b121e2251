//! Traders' clients that nobody here wrote, unmodified, against a real node: one scenario each; and then
//! requests made up from the node's own [description](crate::document).
//!
//! They come from the package registries at pinned versions and lie below the target folder. Each
//! scenario starts on a node of its own, so none depends on what another left.

use std::path::PathBuf;

use crate::document;
use crate::node::{Folder, Node, build, target};
use crate::packages;
use crate::project::{Failure, Project};

const FOLDER: &str = "gateway/examples/conformance";

/// Scenarios, and who runs them.
const SCENARIOS: [(&str, Runner); 3] = [
    ("scenario_sdk.py", Runner::Python),
    ("scenario_ccxt.py", Runner::Python),
    ("scenario_ts.mjs", Runner::Node),
];

#[derive(Clone, Copy)]
enum Runner {
    Python,
    Node,
}

/// Where the clients are.
struct Installed {
    folder: PathBuf,
    python: String,
}

pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let installed = install(project)?;
    build(project, &[])?;
    for (scenario, runner) in SCENARIOS {
        println!("conformance: {scenario}");
        let folder = Folder::new("conformance")?;
        let api = ["--api", "127.0.0.1:0"];
        let node = Node::start_of(project, "debug", &folder.path, &api)?;
        let url = format!("http://{}", node.api()?);
        let mut client = match runner {
            Runner::Python => project.command(&installed.python),
            Runner::Node => project.command("node"),
        };
        client.arg(format!("{FOLDER}/{scenario}")).arg(&url);
        if let Runner::Node = runner {
            client.arg(&installed.folder);
        }
        project.execute(client)?;
        node.kill()?;
    }
    document::run(project, &target(project).join("document"))
}

/// Installs what is pinned, if it is not there.
fn install(project: &Project) -> Result<Installed, Failure> {
    let folder = target(project).join("conformance");
    let venv = folder.join("python");
    let python = venv.join("bin/python3").to_string_lossy().into_owned();
    let requirements = format!("{FOLDER}/requirements.txt");
    let packages = project.read(&format!("{FOLDER}/package.json"))?.text;
    let wanted = format!("{}{packages}", project.read(&requirements)?.text);
    packages::once(&folder, &wanted, || {
        packages::python(project, (&venv, &python), &requirements, &[])?;
        packages::npm(project, &folder, &packages)
    })?;
    Ok(Installed { folder, python })
}
