//! The programs of the demonstration: anvil and a node, on ports of 127.0.0.1 that are free.
//!
//! Each ends with the value that stands for it, and nothing else is ever ended.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::cli::Failure;

/// A chain of its own.
#[derive(Debug)]
pub(super) struct Anvil {
    child: Child,
    /// Where it answers.
    pub(super) url: String,
}

/// A node in a process of its own.
#[derive(Debug)]
pub(super) struct Node {
    child: Child,
    program: PathBuf,
    address: String,
}

impl Anvil {
    /// Starts the program that is named, or else the first that is found.
    pub(super) fn start(named: Option<&Path>) -> Result<Self, Failure> {
        let program = named.map_or_else(find_anvil, |path| Ok(path.to_owned()))?;
        let mut command = Command::new(&program);
        command.args(["--host", "127.0.0.1", "--port", "0"]);
        // As on the main network: no transaction takes more gas than it would there.
        command.arg("--enable-tx-gas-limit");
        let (child, address) = start(&program, &mut command, ANVIL_HINT, |line| {
            line.strip_prefix("Listening on ").map(str::to_owned)
        })?;
        let url = format!("http://{address}");
        Ok(Self { child, url })
    }
}

impl Node {
    /// Starts `keel serve`, from beside this program, on a directory that it makes.
    pub(super) fn start(folder: &Path) -> Result<Self, Failure> {
        let own = std::env::current_exe().map_err(Failure::failed)?;
        let program = own.with_file_name("keel");
        let mut command = Command::new(&program);
        command.args(["serve", "--json", "--listen", "127.0.0.1:0"]);
        command.args(["--checkpoint-interval", "100"]);
        command.args(["--segment-length", "4194304"]);
        command.arg("--dir").arg(folder.join("data"));
        command.arg("--genesis").arg(folder.join("genesis.toml"));
        let hint = "`cargo build --release` makes it";
        let (child, address) = start(&program, &mut command, hint, |line| {
            let ready: Value = serde_json::from_str(line).ok()?;
            ready["listen"].as_str().map(str::to_owned)
        })?;
        Ok(Self {
            child,
            program,
            address,
        })
    }

    /// Where native clients connect.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// What `keel client` answers to these lines of one key, all of which must be accepted.
    pub(super) fn client(&self, key: &str, lines: &[&str]) -> Result<Vec<Value>, Failure> {
        let mut command = Command::new(&self.program);
        command.args(["client", "--connect", &self.address, "--key", key]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(Failure::failed)?;
        let mut input = child.stdin.take().expect("it is a pipe");
        let told = lines.iter().try_for_each(|line| writeln!(input, "{line}"));
        drop(input);
        let output = child.wait_with_output().map_err(Failure::failed)?;
        told.map_err(Failure::failed)?;
        let text = success("keel client", &output)?;
        let parsed: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
        let replies = parsed.map_err(Failure::failed)?;
        match replies.iter().find(|it| it["status"] == "rejected") {
            None => Ok(replies),
            Some(rejected) => Err(Failure::Failed(format!("keel client: {rejected}"))),
        }
    }

    /// The object that another command of `keel` prints.
    pub(super) fn keel(&self, arguments: &[&OsStr]) -> Result<Value, Failure> {
        let output = Command::new(&self.program).args(arguments).output();
        let output = output.map_err(Failure::failed)?;
        let text = success(&format!("keel {}", arguments[0].display()), &output)?;
        serde_json::from_str(text.trim()).map_err(Failure::failed)
    }

    /// Without a chance to say or write anything.
    pub(super) fn kill(&mut self) {
        end(&mut self.child);
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// It may have ended by itself; then there is nothing to do.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Starts a program and waits for the line that tells its address.
fn start(
    program: &Path,
    command: &mut Command,
    hint: &str,
    address: fn(&str) -> Option<String>,
) -> Result<(Child, String), Failure> {
    let failed = |reason: &dyn std::fmt::Display| {
        Failure::Failed(format!("{}: {reason}\nhint: {hint}", program.display()))
    };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    let out = child.stdout.take().expect("it is a pipe");
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    let Some(address) = lines.by_ref().find_map(|line| address(&line)) else {
        end(&mut child);
        return Err(failed(&"it ended without saying where it listens"));
    };
    // Whatever else it says must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Ok((child, address))
}

fn success(what: &str, output: &Output) -> Result<String, Failure> {
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Failed(format!("{what}: {}", reason.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// In the search path, or where `cargo xtask evm install` puts it: in the folder `evm` beside that of
/// this build.
fn find_anvil() -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join("anvil"));
    let own = std::env::current_exe().map_err(Failure::failed)?;
    let installed = own.ancestors().skip(1).map(|it| it.join(INSTALLED));
    let mut places = in_path.chain(installed.take(3));
    places
        .find(|it| it.is_file())
        .ok_or_else(|| Failure::Failed(format!("anvil is not installed\nhint: {ANVIL_HINT}")))
}

const INSTALLED: &str = "evm/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
const ANVIL_HINT: &str =
    "`cargo xtask evm install` brings it (needs npm); another one is named by --anvil FILE";
