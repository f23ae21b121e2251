//! `keel anchor deploy`: a bridge, for ever as it is made.

use std::path::PathBuf;

use alloy::primitives::aliases::U96;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy::sol_types::{SolCall as _, SolConstructor as _};
use serde_json::{Value, json};

use super::options::{Chain, Signing, parse_asset};
use super::{Failure, Outcome};
use crate::contract::{Asset, Bridge, Terms};
use crate::deployment::Deployment;
use crate::endpoints::{Endpoints, Expected};
use crate::error::ChainError;

/// Options of `keel anchor deploy`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    chain: Chain,
    #[command(flatten)]
    signing: Signing,
    /// Where to write what the other commands need.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// An asset of the ledger, by its number: `eth` or a token's address, and how many of its units an
    /// atom is, such as `eth:1000000000`.
    #[arg(long = "asset", value_name = "TOKEN:SCALE", required = true, value_parser = parse_asset)]
    assets: Vec<(Address, u128)>,
    /// The state root of the ledger's genesis.
    #[arg(long, value_name = "HASH")]
    genesis_root: B256,
    /// Who may publish; without it, whoever deploys.
    #[arg(long, value_name = "ADDRESS")]
    operator: Option<Address>,
    /// Seconds until a checkpoint is final.
    #[arg(long, value_name = "S", default_value_t = 7 * DAY)]
    challenge_window: u32,
    /// Seconds until the ledger must have consumed an entry of the inbox.
    #[arg(long, value_name = "S", default_value_t = 3 * DAY)]
    request_period: u32,
    /// Seconds of silence until anybody may freeze.
    #[arg(long, value_name = "S", default_value_t = 7 * DAY)]
    freeze_after: u32,
    /// Seconds of silence until others may publish, once a judge exists.
    #[arg(long, value_name = "S", default_value_t = 2 * DAY)]
    open_after: u32,
    /// What is on the chain of a checkpoint: its hash (`anchored`), or also the accounts that changed, in
    /// blobs (`rollup`).
    #[arg(long, value_name = "MODE", default_value = "anchored")]
    data: DataMode,
    /// What a proposer must have at stake, in wei. If the sender is the operator, it is paid at once.
    #[arg(long, value_name = "WEI", default_value_t = 0)]
    bond: u128,
    /// What a forced request burns, in wei.
    #[arg(long, value_name = "WEI", default_value_t = 1_000_000_000_000_000)]
    request_fee: u128,
}

/// What the chain has of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum DataMode {
    Anchored,
    Rollup,
}

const DAY: u32 = 24 * 60 * 60;

pub(super) async fn run(options: &Options) -> Outcome {
    if options.freeze_after <= options.open_after {
        let reason = "--freeze-after must be longer than --open-after".to_owned();
        return Err(Failure::Usage(reason));
    }
    let sender = options.signing.sender()?;
    let first = &options.chain.endpoints[0];
    let chain_id = Endpoints::chain_id(first, options.chain.limit()).await;
    let mut expected = Expected {
        chain_id: chain_id.map_err(Failure::failed)?,
        bridge: None,
    };
    let urls = &options.chain.endpoints;
    let endpoints = Endpoints::new(urls, expected, options.chain.limit());
    let terms = terms(options, sender.address());
    let assets: Vec<Asset> = (options.assets.iter())
        .map(|(token, scale)| Asset {
            token: *token,
            scale: U96::from(*scale),
        })
        .collect();
    let arguments = Bridge::constructorCall {
        terms: terms.clone(),
        list: assets.clone(),
    };
    let data = [Bridge::BYTECODE.as_ref(), &arguments.abi_encode()].concat();
    let made = sender
        .transact(&endpoints, TxKind::Create, U256::ZERO, data.into())
        .await;
    let receipt = made.map_err(Failure::failed)?;
    let (Some(bridge), Some(block)) = (receipt.contract_address, receipt.block_number) else {
        return Err(Failure::Failed("the receipt names no contract".to_owned()));
    };
    let code = endpoints
        .ask_all::<Bytes>("eth_getCode", json!([bridge, "latest"]))
        .await;
    let code_hash = keccak256(code.map_err(Failure::failed)?);
    expected.bridge = Some((bridge, code_hash));
    let deployment = Deployment {
        chain_id: expected.chain_id,
        bridge,
        code_hash,
        block,
        terms,
        assets,
    };
    deployment.write(&options.out).map_err(Failure::Failed)?;
    let endpoints = Endpoints::new(urls, expected, options.chain.limit());
    let bonded = add_bond(&deployment, &endpoints, &sender).await;
    let bonded = bonded.map_err(Failure::failed)?;
    Ok(json!({
        "bridge": bridge,
        "chain_id": expected.chain_id,
        "block": block,
        "gas": receipt.gas_used,
        "bonded": bonded,
        "file": options.out.display().to_string(),
    }) as Value)
}

fn terms(options: &Options, sender: Address) -> Terms {
    Terms {
        genesisRoot: options.genesis_root,
        operator: options.operator.unwrap_or(sender),
        // There is none yet: docs/TRUST.md.
        judge: Address::ZERO,
        bond: U256::from(options.bond),
        requestFee: U256::from(options.request_fee),
        challengeWindow: options.challenge_window,
        requestPeriod: options.request_period,
        openAfter: options.open_after,
        freezeAfter: options.freeze_after,
        dataOnChain: options.data == DataMode::Rollup,
    }
}

/// Whether the sender put a bond at stake.
async fn add_bond(
    deployment: &Deployment,
    endpoints: &Endpoints,
    sender: &crate::sender::Sender,
) -> Result<bool, ChainError> {
    let terms = &deployment.terms;
    if terms.operator != sender.address() || terms.bond.is_zero() {
        return Ok(false);
    }
    let data = Bridge::addBondCall {}.abi_encode().into();
    let to = TxKind::Call(deployment.bridge);
    sender.transact(endpoints, to, terms.bond, data).await?;
    Ok(true)
}
