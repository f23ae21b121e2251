//! Where a bridge is: the file that `deploy` writes and every other command reads.

use std::path::Path;

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::contract::{Asset, Terms};
use crate::endpoints::Expected;

/// One bridge on one chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The chain.
    pub chain_id: u64,
    /// Its address.
    pub bridge: Address,
    /// Of the code there, so that an endpoint that shows another is not believed.
    pub code_hash: B256,
    /// No event of it is older.
    pub block: u64,
    /// What it was made with.
    pub terms: Terms,
    /// By number, as in the ledger's genesis.
    pub assets: Vec<Asset>,
}

impl Deployment {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| {
            let path = path.display();
            format!("{path}: {error}\nhint: `keel anchor deploy --out {path}` writes it")
        };
        let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
        serde_json::from_str(&text).map_err(|error| told(&error))
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).expect("it has no maps with odd keys");
        store::write_atomically(path, format!("{text}\n").as_bytes())
            .map_err(|error| error.to_string())
    }

    /// What an endpoint must show.
    pub const fn expected(&self) -> Expected {
        Expected {
            chain_id: self.chain_id,
            bridge: Some((self.bridge, self.code_hash)),
        }
    }
}
