//! A real node under attack, with an honest trader beside each: what a stranger, a broken client or a
//! crowd can take, and what is left for others.
//!
//! A plain run is short and asserts what does not depend on the machine: who is answered what, that the
//! honest one is answered always, that memory stays. With `KEEL_LIMITS=long` the sizes are those that the
//! node promises, and each scenario prints a row of the report (`cargo xtask limits`), figures of time
//! included. Not run by a plain `cargo test`: CI runs it by name, one after the other.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.
#![allow(clippy::print_stdout)] // The report.

#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod honest;
mod overload;
mod raw;
mod traders;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use common::Node;

/// Longer than any answer takes, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the sizes are those of the long form.
fn is_long() -> bool {
    std::env::var("KEEL_LIMITS").is_ok_and(|it| it == "long")
}

/// One of two sizes.
fn size(short: usize, long: usize) -> usize {
    match is_long() {
        true => long,
        false => short,
    }
}

/// A row of the report.
fn row(limit: &str, asked: &str, measured: &str, holds: bool) {
    let holds = if holds { "yes" } else { "**no**" };
    println!("| {limit} | {asked} | {measured} | {holds} |");
}

/// A node with metrics and these limits beside the usual ones.
struct Target {
    node: Node,
    _directory: tempfile::TempDir,
}

impl Target {
    fn start(limits: &str) -> Self {
        Self::start_with(limits, &[])
    }

    /// With more arguments.
    fn start_with(limits: &str, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("limits.toml");
        std::fs::write(&file, limits).unwrap();
        let data = directory.path().join("data");
        let node = Self::serve(&data, &file, arguments);
        Self {
            node,
            _directory: directory,
        }
    }

    fn serve(data: &Path, limits: &Path, arguments: &[&str]) -> Node {
        let limits = limits.to_str().unwrap();
        let usual = ["--metrics", "127.0.0.1:0", "--limits", limits];
        Node::serve_with(data, &[&usual, arguments].concat())
    }

    /// The value of one metric.
    fn metric(&self, name: &str) -> u64 {
        let server = self.node.ready["metrics"].as_str().unwrap();
        let mut stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let mut lines = text.lines();
        let value = lines.find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("no {name}"))
            .parse()
            .unwrap()
    }

    /// Resident bytes.
    fn memory(&self) -> u64 {
        self.metric("process_resident_memory_bytes")
    }

    /// A clean stop.
    fn stop(self) {
        assert!(self.node.stop().success());
    }
}

/// Nothing asked for, many sessions for few keys.
const CROWDED: &str = "[connections]\nsessions = 14000\nsessions_per_key = 14000\n";

/// A runtime of one thread, for clients.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}
