//! Transactions that are mined or not, and never twice.
//!
//! The account belongs to one program at a time. A transaction takes the first nonce that is not
//! mined, so it replaces whatever a crashed predecessor left pending there, and whoever is mined in
//! the end, the state is read again afterwards. If it is not mined in time it is offered again,
//! with the same nonce and a higher fee, up to a bound.

use std::time::Duration;

use alloy::consensus::{
    SignableTransaction, Signed, TxEip1559, TxEip4844, TxEip4844Variant, TxEip4844WithSidecar,
    TxEnvelope,
};
use alloy::eips::Encodable2718 as _;
use alloy::eips::eip4844::Blob;
use alloy::eips::eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant};
use alloy::primitives::{Address, B256, Bytes, Signature, TxKind, U64, U128, U256};
use alloy::rpc::types::TransactionReceipt;
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::endpoints::Endpoints;
use crate::error::ChainError;

/// Who sends, and how patiently.
#[derive(Debug)]
pub struct Sender {
    /// Whose money it is.
    pub signer: PrivateKeySigner,
    /// How long to wait before a higher fee is offered.
    pub patience: Duration,
    /// How long to try.
    pub deadline: Duration,
    /// In wei per gas: never offer more.
    pub max_fee: u128,
    /// How often to ask.
    pub poll: Duration,
}

/// What is offered per gas, in wei.
#[derive(Clone, Copy, Debug)]
struct Fees {
    total: u128,
    tip: u128,
    /// Per gas of blobs; zero without any.
    blob: u128,
}

impl Fees {
    /// Nodes take a replacement that offers an eighth more for everything, and with blobs twice as much.
    fn raised(self, most: u128) -> Self {
        let more = |fee: u128| if self.blob == 0 { fee / 8 + 1 } else { fee };
        let raise = |fee: u128| fee.saturating_add(more(fee));
        let total = raise(self.total).min(most);
        let tip = raise(self.tip).min(total);
        let blob = raise(self.blob).min(most);
        Self { total, tip, blob }
    }
}

/// What is to be mined.
#[derive(Clone, Debug)]
struct Message {
    to: TxKind,
    value: U256,
    data: Bytes,
    /// Blobs, with what the chain needs to check them.
    sidecar: Option<BlobTransactionSidecarEip7594>,
}

impl Message {
    fn blob_hashes(&self) -> Vec<B256> {
        let hashes = self.sidecar.iter().flat_map(|it| it.versioned_hashes());
        hashes.collect()
    }
}

/// What became of one offer.
enum Offer {
    Sent(B256),
    /// Too little: something with this nonce is pending.
    Underpriced,
    /// The nonce has been mined.
    Used,
}

impl Sender {
    /// Whose account it is.
    pub const fn address(&self) -> Address {
        self.signer.address()
    }

    /// Sends a call, or what makes a contract, and waits until it is mined.
    pub async fn transact(
        &self,
        endpoints: &Endpoints,
        to: TxKind,
        value: U256,
        data: Bytes,
    ) -> Result<TransactionReceipt, ChainError> {
        let message = Message {
            to,
            value,
            data,
            sidecar: None,
        };
        self.carry(endpoints, message).await
    }

    /// Sends a call with blobs (EIP-4844, with the proofs of EIP-7594), and waits until it is mined.
    pub async fn transact_with_blobs(
        &self,
        endpoints: &Endpoints,
        to: Address,
        data: Bytes,
        blobs: Vec<Blob>,
    ) -> Result<TransactionReceipt, ChainError> {
        let sidecar = BlobTransactionSidecarEip7594::try_from_blobs(blobs);
        let sidecar = sidecar.map_err(|error| ChainError::Nonsense {
            what: "a blob",
            reason: error.to_string(),
        })?;
        let message = Message {
            to: TxKind::Call(to),
            value: U256::ZERO,
            data,
            sidecar: Some(sidecar),
        };
        self.carry(endpoints, message).await
    }

    async fn carry(
        &self,
        endpoints: &Endpoints,
        message: Message,
    ) -> Result<TransactionReceipt, ChainError> {
        let until = Instant::now() + self.deadline;
        let mut fees = self.first_fees(endpoints, &message).await?;
        let mut sent: Vec<B256> = Vec::new();
        let nonce = self.nonce(endpoints).await?;
        let gas = self.estimate(endpoints, &message).await?;
        loop {
            let chain = endpoints.expected().chain_id;
            let envelope = self.sign(&message, chain, nonce, gas, fees)?;
            match self.offer(endpoints, envelope).await? {
                Offer::Sent(hash) => {
                    if !sent.contains(&hash) {
                        sent.push(hash);
                    }
                }
                Offer::Underpriced => {}
                Offer::Used if sent.is_empty() => {
                    // What a predecessor had pending was mined; the caller looks at the state again.
                    let message = format!("nonce {nonce} was used by another transaction");
                    let method = "eth_sendRawTransaction";
                    return Err(ChainError::Refused { method, message });
                }
                Offer::Used => {}
            }
            let patience = until.min(Instant::now() + self.patience);
            if let Some(receipt) = self.mined(endpoints, &sent, nonce, patience).await? {
                return match receipt.status() {
                    true => Ok(receipt),
                    false => Err(ChainError::Failed {
                        hash: receipt.transaction_hash,
                    }),
                };
            }
            if until <= Instant::now() {
                return Err(ChainError::NotMined {
                    sender: self.address(),
                    nonce,
                    seconds: self.deadline.as_secs(),
                    fee: fees.total,
                });
            }
            fees = fees.raised(self.max_fee);
        }
    }

    fn sign(
        &self,
        message: &Message,
        chain_id: u64,
        nonce: u64,
        gas_limit: u64,
        fees: Fees,
    ) -> Result<TxEnvelope, ChainError> {
        match (&message.sidecar, message.to) {
            (Some(sidecar), TxKind::Call(to)) => {
                let tx = TxEip4844 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fees.total,
                    max_priority_fee_per_gas: fees.tip,
                    to,
                    value: message.value,
                    access_list: Default::default(),
                    blob_versioned_hashes: message.blob_hashes(),
                    max_fee_per_blob_gas: fees.blob,
                    input: message.data.clone(),
                };
                let sidecar = BlobTransactionSidecarVariant::Eip7594(sidecar.clone());
                let tx = TxEip4844WithSidecar { tx, sidecar };
                self.signed(TxEip4844Variant::TxEip4844WithSidecar(tx))
            }
            _ => self.signed(TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas: fees.total,
                max_priority_fee_per_gas: fees.tip,
                to: message.to,
                value: message.value,
                access_list: Default::default(),
                input: message.data.clone(),
            }),
        }
    }

    fn signed<T: SignableTransaction<Signature>>(
        &self,
        transaction: T,
    ) -> Result<TxEnvelope, ChainError>
    where
        TxEnvelope: From<Signed<T>>,
    {
        let signature = self.signer.sign_hash_sync(&transaction.signature_hash());
        let signature = signature.map_err(|error| ChainError::Refused {
            method: "signing",
            message: error.to_string(),
        })?;
        Ok(transaction.into_signed(signature).into())
    }

    async fn offer(
        &self,
        endpoints: &Endpoints,
        envelope: TxEnvelope,
    ) -> Result<Offer, ChainError> {
        let raw = Bytes::from(envelope.encoded_2718());
        let method = "eth_sendRawTransaction";
        let hash = *envelope.tx_hash();
        match endpoints.ask::<B256>(method, json!([raw])).await {
            Ok(_) => Ok(Offer::Sent(hash)),
            Err(ChainError::Refused { message, .. }) => {
                let message = message.to_lowercase();
                if message.contains("already") {
                    Ok(Offer::Sent(hash))
                } else if message.contains("nonce too low") {
                    Ok(Offer::Used)
                } else if message.contains("underpriced") || message.contains("less than") {
                    Ok(Offer::Underpriced)
                } else {
                    Err(ChainError::Refused { method, message })
                }
            }
            // Whether an endpoint that gave no answer took it is not known; so it counts as sent.
            Err(ChainError::Unreachable { .. }) => Ok(Offer::Sent(hash)),
            Err(error) => Err(error),
        }
    }

    /// The receipt of whichever offer was mined; `None` if none was until then.
    async fn mined(
        &self,
        endpoints: &Endpoints,
        sent: &[B256],
        nonce: u64,
        until: Instant,
    ) -> Result<Option<TransactionReceipt>, ChainError> {
        let mut looks = 0;
        loop {
            for hash in sent {
                let method = "eth_getTransactionReceipt";
                let found: Option<TransactionReceipt> =
                    endpoints.ask(method, json!([hash])).await?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            if until <= Instant::now() {
                return Ok(None);
            }
            // If one that is not ours took the nonce, ours can never be mined. But a node may know the
            // nonces of a block before its receipts, so that is believed only if it stays so.
            let is_used = nonce < self.nonce(endpoints).await?;
            looks = if is_used { looks + 1 } else { 0 };
            if looks == LOOKS_MOST {
                let message = format!("nonce {nonce} was used by another transaction");
                let method = "eth_getTransactionCount";
                return Err(ChainError::Refused { method, message });
            }
            sleep(self.poll).await;
        }
    }

    /// The first nonce that is not mined.
    async fn nonce(&self, endpoints: &Endpoints) -> Result<u64, ChainError> {
        let params = json!([self.address(), "latest"]);
        let count: U64 = endpoints.ask("eth_getTransactionCount", params).await?;
        Ok(count.to())
    }

    async fn first_fees(
        &self,
        endpoints: &Endpoints,
        message: &Message,
    ) -> Result<Fees, ChainError> {
        let method = "eth_getBlockByNumber";
        let block: Value = endpoints.ask(method, json!(["latest", false])).await?;
        let base = serde_json::from_value::<U128>(block["baseFeePerGas"].clone());
        let base = base.map_err(|error| ChainError::Nonsense {
            what: method,
            reason: format!("baseFeePerGas: {error}"),
        })?;
        // Twice the base fee outlasts six full blocks in a row.
        let tip = TIP.min(self.max_fee);
        let total = base.to::<u128>().saturating_mul(2).saturating_add(tip);
        let blob = match message.sidecar {
            None => 0,
            Some(_) => {
                let base: U128 = endpoints.ask("eth_blobBaseFee", json!([])).await?;
                base.to::<u128>().saturating_mul(2).max(1).min(self.max_fee)
            }
        };
        Ok(Fees {
            total: total.min(self.max_fee),
            tip,
            blob,
        })
    }

    /// With a fifth more than it takes now; a call that would fail fails here, with its reason.
    async fn estimate(&self, endpoints: &Endpoints, message: &Message) -> Result<u64, ChainError> {
        let (value, data) = (message.value, &message.data);
        let mut call = json!({"from": self.address(), "value": value, "data": data});
        if let TxKind::Call(to) = message.to {
            call["to"] = json!(to);
        }
        if message.sidecar.is_some() {
            call["blobVersionedHashes"] = json!(message.blob_hashes());
        }
        let gas: U64 = endpoints.ask("eth_estimateGas", json!([call])).await?;
        let gas: u64 = gas.to();
        Ok((gas + gas / 5).min(GAS_MOST))
    }
}

/// How often in a row a nonce is seen used, and no receipt, before it is believed.
const LOOKS_MOST: u32 = 10;
/// In wei per gas, for whoever makes the block.
const TIP: u128 = 1_000_000_000;
/// The cap of EIP-7825.
const GAS_MOST: u64 = 1 << 24;
