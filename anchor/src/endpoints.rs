//! Nodes of the chain, none of which is trusted.
//!
//! A question goes to one endpoint after the other until one answers in time; before an endpoint is
//! asked anything, it must show the right chain and the right code at the bridge's address. What
//! money depends on is asked of all of them, and those that answer must agree.

use std::cell::Cell;
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U64, keccak256};
use alloy::rpc::client::RpcClient;
use alloy::rpc::json_rpc::{ErrorPayload, RpcError, RpcRecv};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::error::{BridgeErrorName, ChainError};
use crate::web;

/// What an endpoint must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The chain.
    pub chain_id: u64,
    /// The bridge and the hash of its code; none while it is being deployed.
    pub bridge: Option<(Address, B256)>,
}

/// All endpoints of one chain.
#[derive(Debug)]
pub struct Endpoints {
    list: Vec<Endpoint>,
    expected: Expected,
    timeout: Duration,
    /// The one that answered last is asked first.
    preferred: Cell<usize>,
}

#[derive(Debug)]
struct Endpoint {
    url: Url,
    client: RpcClient,
    is_checked: Cell<bool>,
}

/// Why one endpoint gave no answer.
enum NoAnswer {
    /// Another one may.
    Here(String),
    /// All would say so.
    Everywhere(ChainError),
}

impl Endpoints {
    /// At least one; nothing is asked yet.
    pub fn new(urls: &[Url], expected: Expected, timeout: Duration) -> Self {
        assert!(!urls.is_empty(), "the command line asks for one");
        let client = web::client(timeout);
        let list = urls.iter().map(|url| Endpoint {
            url: url.clone(),
            client: RpcClient::new_http_with_client(client.clone(), url.clone()),
            is_checked: Cell::new(false),
        });
        Self {
            list: list.collect(),
            expected,
            timeout,
            preferred: Cell::new(0),
        }
    }

    /// The chain's number, as one endpoint says: before anything is known.
    pub async fn chain_id(url: &Url, limit: Duration) -> Result<u64, ChainError> {
        let client = RpcClient::new_http_with_client(web::client(limit), url.clone());
        let asked = timeout(limit, client.request_noparams::<U64>("eth_chainId")).await;
        let reasons = match asked {
            Ok(Ok(id)) => return Ok(id.to()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        Err(ChainError::Unreachable {
            method: "eth_chainId",
            reasons: format!("{url}: {reasons}"),
        })
    }

    /// Which chain all of this is about.
    pub const fn expected(&self) -> Expected {
        self.expected
    }

    /// The answer of the first endpoint that gives one.
    pub async fn ask<R: RpcRecv>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<R, ChainError> {
        let mut reasons = Vec::new();
        let first = self.preferred.get();
        for index in (first..self.list.len()).chain(0..first) {
            match self.ask_one(index, method, &params).await {
                Ok(answer) => {
                    self.preferred.set(index);
                    return Ok(answer);
                }
                Err(NoAnswer::Here(reason)) => {
                    reasons.push(format!("{}: {reason}", self.list[index].url));
                }
                Err(NoAnswer::Everywhere(error)) => return Err(error),
            }
        }
        let reasons = reasons.join("; ");
        Err(ChainError::Unreachable { method, reasons })
    }

    /// The answer of all endpoints that give one, who must agree.
    pub async fn ask_all<R: RpcRecv + PartialEq>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<R, ChainError> {
        let mut answers: Vec<(usize, R)> = Vec::new();
        let mut reasons = Vec::new();
        for index in 0..self.list.len() {
            match self.ask_one(index, method, &params).await {
                Ok(answer) => answers.push((index, answer)),
                Err(NoAnswer::Here(reason)) => {
                    reasons.push(format!("{}: {reason}", self.list[index].url));
                }
                Err(NoAnswer::Everywhere(error)) => return Err(error),
            }
        }
        if answers.windows(2).any(|pair| pair[0].1 != pair[1].1) {
            let told = answers
                .iter()
                .map(|(index, answer)| format!("{} says {answer:?}", self.list[*index].url));
            let answers = told.collect::<Vec<_>>().join("; ");
            return Err(ChainError::Disagree {
                what: method,
                answers,
            });
        }
        let reasons = reasons.join("; ");
        let agreed = answers.pop().map(|(_, answer)| answer);
        agreed.ok_or(ChainError::Unreachable { method, reasons })
    }

    async fn ask_one<R: RpcRecv>(
        &self,
        index: usize,
        method: &'static str,
        params: &Value,
    ) -> Result<R, NoAnswer> {
        let endpoint = &self.list[index];
        if !endpoint.is_checked.get() {
            self.check(endpoint).await.map_err(NoAnswer::Here)?;
            endpoint.is_checked.set(true);
        }
        let answer = self.request(endpoint, method, params.clone()).await;
        // Whatever it was, it may be another node behind the same address when it is back.
        if matches!(answer, Err(NoAnswer::Here(_))) {
            endpoint.is_checked.set(false);
        }
        answer
    }

    async fn check(&self, endpoint: &Endpoint) -> Result<(), String> {
        let reason = |error| match error {
            NoAnswer::Here(reason) => reason,
            NoAnswer::Everywhere(error) => error.to_string(),
        };
        let chain = self
            .request::<U64>(endpoint, "eth_chainId", json!([]))
            .await;
        let chain: u64 = chain.map_err(reason)?.to();
        if chain != self.expected.chain_id {
            return Err(format!(
                "it is of chain {chain}, not {}",
                self.expected.chain_id
            ));
        }
        if let Some((bridge, hash)) = self.expected.bridge {
            let params = json!([bridge, "latest"]);
            let code = self.request::<Bytes>(endpoint, "eth_getCode", params).await;
            if keccak256(code.map_err(reason)?) != hash {
                return Err(format!(
                    "it has other code at the bridge's address {bridge}"
                ));
            }
        }
        Ok(())
    }

    async fn request<R: RpcRecv>(
        &self,
        endpoint: &Endpoint,
        method: &'static str,
        params: Value,
    ) -> Result<R, NoAnswer> {
        match timeout(self.timeout, endpoint.client.request(method, params)).await {
            Err(_) => Err(NoAnswer::Here("no answer in time".to_owned())),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(RpcError::ErrorResp(error))) => Err(refusal(method, &error)),
            Ok(Err(error)) => Err(NoAnswer::Here(error.to_string())),
        }
    }
}

/// What an error in an answer means.
fn refusal(method: &'static str, error: &ErrorPayload) -> NoAnswer {
    let message = error.message.to_lowercase();
    if message.contains("revert") {
        let data = error.as_revert_data().unwrap_or_default();
        let error = BridgeErrorName::new(&data);
        return NoAnswer::Everywhere(ChainError::Reverted { error });
    }
    if FINAL_WORDS.iter().any(|word| message.contains(word)) {
        let message = error.message.to_string();
        return NoAnswer::Everywhere(ChainError::Refused { method, message });
    }
    NoAnswer::Here(format!("{} ({})", error.message, error.code))
}

/// What nodes say of a transaction that no other node would take either.
const FINAL_WORDS: [&str; 7] = [
    "nonce too low",
    "already known",
    "already imported",
    "underpriced",
    "insufficient funds",
    "gas required exceeds",
    "max fee per gas less than",
];
