//! `keel-anchor`: see [`anchor::cli`]. `keel anchor ...` starts it.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    anchor::cli::main()
}
