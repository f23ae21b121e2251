//! Whether a node does what its OpenAPI document says, by requests that schemathesis makes up from it:
//! none may end in a server error, or in a status or a type of content that the document lacks.
//!
//! The node gets a pace that the requests stay below. They come from a seed, so what is found once is
//! found again; `KEEL_SEED` is another one.

use std::path::Path;

use crate::node::{Folder, Node};
use crate::packages;
use crate::project::{Failure, Project};

const REQUIREMENTS: &str = "gateway/examples/conformance/requirements-document.txt";
const LIMITS: &str = "[api]\nrequests_per_address = { per_second = 100000, burst = 100000 }\n";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance";
/// Of each operation; with those of its limits and examples it is about a minute.
const REQUESTS: &str = "120";
const SEED: &str = "1";

/// Starts a node, which must be built, and lets it be asked. What is installed lies below `folder`.
pub(crate) fn run(project: &Project, folder: &Path) -> Result<(), Failure> {
    println!("conformance: the OpenAPI document");
    let venv = folder.join("venv");
    let python = venv.join("bin/python3").to_string_lossy().into_owned();
    let wanted = project.read(REQUIREMENTS)?.text;
    packages::once(folder, &wanted, || {
        packages::python(project, (&venv, &python), REQUIREMENTS, &[])
    })?;
    let data = Folder::new("document")?;
    let limits = folder.join("limits.toml");
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", limits.display()));
    std::fs::write(&limits, LIMITS).map_err(failed)?;
    let limits = limits.to_string_lossy().into_owned();
    let api = ["--api", "127.0.0.1:0", "--limits", &limits];
    let node = Node::start_of(project, "debug", &data.path, &api)?;
    let address = node.api()?;
    let seed = std::env::var("KEEL_SEED").unwrap_or_else(|_| SEED.to_owned());
    let mut requests = project.command(&venv.join("bin/schemathesis").to_string_lossy());
    // It keeps what it found where it runs.
    requests.current_dir(folder);
    requests.args(["run", &format!("http://{address}/openapi.json")]);
    requests.args(["--phases", "examples,coverage,fuzzing"]);
    requests.args(["--checks", CHECKS, "--max-examples", REQUESTS]);
    requests.args(["--seed", &seed, "--warnings", "off", "--no-color"]);
    project.execute(requests)?;
    node.kill()
}
