//! What several commands ask for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy::primitives::{Address, B256};
use alloy::signers::local::PrivateKeySigner;
use reqwest::Url;

use super::Failure;
use crate::bridge::BridgeReader;
use crate::deployment::Deployment;
use crate::endpoints::Endpoints;
use crate::sender::Sender;

/// Where the chain is.
#[derive(Debug, clap::Args)]
pub(super) struct Chain {
    /// A node of the chain (http or https); several are asked one after the other, and compared where money
    /// depends on it.
    #[arg(long = "rpc", value_name = "URL", required = true)]
    pub(super) endpoints: Vec<Url>,
    /// How long a node may take to answer, in seconds.
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub(super) timeout: u64,
}

impl Chain {
    pub(super) const fn limit(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Which bridge, and where its chain is.
#[derive(Debug, clap::Args)]
pub(super) struct Bridge {
    /// The file that `deploy` wrote.
    #[arg(long, value_name = "FILE")]
    bridge: PathBuf,
    #[command(flatten)]
    pub(super) chain: Chain,
}

impl Bridge {
    pub(super) fn open(&self) -> Result<BridgeReader, Failure> {
        let deployment = Deployment::read(&self.bridge).map_err(Failure::Failed)?;
        let expected = deployment.expected();
        let endpoints = Endpoints::new(&self.chain.endpoints, expected, self.chain.limit());
        Ok(BridgeReader {
            endpoints,
            deployment,
        })
    }
}

/// Who pays the gas, and how much at most.
#[derive(Debug, clap::Args)]
pub(super) struct Signing {
    /// A file with the private key of an account of the chain, in hexadecimal. No other program may
    /// use the account at the same time.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Never offer more per gas.
    #[arg(long, value_name = "GWEI", default_value_t = 500)]
    max_fee_gwei: u64,
    /// Offer more when a transaction is not mined after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 45)]
    patience: u64,
    /// Give up after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 900)]
    deadline: u64,
}

impl Signing {
    pub(super) fn sender(&self) -> Result<Sender, Failure> {
        Ok(Sender {
            signer: read_key(&self.key)?,
            patience: Duration::from_secs(self.patience),
            deadline: Duration::from_secs(self.deadline),
            max_fee: u128::from(self.max_fee_gwei) * 1_000_000_000,
            poll: POLL,
        })
    }
}

/// How often a node is asked whether something happened.
pub(super) const POLL: Duration = Duration::from_millis(250);

fn read_key(path: &Path) -> Result<PrivateKeySigner, Failure> {
    let failed = |reason: String| {
        let path = path.display();
        Failure::Failed(format!(
            "{path}: {reason}\nhint: --key names a file with 64 hexadecimal digits"
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    // The reason of a bad key must not show the key.
    let bytes: B256 = text
        .trim()
        .parse()
        .map_err(|_| failed("not a private key".to_owned()))?;
    PrivateKeySigner::from_bytes(&bytes).map_err(|_| failed("not a private key".to_owned()))
}

/// `eth` or a token's address, and how many of its units an atom is: `eth:1000000000`.
pub(super) fn parse_asset(text: &str) -> Result<(Address, u128), String> {
    let (token, scale) = text.split_once(':').ok_or("not TOKEN:SCALE")?;
    let token = match token {
        "eth" => Address::ZERO,
        token => token.parse().map_err(|error| format!("{token}: {error}"))?,
    };
    let scale: u128 = scale.parse().map_err(|error| format!("{scale}: {error}"))?;
    if scale == 0 || scale >> 96 != 0 {
        return Err(format!("{scale}: a scale is between 1 and 2^96 - 1"));
    }
    Ok((token, scale))
}
