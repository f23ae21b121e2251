//! `keel anchor ...`: becomes `keel-anchor`, which lies beside this program, with the same arguments.
//!
//! A program of its own, so that whoever runs or builds a node links nothing of Ethereum.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::Failure;

/// Options of `keel anchor`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(super) struct Options {
    /// What `keel-anchor` takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Comes back only if it fails: signals and exit code are the other program's.
pub(super) fn run(options: &Options) -> Failure {
    start(&options.arguments)
}

pub(super) fn start<S: AsRef<OsStr>>(arguments: &[S]) -> Failure {
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(error) => return Failure::failed("where this program lies is not known", error),
    };
    let program = own.with_file_name("keel-anchor");
    let error = Command::new(&program).args(arguments).exec();
    let hint = match error.kind() {
        ErrorKind::NotFound => "\nhint: `cargo build --release` makes it",
        _ => "",
    };
    Failure::Failed(format!("{}: {error}{hint}", program.display()))
}
