//! A node under strace, from its first call on or from when it is ready.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::common::{Node, serving};

/// What strace shall do besides watching.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// `SYSCALL:error=EIO:when=N` and the like. Each thread counts for itself.
    pub(crate) inject: Option<String>,
    /// Only calls on these files are counted, hit and shown; empty: all.
    pub(crate) files: Vec<PathBuf>,
}

pub(crate) fn no_faults() -> Faults {
    Faults::default()
}

/// A node, and where its trace goes.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) node: Node,
    trace: tempfile::NamedTempFile,
    /// A strace that is our own child.
    attached: Option<Child>,
}

/// Exit code and standard error of the node, then the trace.
pub(crate) type Ended = ((i32, String), String);

impl Traced {
    /// Starts one; an error is a node that ended before it was ready.
    pub(crate) fn start(
        directory: &Path,
        faults: &Faults,
        arguments: &[&str],
    ) -> Result<Self, Ended> {
        let trace = tempfile::NamedTempFile::new().unwrap();
        // `-D` makes strace the grandchild, so that the process which we start is the node itself.
        let mut wrapper = strace(&["-D", "--seccomp-bpf"]);
        wrapper.extend(options(trace.path(), faults));
        let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
        let command = serving(&wrapper, directory, "127.0.0.1:0", arguments);
        match Node::start(command) {
            Ok(node) => Ok(Self {
                node,
                trace,
                attached: None,
            }),
            Err(ended) => Err((ended, read(&trace))),
        }
    }

    /// Attaches to one that is ready: only its threads from then on are watched and counted.
    pub(crate) fn attach(node: Node, faults: &Faults) -> Self {
        let trace = tempfile::NamedTempFile::new().unwrap();
        let mut words = strace(&["-p", &node.id().to_string()]);
        words.extend(options(trace.path(), faults));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stderr(Stdio::piped());
        let mut tracer = command.spawn().unwrap();
        let mut line = String::new();
        let mut errors = BufReader::new(tracer.stderr.take().unwrap());
        errors.read_line(&mut line).unwrap();
        assert!(line.contains(" attached"), "{line}");
        // New threads are told there too; nobody may have to wait until that is read.
        std::thread::spawn(move || errors.lines().for_each(drop));
        Self {
            node,
            trace,
            attached: Some(tracer),
        }
    }

    /// Waits until the node ends by itself.
    pub(crate) fn wait(self) -> Ended {
        let ended = self.node.wait();
        if let Some(mut tracer) = self.attached {
            tracer.wait().unwrap();
        }
        (ended, read(&self.trace))
    }

    /// Asks it to stop.
    pub(crate) fn stop(self) -> Ended {
        self.node.signal(Signal::TERM);
        self.wait()
    }
}

/// Whole: either strace has ended, or it held the node's standard error, which was read to its end.
fn read(trace: &tempfile::NamedTempFile) -> String {
    std::fs::read_to_string(trace.path()).unwrap()
}

fn strace(how: &[&str]) -> Vec<String> {
    let words = ["strace"].iter().chain(how);
    words.map(|word| (*word).to_owned()).collect()
}

fn options(trace: &Path, faults: &Faults) -> Vec<String> {
    let calls = "pwrite64,fdatasync,fsync,openat,rename,renameat2,\
                 sendmsg,sendmmsg,sendto,write,writev";
    let mut words: Vec<String> = ["-f", "-ttt", "-y", "-s", "0", "-e"]
        .map(str::to_owned)
        .to_vec();
    words.extend([format!("trace={calls}"), "-o".to_owned(), path(trace)]);
    for file in &faults.files {
        words.extend(["-P".to_owned(), path(file)]);
    }
    if let Some(inject) = &faults.inject {
        words.extend(["-e".to_owned(), format!("inject={inject}")]);
    }
    words
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
