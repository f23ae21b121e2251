//! `keel demo --anchor`: a chain, a bridge, a node, and money that goes in, is traded and comes out.
//!
//! Starts anvil and a node, runs the commands that users run, and checks what they did by other ways:
//! balances on ledger and chain, and a replay of the journal. The node is killed before the money
//! comes out, for that must need neither node nor operator.

mod programs;
mod report;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, TxKind, U256, hex};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolCall as _;
use clap::Parser as _;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use self::programs::{Anvil, Node};
use self::report::Report;
use super::{Arguments, Failure, Outcome};
use crate::endpoints::{Endpoints, Expected};
use crate::sender::Sender;

#[allow(
    missing_docs,
    missing_debug_implementations,
    clippy::all,
    unreachable_pub
)]
mod generated {
    alloy::sol!(PlainToken, "contracts/artifacts/PlainToken.json");
}
use self::generated::PlainToken;

/// Options of `keel anchor demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The program; without it, the one in the search path or of `cargo xtask evm install`.
    #[arg(long, value_name = "FILE")]
    anvil: Option<PathBuf>,
    /// Where to put the demonstration's directory, which is removed at the end.
    #[arg(long, value_name = "D")]
    dir: Option<PathBuf>,
}

/// What the story takes place in.
struct Stage {
    folder: PathBuf,
    node: Node,
    endpoints: Endpoints,
    token: Address,
    report: Report,
    // Last, so that it ends last.
    anvil: Anvil,
}

pub(super) async fn run(options: &Options, json: bool) -> Outcome {
    let terminated = signal(SignalKind::terminate()).map_err(Failure::failed);
    let (mut terminated, mut interrupted) = (
        terminated?,
        signal(SignalKind::interrupt()).map_err(Failure::failed)?,
    );
    // Whichever way it ends, what it started is dropped, and so ended.
    tokio::select! {
        outcome = story(options, json) => outcome,
        _ = terminated.recv() => Err(Failure::Failed("terminated".to_owned())),
        _ = interrupted.recv() => Err(Failure::Failed("interrupted".to_owned())),
    }
}

async fn story(options: &Options, json: bool) -> Outcome {
    let parent = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let temporary = tempfile::Builder::new()
        .prefix("keel-demo-anchor-")
        .tempdir_in(parent)
        .map_err(Failure::failed)?;
    let mut stage = Stage::set(options, temporary.path(), json).await?;
    if let Err(Failure::Failed(reason) | Failure::Usage(reason)) = stage.play().await {
        stage.report.fail(reason);
    }
    stage.report.end()
}

impl Stage {
    async fn set(options: &Options, folder: &Path, json: bool) -> Result<Self, Failure> {
        let anvil = Anvil::start(options.anvil.as_deref())?;
        let url = anvil.url.parse().map_err(Failure::failed)?;
        let chain_id = Endpoints::chain_id(&url, PATIENCE).await;
        let expected = Expected {
            chain_id: chain_id.map_err(Failure::failed)?,
            bridge: None,
        };
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text);
        for (key, who) in [(KEYS[0], "operator"), (KEYS[1], "alice"), (KEYS[2], "bob")] {
            write(&format!("{who}.key"), key).map_err(Failure::failed)?;
        }
        write(
            "genesis.toml",
            &genesis([OPERATOR, ALICE, BOB].map(address)),
        )
        .map_err(Failure::failed)?;
        let node = Node::start(folder)?;
        let mut report = Report::new(json);
        report.tell("anvil", &anvil.url);
        report.tell("node", node.address());
        Ok(Self {
            folder: folder.to_owned(),
            node,
            endpoints: Endpoints::new(&[url], expected, PATIENCE),
            token: Address::ZERO,
            report,
            anvil,
        })
    }

    async fn play(&mut self) -> Result<(), Failure> {
        self.deploy().await?;
        self.bring_money_in().await?;
        let sequence = self.trade_and_withdraw()?;
        self.publish(sequence).await?;
        self.kill_the_operator_and_replay()?;
        self.take_money_out().await
    }

    /// A token for dollars, and the bridge.
    async fn deploy(&mut self) -> Result<(), Failure> {
        let made = self.transact(TxKind::Create, PlainToken::BYTECODE.clone());
        let token = made.await?.contract_address;
        self.token = token.ok_or_else(|| Failure::failed("the receipt names no contract"))?;
        let mint = PlainToken::mintCall {
            to: address(BOB),
            units: U256::from(DOLLARS_IN),
        };
        let data = mint.abi_encode().into();
        self.transact(TxKind::Call(self.token), data).await?;
        let data = self.folder.join("data");
        let fees = ["prove", "--account", "fees", "--dir"].map(OsStr::new);
        let proof = self.node.keel(&[&fees[..], &[data.as_os_str()]].concat())?;
        let root = proof["state_root"].as_str().unwrap_or_default().to_owned();
        let token = format!("{}:1", self.token);
        let arguments = ["--asset", "eth:1000000000", "--asset", &token];
        let arguments = [&arguments[..], &["--genesis-root", &root]].concat();
        let deployed = self.anchor("deploy", "operator", &arguments).await?;
        self.report.tell("bridge", &deployed["bridge"]);
        self.report.tell("token", self.token);
        Ok(())
    }

    async fn bring_money_in(&mut self) -> Result<(), Failure> {
        for (who, asset, atoms) in [("alice", "0", ETHER_IN), ("bob", "1", DOLLARS_IN)] {
            let atoms = atoms.to_string();
            let arguments = ["--asset", asset, "--atoms", &atoms];
            self.anchor("deposit", who, &arguments).await?;
        }
        let address = self.node.address().to_owned();
        let data = self.folder.join("data").display().to_string();
        let arguments = ["--connect", &address, "--session-key", "dev-operator"];
        let arguments = [&arguments[..], &["--dir", &data, "--once"]].concat();
        let arguments = [&arguments[..], &["--confirmations", "0"]].concat();
        self.command("watch", &arguments).await?;
        let (alice, bob) = (self.free("dev-1", "ETH")?, self.free("dev-2", "USD")?);
        let is_credited = alice == "10" && bob == "50000";
        let told = format!("alice {alice} ETH, bob {bob} USD");
        self.report.check("credited", told, is_credited);
        Ok(())
    }

    /// Alice sells to Bob and withdraws some of what she got. Returns at which sequence number.
    fn trade_and_withdraw(&mut self) -> Result<u64, Failure> {
        let order = |side: &str| {
            format!(
                r#"{{"op":"place","market":"ETH-USD","side":"{side}","price":"3000","quantity":"0.04","kind":"limit","tif":"gtc"}}"#
            )
        };
        let (ask, bid) = (order("ask"), order("bid"));
        self.node.client("dev-1", &[ask.as_str(); TRADES])?;
        let replies = self.node.client("dev-2", &[bid.as_str(); TRADES])?;
        let fills = replies.iter().filter_map(|it| it["fills"].as_array());
        let trades: usize = fills.map(Vec::len).sum();
        self.report.check("trades", trades, trades == TRADES);
        let line = r#"{"op":"withdraw","asset":"USD","amount":"1000"}"#;
        let replies = self.node.client("dev-1", &[line])?;
        let left = self.free("dev-1", "USD")?;
        let told = format!("alice 1000 USD, {left} USD stay");
        self.report.check("withdrawn", told, left == "5000");
        let sequence = replies.first().and_then(|it| it["sequence"].as_u64());
        sequence.ok_or_else(|| Failure::failed("the withdrawal has no sequence number"))
    }

    /// The node writes its checkpoints beside its work, so the one that counts may take a moment.
    async fn publish(&mut self, sequence: u64) -> Result<(), Failure> {
        let (data, published) = (self.folder.join("data"), self.published());
        let data = data.display().to_string();
        let until = Instant::now() + PATIENCE;
        loop {
            let arguments = ["--dir", &data, "--published", &published, "--once"];
            let step = self.anchor("publish", "operator", &arguments).await?;
            if step["step"] == "published" && sequence <= step["sequence"].as_u64().unwrap_or(0) {
                for key in ["sequence", "state_root", "gas"] {
                    let name = format!("published_{key}");
                    self.report.tell(&name, &step[key]);
                }
                return Ok(());
            }
            if until < Instant::now() {
                let reason = format!("the node makes no checkpoint of sequence {sequence}");
                return Err(Failure::Failed(reason));
            }
            sleep(POLL).await;
        }
    }

    /// From here on there is nobody who could help.
    fn kill_the_operator_and_replay(&mut self) -> Result<(), Failure> {
        self.node.kill();
        let data = self.folder.join("data");
        let replay = ["replay", "--roots", "--json", "--dir"].map(OsStr::new);
        let replayed = self
            .node
            .keel(&[&replay[..], &[data.as_os_str()]].concat())?;
        let published = self.report.told("published_sequence");
        let ends = replayed["checkpoints"].as_array().into_iter().flatten();
        let mut ends = ends.chain([&replayed]);
        let found = ends.find(|it| &it["sequence"] == published);
        let found = found.and_then(|it| hash(&it["state_root"]));
        let is_equal = found.is_some() && found == hash(self.report.told("published_state_root"));
        self.report.check("replayed_state_root", found, is_equal);
        Ok(())
    }

    async fn take_money_out(&mut self) -> Result<(), Failure> {
        let early = self.withdraw().await;
        self.refused("early_claim", early, "no checkpoint is final");
        let _: Value = self.ask("evm_increaseTime", json!([WINDOW + 1])).await?;
        let _: Value = self.ask("evm_mine", json!([])).await?;
        let before = self.dollars(address(ALICE)).await?;
        let claimed = self.withdraw().await?;
        let after = self.dollars(address(ALICE)).await?;
        self.report.tell("claimed", &claimed["paid"]);
        let paid = after - before;
        let is_exact = paid == U256::from(DOLLARS_OUT);
        self.report.check("paid_units", paid.to_string(), is_exact);
        let again = self.same_call_again().await;
        self.refused("second_claim", again, "NothingDue");
        let held = self.dollars(self.bridge_address()).await?;
        let is_rest = held == U256::from(DOLLARS_IN - DOLLARS_OUT);
        self.report.check("bridge_units", held.to_string(), is_rest);
        Ok(())
    }

    /// Bob pays the gas: whoever brings a claim, its owner is paid.
    async fn withdraw(&mut self) -> Outcome {
        let published = self.published();
        let arguments = ["--published", &published, "--account", "1"];
        self.anchor("withdraw", "bob", &arguments).await
    }

    /// What the bridge says to the last transaction, were it sent once more.
    async fn same_call_again(&self) -> Outcome {
        let block = self.ask("eth_getBlockByNumber", json!(["latest", true]));
        let block = block.await?;
        let last = &block["transactions"][0];
        let call = json!({"from": last["from"], "to": last["to"], "data": last["input"]});
        self.ask("eth_call", json!([call, "latest"])).await
    }

    fn refused(&mut self, name: &str, outcome: Outcome, reason: &str) {
        let told = match outcome {
            Ok(value) => format!("not refused: {value}"),
            Err(Failure::Failed(told) | Failure::Usage(told)) => told,
        };
        let line = told.lines().next().unwrap_or_default();
        self.report.check(name, line, told.contains(reason));
    }

    /// A command of `keel anchor` with somebody's key.
    async fn anchor(&self, name: &str, who: &str, arguments: &[&str]) -> Outcome {
        let key = self.file(&format!("{who}.key"));
        self.command(name, &[&["--key", &key], arguments].concat())
            .await
    }

    /// A command of `keel anchor`, as if it had been typed.
    async fn command(&self, name: &str, arguments: &[&str]) -> Outcome {
        let bridge = self.file("bridge.json");
        let file = if name == "deploy" {
            "--out"
        } else {
            "--bridge"
        };
        let own = [
            "keel-anchor",
            "--json",
            name,
            "--rpc",
            &self.anvil.url,
            file,
            &bridge,
        ];
        let parsed = Arguments::try_parse_from(own.iter().chain(arguments));
        let parsed = parsed.map_err(Failure::failed)?;
        Box::pin(super::run(parsed.command, true)).await
    }

    async fn transact(
        &self,
        to: TxKind,
        data: Bytes,
    ) -> Result<alloy::rpc::types::TransactionReceipt, Failure> {
        let sender = Sender {
            signer: signer(OPERATOR),
            patience: PATIENCE,
            deadline: PATIENCE,
            max_fee: 1_000_000_000_000,
            poll: POLL,
        };
        let sent = sender.transact(&self.endpoints, to, U256::ZERO, data).await;
        sent.map_err(Failure::failed)
    }

    async fn ask(&self, method: &'static str, params: Value) -> Outcome {
        let answer = self.endpoints.ask(method, params).await;
        answer.map_err(Failure::failed)
    }

    async fn dollars(&self, who: Address) -> Result<U256, Failure> {
        let call = PlainToken::balanceOfCall { account: who }.abi_encode();
        let call = json!({"to": self.token, "data": Bytes::from(call)});
        let answer = self.ask("eth_call", json!([call, "latest"])).await?;
        serde_json::from_value(answer).map_err(Failure::failed)
    }

    /// What an account has free of an asset on the ledger.
    fn free(&self, key: &str, asset: &str) -> Result<String, Failure> {
        let replies = self.node.client(key, &[r#"{"op":"balances"}"#])?;
        let balances = replies.iter().filter_map(|it| it["balances"].as_array());
        let mut balances = balances.flatten();
        let found = balances.find(|it| it["asset"] == asset);
        let free = found.and_then(|it| it["free"].as_str());
        Ok(free.unwrap_or("0").to_owned())
    }

    fn bridge_address(&self) -> Address {
        let bridge = self.report.told("bridge").as_str().unwrap_or_default();
        bridge.parse().unwrap_or_default()
    }

    fn published(&self) -> String {
        self.file("published")
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// The keys that anvil gives money to: from the mnemonic of test words that all such tools share.
const KEYS: [&str; 3] = [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
];
const OPERATOR: usize = 0;
const ALICE: usize = 1;
const BOB: usize = 2;
/// In atoms, of which ether has nine decimals.
const ETHER_IN: u128 = 10_000_000_000;
/// In atoms, each of which is a unit of the token: six decimals.
const DOLLARS_IN: u128 = 50_000_000_000;
const DOLLARS_OUT: u128 = 1_000_000_000;
/// Of 0.04 ether for 3,000 dollars each: 6,000 dollars in all.
const TRADES: usize = 50;
/// Seven days, which is what `deploy` takes without being told.
const WINDOW: u64 = 7 * 24 * 60 * 60;
/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

fn signer(who: usize) -> PrivateKeySigner {
    KEYS[who].parse().expect("it is a key")
}

fn address(who: usize) -> Address {
    signer(who).address()
}

fn hash(text: &Value) -> Option<B256> {
    text.as_str()?.parse().ok()
}

/// One market without fees, and accounts that have nothing: all money comes over the bridge.
/// The first owner is the operator. Sessions sign with `dev-operator`, `dev-1` and `dev-2`.
pub fn genesis(owners: [Address; 3]) -> String {
    let mut text = r#"network = 1

[[asset]]
symbol = "ETH"
decimals = 9

[[asset]]
symbol = "USD"
decimals = 6

[[market]]
symbol = "ETH-USD"
base = "ETH"
quote = "USD"
tick = "0.01"
lot = "0.0001"
"#
    .to_owned();
    let keys = ["dev-operator", "dev-1", "dev-2"];
    for (who, (owner, key)) in owners.iter().zip(keys).enumerate() {
        let owner = hex::encode_prefixed(owner);
        let operator = who == OPERATOR;
        text.push_str(&format!(
            "\n[[account]]\nowner = \"{owner}\"\noperator = {operator}\nkeys = [\"{key}\"]\n"
        ));
    }
    text
}
