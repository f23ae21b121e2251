//! `keel anchor ...`: starts `keel-anchor`, which lies beside this program, with the same arguments.
//!
//! A program of its own, so that whoever runs or builds a node links nothing of Ethereum.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::{Command, ExitCode};

use super::Failure;

/// Options of `keel anchor`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(super) struct Options {
    /// What `keel-anchor` takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Passes its exit code on.
pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::failed("where this program lies is not known", error))?;
    let program = own.with_file_name("keel-anchor");
    let status = Command::new(&program).args(&options.arguments).status();
    let status = status.map_err(|error| {
        let program = program.display();
        let hint = match error.kind() {
            ErrorKind::NotFound => "\nhint: `cargo build --release -p anchor` makes it",
            _ => "",
        };
        Failure::Failed(format!("{program}: {error}{hint}"))
    })?;
    // A signal is no exit code.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
