//! `keel anchor withdraw`, `freeze`, `exit` and `escape`: the way out.

use serde_json::json;

use super::options::{Bridge, Signing};
use super::{Failure, Outcome};
use crate::bridge::BridgeReader;
use crate::escape::{Exits, paid_json};
use crate::published::Published;
use crate::sender::Sender;

/// Options of `keel anchor withdraw` and `keel anchor exit`.
#[derive(Debug, clap::Args)]
pub(super) struct WithdrawOptions {
    #[command(flatten)]
    bridge: Bridge,
    #[command(flatten)]
    signing: Signing,
    /// Where the published files are: a directory or a URL.
    #[arg(long, value_name = "D")]
    published: Published,
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
    /// Use the chain and the published files and nothing else. There is no other way yet, and it has to
    /// be said.
    #[arg(long, required = true)]
    from_l1: bool,
    /// Where the published files are: a directory or a URL.
    #[arg(long, value_name = "D")]
    published: Published,
}

/// What an exit needs that is not on the command line.
struct Parts {
    bridge: BridgeReader,
    sender: Sender,
    cache: tempfile::TempDir,
}

impl Parts {
    fn new(bridge: &Bridge, signing: &Signing) -> Result<Self, Failure> {
        Ok(Self {
            bridge: bridge.open()?,
            sender: signing.sender()?,
            cache: tempfile::tempdir().map_err(Failure::failed)?,
        })
    }

    fn exits<'a>(&'a self, options: &Bridge, published: &'a Published) -> Exits<'a> {
        Exits {
            bridge: &self.bridge,
            sender: &self.sender,
            published,
            cache: self.cache.path(),
            limit: options.chain.limit(),
        }
    }
}

pub(super) async fn withdraw(options: &WithdrawOptions) -> Outcome {
    let parts = Parts::new(&options.bridge, &options.signing)?;
    let exits = parts.exits(&options.bridge, &options.published);
    let paid = exits.claim(options.account, options.asset).await;
    let paid = paid.map_err(Failure::failed)?;
    Ok(json!({
        "account": options.account,
        "paid": paid_json(&parts.bridge, &paid),
    }))
}

pub(super) async fn freeze(options: &FreezeOptions) -> Outcome {
    let parts = Parts::new(&options.bridge, &options.signing)?;
    let nowhere = Published::Directory(parts.cache.path().to_owned());
    let exits = parts.exits(&options.bridge, &nowhere);
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

pub(super) async fn escape(options: &EscapeOptions) -> Outcome {
    let parts = Parts::new(&options.bridge, &options.signing)?;
    let exits = parts.exits(&options.bridge, &options.published);
    exits.escape().await.map_err(Failure::failed)
}
