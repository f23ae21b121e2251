//! `keel anchor withdraw`, `freeze`, `exit`, `escape` and `check-data`: the way out.

use reqwest::{Client, Url};
use serde_json::json;

use super::options::{Bridge, Signing};
use super::{Failure, Outcome};
use crate::blobs::BlobSources;
use crate::bridge::BridgeReader;
use crate::escape::{Exits, paid_json};
use crate::published::Published;
use crate::rebuilt::Rebuilt;
use crate::sender::Sender;
use crate::web;

/// Options of `keel anchor withdraw` and `keel anchor exit`.
#[derive(Debug, clap::Args)]
pub(super) struct WithdrawOptions {
    #[command(flatten)]
    bridge: Bridge,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    state: StateOptions,
    /// The account. Its owner is paid, whoever runs this.
    #[arg(long, value_name = "A")]
    account: u32,
    /// Of this asset alone.
    #[arg(long, value_name = "N")]
    asset: Option<u16>,
}

/// Options of `keel anchor freeze`.
#[derive(Debug, clap::Args)]
pub(super) struct FreezeOptions {
    #[command(flatten)]
    bridge: Bridge,
    #[command(flatten)]
    signing: Signing,
}

/// Options of `keel anchor escape`.
#[derive(Debug, clap::Args)]
pub(super) struct EscapeOptions {
    #[command(flatten)]
    bridge: Bridge,
    #[command(flatten)]
    signing: Signing,
    /// Use the chain and what was published and nothing else. There is no other way yet, and it has to
    /// be said.
    #[arg(long, required = true)]
    from_l1: bool,
    #[command(flatten)]
    state: StateOptions,
}

/// Where the state of a final checkpoint can be read.
#[derive(Debug, clap::Args)]
pub(super) struct StateOptions {
    /// Where the published files are, or a copy of them: a directory or a URL. With data on chain they are
    /// not needed, and blobs that nodes keep no longer are looked for there.
    #[arg(long, value_name = "D")]
    published: Option<Published>,
    /// With data on chain: a node of the chain's consensus (Beacon API), which keeps blobs for 18 days.
    #[arg(long, value_name = "URL")]
    beacon: Option<Url>,
}

impl StateOptions {
    fn sources<'a>(&'a self, client: &'a Client) -> BlobSources<'a> {
        BlobSources {
            published: self.published.as_ref(),
            beacon: self.beacon.as_ref(),
            client,
        }
    }
}

/// What an exit needs that is not on the command line.
struct Parts {
    bridge: BridgeReader,
    sender: Sender,
    cache: tempfile::TempDir,
    client: Client,
}

impl Parts {
    fn new(bridge: &Bridge, signing: &Signing) -> Result<Self, Failure> {
        Ok(Self {
            bridge: bridge.open()?,
            sender: signing.sender()?,
            cache: tempfile::tempdir().map_err(Failure::failed)?,
            client: web::client(bridge.chain.limit()),
        })
    }

    fn exits<'a>(&'a self, state: &'a StateOptions) -> Exits<'a> {
        Exits {
            bridge: &self.bridge,
            sender: &self.sender,
            sources: state.sources(&self.client),
            cache: self.cache.path(),
        }
    }
}

pub(super) async fn withdraw(options: &WithdrawOptions) -> Outcome {
    let parts = Parts::new(&options.bridge, &options.signing)?;
    let exits = parts.exits(&options.state);
    let paid = exits.claim(options.account, options.asset).await;
    let paid = paid.map_err(Failure::failed)?;
    Ok(json!({
        "account": options.account,
        "paid": paid_json(&parts.bridge, &paid),
    }))
}

pub(super) async fn freeze(options: &FreezeOptions) -> Outcome {
    let parts = Parts::new(&options.bridge, &options.signing)?;
    let nowhere = StateOptions {
        published: None,
        beacon: None,
    };
    let exits = parts.exits(&nowhere);
    let froze = exits.freeze().await.map_err(Failure::failed)?;
    Ok(json!({"frozen": true, "by_this_call": froze}))
}

pub(super) async fn exit(options: &WithdrawOptions) -> Outcome {
    let parts = Parts::new(&options.bridge, &options.signing)?;
    let head = parts.bridge.head().await.map_err(Failure::failed)?;
    if !head.is_frozen {
        return Err(Failure::Failed(
            "the bridge is not frozen\nhint: `keel anchor withdraw` takes out what was withdrawn; \
             `keel anchor freeze` freezes if the operator is silent"
                .to_owned(),
        ));
    }
    withdraw(options).await
}

/// Options of `keel anchor check-data`.
#[derive(Debug, clap::Args)]
pub(super) struct CheckOptions {
    #[command(flatten)]
    bridge: Bridge,
    #[command(flatten)]
    state: StateOptions,
}

pub(super) async fn check_data(options: &CheckOptions) -> Outcome {
    let bridge = options.bridge.open()?;
    if !bridge.deployment.terms.dataOnChain {
        return Err(Failure::Usage(
            "the bridge is `anchored`: there is no data on the chain to check".to_owned(),
        ));
    }
    let checkpoints = bridge.checkpoints().await.map_err(Failure::failed)?;
    let newest = checkpoints.last().filter(|it| it.index != 0);
    let Some(newest) = newest else {
        return Ok(json!({"checkpoint": 0}));
    };
    let client = web::client(options.bridge.chain.limit());
    let sources = options.state.sources(&client);
    let rebuilt = Rebuilt::load(&bridge, &sources, &checkpoints).await;
    let rebuilt = rebuilt.map_err(Failure::failed)?;
    Ok(json!({
        "checkpoint": newest.index,
        "sequence": newest.sequence,
        "state_root": newest.stateRoot,
        "accounts": rebuilt.accounts(),
        "checkpoints_read": rebuilt.checkpoints,
        "blobs_read": rebuilt.blobs,
    }))
}

pub(super) async fn escape(options: &EscapeOptions) -> Outcome {
    let parts = Parts::new(&options.bridge, &options.signing)?;
    let exits = parts.exits(&options.state);
    exits.escape().await.map_err(Failure::failed)
}
