//! A real anvil, started and stopped, and what tests do to it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U64, U256};
use alloy::rpc::client::RpcClient;
use alloy::rpc::json_rpc::RpcRecv;
use serde_json::{Value, json};

/// A chain of its own.
pub(crate) struct Anvil {
    child: Child,
    pub(crate) url: String,
    client: RpcClient,
}

/// The keys that anvil gives money to: from the mnemonic of test words that all such tools share.
pub(crate) const KEYS: [&str; 4] = [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
];

impl Anvil {
    /// Starts it; `cargo xtask evm test` says where it is.
    pub(crate) fn start(options: &[&str]) -> Self {
        let program = std::env::var_os("KEEL_ANVIL")
            .expect("KEEL_ANVIL names anvil: `cargo xtask evm test` sets it");
        let mut child = Command::new(program)
            .args([
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--enable-tx-gas-limit",
            ])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("anvil starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = lines.by_ref().map(Result::unwrap);
        let address = listening
            .filter_map(|line| line.strip_prefix("Listening on ").map(str::to_owned))
            .next()
            .expect("anvil says where it listens");
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let url = format!("http://{address}");
        let http = anchor::web::client(Duration::from_secs(60));
        Self {
            child,
            client: RpcClient::new_http_with_client(http, url.parse().unwrap()),
            url,
        }
    }

    pub(crate) async fn ask<R: RpcRecv>(&self, method: &'static str, params: Value) -> R {
        let answer = self.client.request(method, params.clone()).await;
        answer.unwrap_or_else(|error| panic!("{method} {params}: {error}"))
    }

    pub(crate) async fn mine(&self, blocks: u64) {
        let _: Value = self.ask("anvil_mine", json!([U64::from(blocks)])).await;
    }

    /// Lets time go by, with a block at the end.
    pub(crate) async fn pass(&self, seconds: u64) {
        let _: Value = self.ask("evm_increaseTime", json!([seconds])).await;
        self.mine(1).await;
    }

    /// Replaces so many of the last blocks by empty ones.
    pub(crate) async fn reorganise(&self, depth: u64) {
        let _: Value = self.ask("anvil_reorg", json!([depth, []])).await;
    }

    pub(crate) async fn balance(&self, who: Address) -> U256 {
        self.ask("eth_getBalance", json!([who, "latest"])).await
    }

    pub(crate) async fn call(&self, to: Address, data: Vec<u8>) -> Bytes {
        let call = json!({"to": to, "data": Bytes::from(data)});
        self.ask("eth_call", json!([call, "latest"])).await
    }

    /// From an account whose key anvil has; waits until it is mined.
    pub(crate) async fn send(&self, from: Address, to: Option<Address>, data: Vec<u8>) -> Value {
        let mut call =
            json!({"from": from, "data": Bytes::from(data), "gas": U64::from(5_000_000)});
        if let Some(to) = to {
            call["to"] = json!(to);
        }
        let hash: B256 = self.ask("eth_sendTransaction", json!([call])).await;
        // A block is made after the answer.
        let receipt = loop {
            let found: Value = self.ask("eth_getTransactionReceipt", json!([hash])).await;
            if !found.is_null() {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        receipt
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
