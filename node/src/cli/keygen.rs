//! `keel keygen`: makes an Ed25519 key.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use types::auth::SigningKey;
use types::decimal::to_hex;
use types::genesis;

use super::{Failure, print_line};

/// Options of `keel keygen`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Where to write the secret (64 hexadecimal digits, readable by you only). Never overwrites.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print one machine-readable object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Failure::failed("no entropy", error))?;
    let public = SigningKey::from_seed(seed).public();
    let secret = to_hex(&seed);
    let path = &options.out;
    let what = format!("cannot write {}", path.display());
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure::failed(&what, error))?;
    file.write_all(format!("{secret}\n").as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| Failure::failed(&what, error))?;
    if options.json {
        let object = serde_json::json!({ "public_key": public.to_string(), "file": path });
        print_line(&object.to_string());
    } else {
        print_line(&format!(
            "public key {public}\nsecret in  {}",
            path.display()
        ));
    }
    Ok(())
}

/// The key that `--key` names: a development name, or a file made by `keel keygen`.
pub(super) fn load(name: &str) -> Result<SigningKey, Failure> {
    if genesis::development_names().any(|known| known == name) {
        return Ok(SigningKey::development(name));
    }
    let text = std::fs::read_to_string(name).map_err(|error| {
        Failure::Usage(format!(
            "--key {name}: {error}\nhint: give dev-0 .. dev-63, dev-operator, or a file made by \
             `keel keygen`"
        ))
    })?;
    types::decimal::bytes_from_hex(text.trim())
        .map(SigningKey::from_seed)
        .ok_or_else(|| Failure::Usage(format!("--key {name}: not 64 hexadecimal digits")))
}
