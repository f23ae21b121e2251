//! The web page against a real node, in a real browser: Debian's Chromium, driven by playwright-core.
//! What it does is in `gateway/web/test`; a wallet signs there, so what it needs of others is pinned
//! in `gateway/web/package.json` and lies below the target folder.

use std::path::{Path, PathBuf};

use crate::node::{Folder, Node, binary, build, target};
use crate::packages;
use crate::project::{Failure, Project};

const TEST: &str = "gateway/web/test/page.mjs";
const PACKAGES: &str = "gateway/web/package.json";
const BROWSER: &str = "/usr/bin/chromium";
/// Shown in the docs; `KEEL_KEEP_PICTURE=1` puts a new one there.
const PICTURE: &str = "docs/trading-page.png";
/// More is too much for a picture in a repository.
const PICTURE_BYTES_MAX: u64 = 300 << 10;

pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let installed = install(project)?;
    build(project, &[])?;
    let out = installed.join("pictures");
    let failed =
        |path: &Path, error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(&out).map_err(|error| failed(&out, error))?;
    let folder = Folder::new("page")?;
    let often = ["--api", "127.0.0.1:0", "--checkpoint-interval", "200"];
    let node = Node::start_of(project, "debug", &folder.path, &often)?;
    let api = node.api()?;
    let mut test = project.command("node");
    test.arg(TEST).arg(format!("http://{api}"));
    test.args([&node.listen, &binary(project, "debug", "keel")]);
    test.arg(project.root())
        .arg(&installed)
        .arg(BROWSER)
        .arg(&out);
    project.execute(test)?;
    node.kill()?;
    keep(&out.join("trading-page.png"), &project.root().join(PICTURE))
}

/// Keeps the picture, if somebody wants that; either way it has to be small.
fn keep(made: &Path, kept: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", made.display()));
    let length = std::fs::metadata(made).map_err(failed)?.len();
    if length > PICTURE_BYTES_MAX {
        return Err(Failure::new(format!("{}: {length} bytes", made.display())));
    }
    if std::env::var_os("KEEL_KEEP_PICTURE").is_some() {
        std::fs::copy(made, kept).map_err(failed)?;
    }
    Ok(())
}

/// Installs what is pinned, if it is not there.
fn install(project: &Project) -> Result<PathBuf, Failure> {
    let folder = target(project).join("page");
    let wanted = project.read(PACKAGES)?.text;
    packages::once(&folder, &wanted, || {
        packages::npm(project, &folder, &wanted)
    })?;
    Ok(folder)
}
