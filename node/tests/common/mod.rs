//! A real `keel serve` process for tests, ended by its id when the test ends.

#![allow(dead_code)] // Each test file uses its own part.
#![allow(clippy::unwrap_used)] // Called by tests only: what fails here fails the test.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use client::{ConnectOptions, ServerPin};
use types::auth::SigningKey;

/// A node in a process of its own.
#[derive(Debug)]
pub(crate) struct Node {
    process: Child,
    pub(crate) address: SocketAddr,
    /// The key that clients pin, in hexadecimal.
    pub(crate) pin: String,
    /// The object that it printed when it was ready.
    pub(crate) ready: serde_json::Value,
}

impl Node {
    /// Starts one on a free port and waits until it is ready.
    pub(crate) fn serve(directory: &Path) -> Self {
        Self::serve_with(directory, &[])
    }

    /// With more arguments.
    pub(crate) fn serve_with(directory: &Path, arguments: &[&str]) -> Self {
        let (process, line) = start_serving(directory, "127.0.0.1:0", arguments, Stdio::inherit());
        let ready: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let address = ready["listen"].as_str().unwrap().parse().unwrap();
        let pin = ready["pin"].as_str().unwrap().to_owned();
        Self {
            process,
            address,
            pin,
            ready,
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM, and the exit status of a clean stop.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.process.wait().unwrap()
    }

    pub(crate) fn options(&self, name: &str) -> ConnectOptions {
        ConnectOptions {
            server: self.address,
            pin: ServerPin::Development,
            network: None,
            key: SigningKey::development(name),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // After `kill` and `stop` there is nothing left to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts `keel serve` and waits for its first line of output, which is empty if it refuses.
fn start_serving(
    directory: &Path,
    listen: &str,
    arguments: &[&str],
    errors: Stdio,
) -> (Child, String) {
    let mut process = keel()
        .args(["serve", "--json", "--listen", listen, "--dir"])
        .arg(directory)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = process.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    (process, line)
}

/// `keel serve` that must refuse to start: its exit code and its reason.
pub(crate) fn refuses_to_serve(
    directory: &Path,
    listen: &str,
    arguments: &[&str],
) -> (i32, String) {
    let (mut process, line) = start_serving(directory, listen, arguments, Stdio::piped());
    if !line.is_empty() {
        process.kill().unwrap();
        process.wait().unwrap();
        panic!("it serves: {line}");
    }
    ended(&process.wait_with_output().unwrap())
}

/// Exit code and standard error of a process that ended by itself.
pub(crate) fn ended(output: &Output) -> (i32, String) {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    (output.status.code().unwrap(), error)
}

pub(crate) fn keel() -> Command {
    Command::new(env!("CARGO_BIN_EXE_keel"))
}

/// Runs a command on a data directory to its end.
pub(crate) fn run(command: &str, directory: &Path, arguments: &[&str]) -> Output {
    keel()
        .arg(command)
        .arg("--dir")
        .arg(directory)
        .args(arguments)
        .output()
        .unwrap()
}

/// Its standard output, after it ended well.
pub(crate) fn text(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {error}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}
