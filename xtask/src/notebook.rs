//! The examples in Python against a real node: the market maker of `examples/market_maker_bot`, and the
//! notebook of `examples/notebook`, which trades with it and reads the node's history with DuckDB.
//!
//! What they need lies below the target folder; the executed notebook, with its plots, too.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::node::{Folder, Node, binary, build, target};
use crate::packages;
use crate::project::{Failure, Project};

const BOT: &str = "examples/market_maker_bot/bot.py";
const RUN: &str = "examples/notebook/run.py";
const REQUIREMENTS: &str = "examples/notebook/requirements.txt";
/// Has the secret keys of development wallets.
const WALLETS: &str = "gateway/examples/conformance/wallets.json";
/// Seconds that the bot quotes at the most: it is told to end when the notebook has.
const SECONDS: &str = "180";

pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let folder = target(project).join("notebook");
    let venv = folder.join("python");
    let python = venv.join("bin/python3").to_string_lossy().into_owned();
    let wanted = project.read(REQUIREMENTS)?.text;
    packages::once(&folder, &wanted, || {
        packages::python(project, (&venv, &python), REQUIREMENTS, &[])
    })?;
    build(project, &[])?;
    let data = Folder::new("notebook")?;
    let api = ["--api", "127.0.0.1:0"];
    let node = Node::start_of(project, "debug", &data.path, &api)?;
    let url = format!("http://{}", node.api()?);

    let mut bot = project.command(&python);
    bot.args([BOT, "--url", &url, "--seconds", SECONDS]);
    bot.args(["--secret", &secret(project)?]);
    let failed = |error| Failure::new(format!("{BOT}: {error}"));
    let bot = bot.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut notebook = notebook(project, &python, &folder);
    notebook.env("KEEL", binary(project, "debug", "keel"));
    notebook.env("KEEL_URL", &url).env("KEEL_DIR", &data.path);
    let executed = project.execute(notebook);
    // As by Ctrl-C: it cancels what it has, and says what it did.
    let mut interrupt = project.command("kill");
    interrupt.args(["-INT", &bot.id().to_string()]);
    project.execute(interrupt)?;
    let bot = bot.wait_with_output().map_err(failed)?;
    executed?;
    node.kill()?;
    let told = String::from_utf8_lossy(&bot.stdout).into_owned();
    let last = told.lines().next_back().unwrap_or_default();
    println!("{BOT}: {last}");
    if !bot.status.success() {
        return Err(Failure::new(format!("{BOT}: {}", bot.status)));
    }
    Failure::unless_empty(fault(last).into_iter().collect())
}

/// Keeps everything that Jupyter writes in the folder.
fn notebook(project: &Project, python: &str, folder: &Path) -> Command {
    let mut notebook = project.command(python);
    notebook.arg(RUN).arg(folder.join("keel.ipynb"));
    for (name, place) in [
        ("IPYTHONDIR", "ipython"),
        ("JUPYTER_CONFIG_DIR", "jupyter"),
        ("JUPYTER_DATA_DIR", "jupyter"),
        ("JUPYTER_RUNTIME_DIR", "jupyter"),
        ("MPLCONFIGDIR", "matplotlib"),
    ] {
        notebook.env(name, folder.join(place));
    }
    notebook
}

/// The published key of the wallet that the bot trades with.
fn secret(project: &Project) -> Result<String, Failure> {
    let text = project.read(WALLETS)?.text;
    let secret = text
        .split('"')
        .find(|it| it.len() == 66 && it.starts_with("0x"));
    secret
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("{WALLETS}: no secret")))
}

/// What is wrong with the last line of the bot: it must have quoted, moved its quotes, and filled.
fn fault(last: &str) -> Option<String> {
    let counts = last.strip_prefix("end: ").map(|line| {
        ["placed", "moved", "fills"].map(|what| {
            let (before, _) = line.split_once(&format!(" {what},"))?;
            before.rsplit(' ').next()?.parse::<u64>().ok()
        })
    });
    match counts {
        Some(counts) if counts.iter().all(|it| it.is_some_and(|it| it > 0)) => None,
        _ => Some(format!("{BOT}: it has not traded: {last:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_that_does_not_trade_is_found() {
        for (last, is_good) in [
            ("end: 6 placed, 4 moved, 2 fills, inventory 0.1", true),
            ("6 placed, 4 moved, 2 fills, inventory 0.1", false),
            ("end: 6 placed, 0 moved, 2 fills, inventory 0.1", false),
            ("end: 6 placed, 4 moved, 0 fills, inventory 0.1", false),
            ("end: 6 placed", false),
            ("", false),
        ] {
            let found = fault(last);
            assert_eq!(found.is_none(), is_good, "{last:?}: {found:?}");
        }
    }
}
