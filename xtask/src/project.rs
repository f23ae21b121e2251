//! The checkout: its root, its files, and programs run within it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A checkout of this repository.
#[derive(Debug)]
pub(crate) struct Project {
    root: PathBuf,
}

/// A file of the checkout.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Path from the root, with forward slashes.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

/// Why a command failed: one line per finding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    lines: Vec<String>,
}

impl Failure {
    /// One finding.
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self {
            lines: vec![line.into()],
        }
    }

    /// Fails if there are any findings.
    pub(crate) fn unless_empty(lines: Vec<String>) -> Result<(), Self> {
        if lines.is_empty() {
            Ok(())
        } else {
            Err(Self { lines })
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl Project {
    /// The checkout that this binary was built from.
    pub(crate) fn here() -> Self {
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = xtask.parent().expect("xtask is a folder of the checkout");
        Self {
            root: root.to_path_buf(),
        }
    }

    /// Where the checkout is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A program that runs in the root.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Runs a program to its end; its output goes where ours goes.
    pub(crate) fn execute(&self, mut command: Command) -> Result<(), Failure> {
        let status = command.status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::new(format!("{}: {status}", line_of(&command)))),
            Err(error) => Err(Failure::new(format!("{}: {error}", line_of(&command)))),
        }
    }

    /// Runs a program to its end and takes its output.
    pub(crate) fn capture(&self, mut command: Command) -> Result<String, Failure> {
        let output = command.output();
        let output =
            output.map_err(|error| Failure::new(format!("{}: {error}", line_of(&command))))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("{}: {errors}", line_of(&command))));
        }
        String::from_utf8(output.stdout)
            .map_err(|_| Failure::new(format!("{}: output is not UTF-8", line_of(&command))))
    }

    /// A file of the checkout.
    pub(crate) fn read(&self, path: &str) -> Result<Source, Failure> {
        let text = std::fs::read_to_string(self.root.join(path));
        match text {
            Ok(text) => Ok(Source {
                path: path.to_owned(),
                text,
            }),
            Err(error) => Err(Failure::new(format!("{path}: {error}"))),
        }
    }

    /// Paths of all files that are tracked or could be: what git ignores is not part of the project.
    pub(crate) fn files(&self) -> Result<Vec<String>, Failure> {
        let mut git = self.command("git");
        git.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
        let mut paths: Vec<String> = self.capture(git)?.lines().map(str::to_owned).collect();
        // A file deleted but not yet committed is still listed.
        paths.retain(|path| self.root.join(path).is_file());
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    /// All text files of the project. Fixtures that are not UTF-8 are not text.
    pub(crate) fn sources(&self) -> Result<Vec<Source>, Failure> {
        let paths = self.files()?;
        let read = |path: String| {
            let bytes = std::fs::read(self.root.join(&path));
            let bytes = bytes.map_err(|error| Failure::new(format!("{path}: {error}")))?;
            Ok(String::from_utf8(bytes)
                .ok()
                .map(|text| Source { path, text }))
        };
        paths
            .into_iter()
            .filter_map(|path| read(path).transpose())
            .collect()
    }
}

fn line_of(command: &Command) -> String {
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy());
    let program = command.get_program().to_string_lossy();
    std::iter::once(program)
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}
