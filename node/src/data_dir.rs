//! A data directory: `genesis.toml`, `tls.seed` (not on a development network) and `journal/`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway::api::FaucetSpec;
use store::{Identity, write_atomically, write_secret_atomically};
use types::NetworkId;
use types::auth;
use types::decimal::{bytes_from_hex, to_hex};
use types::genesis::Genesis;

use crate::cli::Failure;
use crate::genesis_file::{self, Network};
use crate::recovery::identity_of;

/// An opened data directory.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    network: Network,
}

impl DataDir {
    /// Opens a directory that holds a network, for reading.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let file = path.join("genesis.toml");
        let text = std::fs::read_to_string(&file).map_err(|error| {
            Failure::Failed(format!(
                "{}: {error}\nhint: is {} a data directory of `keel serve`?",
                file.display(),
                path.display()
            ))
        })?;
        // Whoever made the directory wrote this file whole, from a genesis that had passed.
        let network = genesis_file::parse(&text)
            .map_err(|error| Failure::Corruption(format!("{}: {error}", file.display())))?;
        Ok(Self {
            path: path.to_owned(),
            network,
        })
    }

    /// Opens a directory for a node, making it if there is none. `genesis`, if given, must be the
    /// directory's own; a new directory without one gets the development genesis.
    pub(crate) fn open_or_create(
        path: &Path,
        genesis_path: Option<&Path>,
    ) -> Result<Self, Failure> {
        let given = genesis_path.map(read_genesis).transpose()?;
        if path.join("genesis.toml").exists() {
            let opened = Self::open(path)?;
            return match given {
                Some(given) if given.genesis.hash() != opened.genesis().hash() => {
                    Err(Failure::Failed(format!(
                        "{} belongs to another genesis (network {}, hash {}) than the one given \
                         (network {}, hash {})",
                        path.display(),
                        opened.genesis().network(),
                        opened.genesis().hash(),
                        given.genesis.network(),
                        given.genesis.hash(),
                    )))
                }
                Some(given) if given.faucet != opened.network.faucet => {
                    Err(Failure::Failed(format!(
                        "{} has another faucet than the genesis given: what its own genesis.toml says \
                         counts",
                        path.display()
                    )))
                }
                _ => Ok(opened),
            };
        }
        let network = given.unwrap_or_else(Network::development);
        let what = format!("cannot make {}", path.display());
        std::fs::create_dir_all(path).map_err(|error| Failure::failed(&what, error))?;
        let text = genesis_file::format(&network);
        write_atomically(&path.join("genesis.toml"), text.as_bytes())?;
        Ok(Self {
            path: path.to_owned(),
            network,
        })
    }

    /// Compares every byte of the genesis file with what is written when a directory is made.
    pub(crate) fn verify_genesis_file(&self) -> Result<(), Failure> {
        let file = self.path.join("genesis.toml");
        let what = file.display().to_string();
        let found = std::fs::read(&file).map_err(|error| Failure::failed(&what, error))?;
        let written = genesis_file::format(&self.network).into_bytes();
        if found == written {
            return Ok(());
        }
        let same = found.iter().zip(&written).take_while(|(a, b)| a == b);
        let offset = same.count();
        Err(Failure::Corruption(format!(
            "{what}:{offset}: not as it was written"
        )))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The network's genesis.
    pub(crate) const fn genesis(&self) -> &Arc<Genesis> {
        &self.network.genesis
    }

    /// The network's faucet, if it has one.
    pub(crate) const fn faucet(&self) -> Option<&FaucetSpec> {
        self.network.faucet.as_ref()
    }

    /// What every journal segment of this directory must say.
    pub(crate) fn identity(&self) -> Identity {
        identity_of(self.genesis())
    }

    /// The seed of the node's TLS key: published on a development network, else made once and kept.
    pub(crate) fn tls_seed(&self) -> Result<[u8; 32], Failure> {
        if self.genesis().network() == NetworkId::DEVELOPMENT {
            return Ok(auth::development_seed("tls"));
        }
        let file = self.path.join("tls.seed");
        if !file.exists() {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(|error| Failure::failed("no entropy", error))?;
            write_secret_atomically(&file, to_hex(&seed).as_bytes())?;
        }
        let what = file.display().to_string();
        let text = std::fs::read_to_string(&file).map_err(|error| Failure::failed(&what, error))?;
        bytes_from_hex(text.trim())
            .ok_or_else(|| Failure::Corruption(format!("{what}: not 64 hexadecimal digits")))
    }
}

/// Reads and checks a genesis file.
fn read_genesis(path: &Path) -> Result<Network, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    genesis_file::parse(&text)
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}
