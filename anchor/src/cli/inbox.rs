//! `keel anchor deposit` and `keel anchor force`: the way in.

use alloy::primitives::{Address, Bytes, TxKind, U256};
use alloy::sol_types::SolCall;
use clap::ValueEnum;
use serde_json::json;

use super::options::{Bridge, Signing};
use super::{Failure, Outcome};
use crate::bridge::{BridgeReader, units};
use crate::contract::{Bridge as Contract, CANCEL_ALL, WITHDRAW};
use crate::error::ChainError;
use crate::sender::Sender;

alloy::sol! {
    interface Token {
        function approve(address spender, uint256 value) external returns (bool);
        function allowance(address owner, address spender) external view returns (uint256);
    }
}

/// Options of `keel anchor deposit`.
#[derive(Debug, clap::Args)]
pub(super) struct DepositOptions {
    #[command(flatten)]
    bridge: Bridge,
    #[command(flatten)]
    signing: Signing,
    /// The asset's number.
    #[arg(long, value_name = "N")]
    asset: u16,
    /// How much, in atoms of the ledger.
    #[arg(long, value_name = "N")]
    atoms: u128,
    /// Whose main account is credited; without it, that of whoever pays.
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Address>,
}

/// What can be demanded.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Demand {
    /// Cancel all orders of an account and take so much of an asset out.
    Withdraw,
    /// Cancel all orders of an account.
    CancelAll,
}

/// Options of `keel anchor force`.
#[derive(Debug, clap::Args)]
pub(super) struct ForceOptions {
    #[command(flatten)]
    bridge: Bridge,
    #[command(flatten)]
    signing: Signing,
    /// What to demand.
    demand: Demand,
    /// The account, which must belong to whoever signs.
    #[arg(long, value_name = "A")]
    account: u32,
    /// Of a withdrawal: the asset's number.
    #[arg(long, value_name = "N")]
    asset: Option<u16>,
    /// Of a withdrawal: how much at most; without it, all that is there.
    #[arg(long, value_name = "N")]
    atoms: Option<u128>,
}

pub(super) async fn deposit(options: &DepositOptions) -> Outcome {
    let bridge = options.bridge.open()?;
    let sender = options.signing.sender()?;
    let assets = &bridge.deployment.assets;
    let Some(asset) = assets.get(usize::from(options.asset)) else {
        let reason = format!("asset {}: the bridge has {}", options.asset, assets.len());
        return Err(Failure::Usage(reason));
    };
    let value = units(&bridge.deployment, options.asset, options.atoms);
    let owner = options.owner.unwrap_or_else(|| sender.address());
    let ether = match asset.token.is_zero() {
        true => value,
        false => {
            let allowed = allow(&bridge, &sender, asset.token, value).await;
            allowed.map_err(Failure::failed)?;
            U256::ZERO
        }
    };
    let call = Contract::depositCall {
        asset: options.asset,
        amount: options.atoms,
        owner,
    };
    send(&bridge, &sender, ether, &call).await
}

pub(super) async fn force(options: &ForceOptions) -> Outcome {
    let (kind, asset, amount) = match (options.demand, options.asset, options.atoms) {
        (Demand::Withdraw, Some(asset), atoms) => (WITHDRAW, asset, atoms.unwrap_or(u128::MAX)),
        (Demand::CancelAll, None, None) => (CANCEL_ALL, 0, 0),
        (Demand::Withdraw, None, _) => {
            return Err(Failure::Usage("a withdrawal needs --asset".to_owned()));
        }
        (Demand::CancelAll, ..) => {
            let reason = "cancel-all takes neither --asset nor --atoms".to_owned();
            return Err(Failure::Usage(reason));
        }
    };
    let bridge = options.bridge.open()?;
    let sender = options.signing.sender()?;
    let call = Contract::forceCall {
        kind,
        account: options.account,
        asset,
        amount,
    };
    let fee = bridge.deployment.terms.requestFee;
    send(&bridge, &sender, fee, &call).await
}

/// Lets the bridge take so much of a token, unless it may already.
async fn allow(
    bridge: &BridgeReader,
    sender: &Sender,
    token: Address,
    value: U256,
) -> Result<(), ChainError> {
    let spender = bridge.deployment.bridge;
    let owner = sender.address();
    let data = Bytes::from(Token::allowanceCall { owner, spender }.abi_encode());
    let params = json!([{"to": token, "data": data}, "latest"]);
    let allowed: Bytes = bridge.endpoints.ask("eth_call", params).await?;
    if value <= U256::from_be_slice(allowed.get(..32).unwrap_or_default()) {
        return Ok(());
    }
    let data = Token::approveCall { spender, value }.abi_encode().into();
    let to = TxKind::Call(token);
    sender
        .transact(&bridge.endpoints, to, U256::ZERO, data)
        .await
        .map(|_| ())
}

async fn send<C: SolCall>(
    bridge: &BridgeReader,
    sender: &Sender,
    value: U256,
    call: &C,
) -> Outcome {
    let to = TxKind::Call(bridge.deployment.bridge);
    let data = call.abi_encode().into();
    let sent = sender.transact(&bridge.endpoints, to, value, data).await;
    let receipt = sent.map_err(Failure::failed)?;
    let entry = receipt.decoded_log::<Contract::Entry>().map(|log| log.data);
    let entry = entry.ok_or_else(|| Failure::failed("the receipt has no entry"))?;
    Ok(json!({
        "index": entry.index,
        "owner": entry.owner,
        "block": receipt.block_number,
        "transaction": receipt.transaction_hash,
        "gas": receipt.gas_used,
    }))
}
