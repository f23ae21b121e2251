//! An anvil with a bridge, and a node whose genesis has accounts and no money.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use alloy::primitives::{Address, U256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolCall as _;
use anchor::bridge::BridgeReader;
use anchor::cli::demo::genesis;
use anchor::deployment::Deployment;
use anchor::endpoints::Endpoints;
use anchor::publisher::{Publisher, Rollup, Step};
use anchor::sender::Sender;
use anchor::watcher::{Watched, Watcher};
use client::{ConnectOptions, ServerPin, Session, SignatureMode};
use serde_json::Value;
use types::auth::SigningKey;

use crate::chain::{Anvil, KEYS};

#[allow(
    missing_docs,
    missing_debug_implementations,
    clippy::all,
    unreachable_pub
)]
mod contracts {
    alloy::sol!(PlainToken, "contracts/artifacts/PlainToken.json");
}
pub(crate) use contracts::PlainToken;

/// Wei in an atom of ether, whose ledger has nine decimals.
pub(crate) const SCALE: u64 = 1_000_000_000;
/// Atoms of ether in a whole one.
pub(crate) const ETHER: u128 = 1_000_000_000;
/// Atoms of the token in a whole one; an atom is one unit.
pub(crate) const TOKEN: u128 = 1_000_000;
pub(crate) const WINDOW: u64 = 600;
pub(crate) const PERIOD: u64 = 6_000;
pub(crate) const SILENCE: u64 = 60_000;
/// Long enough for a busy machine, short enough to see that something hangs.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct World {
    pub(crate) anvil: Anvil,
    pub(crate) node: Option<Node>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) token: Address,
    pub(crate) bridge: Address,
}

/// A node in a process of its own.
pub(crate) struct Node {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl World {
    /// The operator is anvil's first account and `dev-operator`; 1 and 2 own the ledger's accounts 1
    /// and 2, whose keys are `dev-1` and `dev-2`.
    pub(crate) async fn new(options: &[&str]) -> Self {
        Self::with_data("anchored", options).await
    }

    /// With what is on the chain of a checkpoint.
    pub(crate) async fn with_data(data: &str, options: &[&str]) -> Self {
        Self::with_genesis(&genesis([0, 1, 2].map(owner)), data, options).await
    }

    pub(crate) async fn with_genesis(genesis: &str, data: &str, options: &[&str]) -> Self {
        let anvil = Anvil::start(options);
        let folder = tempfile::tempdir().unwrap();
        for (number, key) in KEYS.iter().enumerate() {
            std::fs::write(folder.path().join(format!("key-{number}")), key).unwrap();
        }
        std::fs::write(folder.path().join("genesis.toml"), genesis).unwrap();
        let node = serve(folder.path());
        let made = anvil
            .send(owner(0), None, PlainToken::BYTECODE.to_vec())
            .await;
        let token: Address = made["contractAddress"].as_str().unwrap().parse().unwrap();
        let mut world = Self {
            anvil,
            node: Some(node),
            folder,
            token,
            bridge: Address::ZERO,
        };
        let proof = run(keel()
            .args(["prove", "--account", "fees", "--dir"])
            .arg(world.data()));
        let root = parsed(&proof)["state_root"].as_str().unwrap().to_owned();
        let token = format!("{token}:1");
        let deployed = world.anchor(&[
            "deploy",
            "--key",
            "key-0",
            "--out",
            "bridge.json",
            "--asset",
            "eth:1000000000",
            "--asset",
            &token,
            "--genesis-root",
            &root,
            "--challenge-window",
            &WINDOW.to_string(),
            "--request-period",
            &PERIOD.to_string(),
            "--freeze-after",
            &SILENCE.to_string(),
            "--open-after",
            "1",
            "--request-fee",
            "1000000",
            "--data",
            data,
        ]);
        world.bridge = deployed["bridge"].as_str().unwrap().parse().unwrap();
        for number in [1, 2] {
            let mint = PlainToken::mintCall {
                to: owner(number),
                units: U256::from(1_000_000 * TOKEN),
            };
            world
                .anvil
                .send(owner(0), Some(world.token), mint.abi_encode())
                .await;
        }
        world
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn published(&self) -> PathBuf {
        self.folder.path().join("published")
    }

    /// `keel-anchor`, with this chain and bridge; it must succeed.
    pub(crate) fn anchor(&self, arguments: &[&str]) -> Value {
        let output = self.try_anchor(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            errors(&output)
        );
        parsed(&output)
    }

    pub(crate) fn try_anchor(&self, arguments: &[&str]) -> Output {
        self.anchor_command(arguments).output().unwrap()
    }

    pub(crate) fn anchor_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keel-anchor"));
        command
            .current_dir(self.folder.path())
            .arg("--json")
            .args(arguments);
        command.args(["--rpc", &self.anvil.url]);
        if arguments[0] != "deploy" {
            command.args(["--bridge", "bridge.json"]);
        }
        command
    }

    pub(crate) fn deposit(&self, owner: usize, asset: u16, atoms: u128) {
        let (key, asset, atoms) = (format!("key-{owner}"), asset.to_string(), atoms.to_string());
        self.anchor(&[
            "deposit", "--key", &key, "--asset", &asset, "--atoms", &atoms,
        ]);
    }

    /// Demands all ether of account 1 past the operator, as its owner.
    pub(crate) fn force_withdraw(&self) {
        self.anchor(&[
            "force",
            "withdraw",
            "--key",
            "key-1",
            "--account",
            "1",
            "--asset",
            "0",
        ]);
    }

    /// The bridge, read through these endpoints; without any, through anvil's.
    pub(crate) fn reader(&self, urls: &[String]) -> BridgeReader {
        let file = self.folder.path().join("bridge.json");
        let deployment = Deployment::read(&file).unwrap();
        let own = [self.anvil.url.clone()];
        let urls = if urls.is_empty() { &own[..] } else { urls };
        let urls: Vec<_> = urls.iter().map(|url| url.parse().unwrap()).collect();
        let limit = Duration::from_secs(2);
        BridgeReader {
            endpoints: Endpoints::new(&urls, deployment.expected(), limit),
            deployment,
        }
    }

    pub(crate) fn publisher(&self, urls: &[String]) -> Publisher {
        Publisher {
            bridge: self.reader(urls),
            sender: sender(0),
            data: self.data(),
            published: self.published(),
            rollup: Rollup::default(),
        }
    }

    pub(crate) async fn watcher(&self, urls: &[String], confirmations: u64) -> Watcher {
        let session = self.session("dev-operator").await;
        Watcher::new(self.reader(urls), session, self.data(), confirmations)
    }

    async fn session(&self, key: &str) -> Session {
        let options = ConnectOptions {
            server: self.node.as_ref().unwrap().address,
            pin: ServerPin::Development,
            network: None,
            key: SigningKey::development(key),
            signatures: SignatureMode::Frame,
            keep_alive: client::KEEP_ALIVE,
            receipts: false,
        };
        Session::open(options).await.unwrap()
    }

    /// Brings all entries of the inbox to the ledger.
    pub(crate) async fn watch(&self, confirmations: u64) -> Watched {
        let mut watcher = self.watcher(&[], confirmations).await;
        let watched = watcher.step().await.unwrap();
        watcher.session.close().await;
        watched
    }

    /// Commands of one key, as `keel client` takes them; all must be accepted. Returns the replies.
    pub(crate) fn client(&self, key: &str, lines: &[&str]) -> Vec<Value> {
        let address = self.node.as_ref().unwrap().address.to_string();
        let mut child = keel()
            .args(["client", "--connect", &address, "--key", key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for line in lines {
            writeln!(stdin, "{line}").unwrap();
        }
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let replies: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for reply in &replies {
            assert_ne!(reply["status"], "rejected", "{reply}");
        }
        replies
    }

    /// Publishes until the chain has what the ledger says now. Returns how many checkpoints it took.
    pub(crate) async fn publish_all(&self, publisher: &Publisher, sequence: u64) -> u64 {
        let until = tokio::time::Instant::now() + PATIENCE;
        let mut published = 0;
        loop {
            match publisher.step().await.unwrap() {
                Step::Published { sequence: it, .. } => {
                    published += 1;
                    if sequence <= it {
                        return published;
                    }
                }
                Step::UpToDate { sequence: it } if sequence <= it => return published,
                Step::UpToDate { .. } | Step::Nothing => {}
                Step::Waiting { .. } => panic!("no test posts so many blobs"),
            }
            // The node writes its checkpoints beside its work.
            assert!(
                tokio::time::Instant::now() < until,
                "no checkpoint of {sequence}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn kill_node(&mut self) {
        self.node = None;
    }

    pub(crate) async fn tokens(&self, who: Address) -> U256 {
        let call = PlainToken::balanceOfCall { account: who };
        U256::from_be_slice(&self.anvil.call(self.token, call.abi_encode()).await)
    }
}

/// An account of anvil.
pub(crate) fn owner(number: usize) -> Address {
    signer(number).address()
}

fn signer(number: usize) -> PrivateKeySigner {
    KEYS[number].parse().unwrap()
}

pub(crate) fn sender(number: usize) -> Sender {
    Sender {
        signer: signer(number),
        patience: Duration::from_secs(2),
        deadline: Duration::from_secs(60),
        max_fee: 1_000_000_000_000,
        poll: Duration::from_millis(20),
    }
}

/// `keel`, which `cargo xtask evm test` builds beside `keel-anchor`.
pub(crate) fn keel() -> Command {
    let anchor = Path::new(env!("CARGO_BIN_EXE_keel-anchor"));
    Command::new(anchor.with_file_name("keel"))
}

fn serve(folder: &Path) -> Node {
    let mut child = keel()
        .args([
            "serve",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--checkpoint-interval",
            "20",
        ])
        .args(["--journal-io", "sync", "--segment-length", "4194304"])
        .arg("--dir")
        .arg(folder.join("data"))
        .arg("--genesis")
        .arg(folder.join("genesis.toml"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("keel is built beside keel-anchor");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    std::thread::spawn(move || out.lines().for_each(drop));
    let ready: Value = serde_json::from_str(&line).unwrap();
    let address = ready["listen"].as_str().unwrap().parse().unwrap();
    Node { child, address }
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", errors(&output));
    output
}

fn parsed(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
