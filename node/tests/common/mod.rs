//! A real `keel serve` process for tests, ended by its id when the test ends.

#![allow(dead_code)] // Each test file uses its own part.
#![allow(clippy::unwrap_used)] // Called by tests only: what fails here fails the test.

pub(crate) mod load;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use client::{ConnectOptions, ServerPin, SignatureMode};
use rustix::process::{Pid, Signal};
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
        let mut command = serving(&[], directory, "127.0.0.1:0", arguments);
        command.stderr(Stdio::inherit());
        let started = Self::start(command);
        started.unwrap_or_else(|(code, _)| panic!("ended with {code} before it was ready"))
    }

    /// Starts what [`serving`] made and waits until it is ready; or until it has ended, and returns
    /// its exit code and, if that is a pipe, its standard error.
    pub(crate) fn start(mut command: Command) -> Result<Self, (i32, String)> {
        let (process, line) = first_line(&mut command);
        if line.is_empty() {
            return Err(ended(&process.wait_with_output().unwrap()));
        }
        let ready: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let address = ready["listen"].as_str().unwrap().parse().unwrap();
        let pin = ready["pin"].as_str().unwrap().to_owned();
        Ok(Self {
            process,
            address,
            pin,
            ready,
        })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.id(), signal).unwrap();
    }

    /// Waits until it ends by itself: its exit code (of a signal, 128 and its number) and, if that
    /// is a pipe, its standard error.
    pub(crate) fn wait(mut self) -> (i32, String) {
        let mut error = String::new();
        if let Some(stderr) = &mut self.process.stderr {
            stderr.read_to_string(&mut error).unwrap();
        }
        (exit_code(self.process.wait().unwrap()), error)
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM, and the exit status of a clean stop.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.process.wait().unwrap()
    }

    pub(crate) fn options(&self, name: &str) -> ConnectOptions {
        options(self.address, name)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // After `kill` and `stop` there is nothing left to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How a development client connects.
pub(crate) fn options(server: SocketAddr, name: &str) -> ConnectOptions {
    ConnectOptions {
        server,
        pin: ServerPin::Development,
        network: None,
        key: SigningKey::development(name),
        signatures: SignatureMode::Frame,
        keep_alive: client::KEEP_ALIVE,
        receipts: false,
    }
}

/// `keel serve`, its standard error a pipe. `wrapper` is a program with its arguments that becomes
/// `keel` under the same process id, as `prlimit` does.
pub(crate) fn serving(
    wrapper: &[&str],
    directory: &Path,
    listen: &str,
    arguments: &[&str],
) -> Command {
    let mut command = match wrapper {
        [] => keel(),
        [program, rest @ ..] => {
            let mut command = Command::new(program);
            command.args(rest).arg(env!("CARGO_BIN_EXE_keel"));
            command
        }
    };
    command
        .args(["serve", "--json", "--listen", listen, "--dir"])
        .arg(directory)
        .args(arguments)
        .stderr(Stdio::piped());
    command
}

/// Starts a program and waits for its first line of output, which is empty if it ends without.
fn first_line(command: &mut Command) -> (Child, String) {
    let started = command.stdout(Stdio::piped()).spawn();
    let mut process = started.unwrap_or_else(|error| panic!("{command:?}: {error}"));
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
    match Node::start(serving(&[], directory, listen, arguments)) {
        Ok(node) => panic!("it serves: {node:?}"),
        Err(ended) => ended,
    }
}

/// Exit code and standard error of a process that ended by itself.
pub(crate) fn ended(output: &Output) -> (i32, String) {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    (exit_code(output.status), error)
}

/// An exit code as a shell tells it.
fn exit_code(status: ExitStatus) -> i32 {
    let code = status.code();
    code.unwrap_or_else(|| 128 + status.signal().unwrap())
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
