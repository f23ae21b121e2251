//! A bridge on a chain in this process, with ether and a token, and a small ledger's trees.

use alloy::primitives::{Address, B256, Bytes, U256, address};
use alloy::sol_types::{SolCall, SolConstructor as _};
use anchor::contract::{Asset, Bridge, Checkpoint, Record, Terms};
use anchor::proof::Funds;
use ledger::tree::{self, leaf_hash};
use types::outcome::Digest;

use crate::chain::{Chain, Revert};

/// The contracts of tests, from their committed artifacts.
#[allow(
    missing_docs,
    missing_debug_implementations,
    clippy::all,
    unreachable_pub
)]
pub(crate) mod contracts {
    alloy::sol!(PlainToken, "contracts/artifacts/PlainToken.json");
    alloy::sol!(FeeToken, "contracts/artifacts/FeeToken.json");
    alloy::sol!(FalseToken, "contracts/artifacts/FalseToken.json");
    alloy::sol!(ReentrantToken, "contracts/artifacts/ReentrantToken.json");
    alloy::sol!(Payee, "contracts/artifacts/Payee.json");
    alloy::sol!(Verifier, "contracts/artifacts/Verifier.json");
    alloy::sol!(YesJudge, "contracts/artifacts/YesJudge.json");
}
pub(crate) use contracts::PlainToken;

/// As the judge's own artifact calls it.
pub(crate) fn judged(it: &Checkpoint) -> contracts::Anchor::Checkpoint {
    contracts::Anchor::Checkpoint {
        index: it.index,
        sequence: it.sequence,
        consumed: it.consumed,
        time: it.time,
        proposer: it.proposer,
        stateRoot: it.stateRoot,
        dataCommitment: it.dataCommitment,
    }
}

pub(crate) const CHAIN: u64 = 31_337;
pub(crate) const OPERATOR: Address = address!("0x00000000000000000000000000000000000000e0");
pub(crate) const ALICE: Address = address!("0x00000000000000000000000000000000000a11ce");
pub(crate) const BOB: Address = address!("0x0000000000000000000000000000000000000b0b");
/// Wei in an atom of asset 0.
pub(crate) const SCALE: u64 = 1_000_000_000;
/// Units in an atom of asset 1.
pub(crate) const TOKEN_SCALE: u64 = 10;
pub(crate) const FEE: u64 = 1_000;
pub(crate) const BOND: u64 = 1_000_000;
pub(crate) const WINDOW: u64 = 100;
pub(crate) const PERIOD: u64 = 1_000;
pub(crate) const OPEN_AFTER: u64 = 4_000;
pub(crate) const FREEZE_AFTER: u64 = 5_000;

/// Shortens the name of an error that a call must end with.
macro_rules! fails {
    ($result:expr, $error:ident) => {
        assert_eq!(
            $result.err(),
            Some(crate::chain::Revert(
                <anchor::contract::Bridge::$error as alloy::sol_types::SolError>::SELECTOR
            )),
            stringify!($error)
        )
    };
}
pub(crate) use fails;

/// A chain with a bridge, and what was published.
pub(crate) struct World {
    pub(crate) chain: Chain,
    pub(crate) bridge: Address,
    pub(crate) token: Address,
    /// All checkpoints, the genesis first.
    pub(crate) checkpoints: Vec<Checkpoint>,
}

impl World {
    /// With a plain token and no judge.
    pub(crate) fn new() -> Self {
        let mut chain = Chain::new(CHAIN);
        let token = chain.deploy(&PlainToken::BYTECODE, &[]).unwrap();
        Self::with(chain, token, Address::ZERO)
    }

    pub(crate) fn with(chain: Chain, token: Address, judge: Address) -> Self {
        Self::deployed(chain, token, terms(judge))
    }

    /// With data on chain.
    pub(crate) fn rollup() -> Self {
        let mut chain = Chain::new(CHAIN);
        let token = chain.deploy(&PlainToken::BYTECODE, &[]).unwrap();
        let terms = Terms {
            dataOnChain: true,
            ..terms(Address::ZERO)
        };
        Self::deployed(chain, token, terms)
    }

    fn deployed(mut chain: Chain, token: Address, terms: Terms) -> Self {
        let genesis = Checkpoint {
            stateRoot: terms.genesisRoot,
            ..checkpoint()
        };
        let bridge = deploy(&mut chain, terms, assets(token)).unwrap();
        let mut world = Self {
            chain,
            bridge,
            token,
            checkpoints: vec![genesis],
        };
        world.bond(OPERATOR);
        world
    }

    /// Puts what a proposer needs at stake.
    pub(crate) fn bond(&mut self, who: Address) {
        self.chain.fund(who, U256::from(BOND));
        let bond = U256::from(BOND);
        self.send(who, bond, &Bridge::addBondCall {}).unwrap();
    }

    /// A transaction to the bridge.
    pub(crate) fn send<C: SolCall>(
        &mut self,
        from: Address,
        value: U256,
        call: &C,
    ) -> Result<C::Return, Revert> {
        self.chain.send(from, self.bridge, value, call)
    }

    /// A transaction without ether.
    pub(crate) fn act<C: SolCall>(&mut self, from: Address, call: &C) -> Result<C::Return, Revert> {
        self.send(from, U256::ZERO, call)
    }

    pub(crate) fn ask<C: SolCall>(&mut self, call: &C) -> C::Return {
        self.chain
            .ask(self.bridge, call)
            .expect("a question is answered")
    }

    /// Gives somebody tokens, and the bridge leave to take them.
    pub(crate) fn mint(&mut self, who: Address, units: U256) {
        let mint = PlainToken::mintCall { to: who, units };
        self.chain.send(who, self.token, U256::ZERO, &mint).unwrap();
        let approve = PlainToken::approveCall {
            spender: self.bridge,
            value: U256::MAX,
        };
        self.chain
            .send(who, self.token, U256::ZERO, &approve)
            .unwrap();
    }

    pub(crate) fn tokens(&mut self, who: Address) -> U256 {
        let call = PlainToken::balanceOfCall { account: who };
        self.chain.ask(self.token, &call).unwrap()
    }

    /// Pays in with money made for it.
    pub(crate) fn deposit(
        &mut self,
        asset: u16,
        amount: u128,
        owner: Address,
    ) -> Result<(), Revert> {
        let mut value = U256::ZERO;
        match asset {
            0 => {
                value = U256::from(amount) * U256::from(SCALE);
                self.chain.fund(owner, value);
            }
            _ => self.mint(owner, U256::from(amount) * U256::from(TOKEN_SCALE)),
        }
        let call = Bridge::depositCall {
            asset,
            amount,
            owner,
        };
        self.send(owner, value, &call).map(|_| ())
    }

    pub(crate) fn force(
        &mut self,
        owner: Address,
        kind: u8,
        account: u32,
        asset: u16,
        amount: u128,
    ) -> Result<(), Revert> {
        self.chain.fund(owner, U256::from(FEE));
        let call = Bridge::forceCall {
            kind,
            account,
            asset,
            amount,
        };
        self.send(owner, U256::from(FEE), &call).map(|_| ())
    }

    pub(crate) fn inbox_hash(&mut self, consumed: u64) -> B256 {
        self.ask(&Bridge::chainHashCall { count: consumed })
    }

    /// What publishing this root next would be.
    pub(crate) fn publication(&mut self, root: Digest, consumed: u64) -> Bridge::publishCall {
        Bridge::publishCall {
            sequence: self.last().sequence + 10,
            consumed,
            inboxHash: self.inbox_hash(consumed),
            stateRoot: B256::new(*root.as_bytes()),
            dataCommitment: B256::repeat_byte(7),
        }
    }

    pub(crate) fn publish(&mut self, root: Digest, consumed: u64) -> Result<Checkpoint, Revert> {
        self.publish_as(OPERATOR, root, consumed)
    }

    pub(crate) fn publish_as(
        &mut self,
        who: Address,
        root: Digest,
        consumed: u64,
    ) -> Result<Checkpoint, Revert> {
        let call = self.publication(root, consumed);
        self.act(who, &call)?;
        let published = Checkpoint {
            index: self.last().index + 1,
            sequence: call.sequence,
            consumed,
            time: self.chain.now(),
            proposer: who,
            stateRoot: call.stateRoot,
            dataCommitment: call.dataCommitment,
        };
        self.checkpoints.push(published.clone());
        Ok(published)
    }

    pub(crate) fn last(&self) -> &Checkpoint {
        self.checkpoints
            .last()
            .expect("the genesis is always there")
    }

    /// Freezes with the right checkpoints shown.
    pub(crate) fn freeze(&mut self) -> Result<(), Revert> {
        let now = self.chain.now();
        let is_final = |it: &&Checkpoint| it.time + WINDOW < now;
        let last = self.checkpoints.iter().rfind(is_final);
        let last = last.expect("the genesis is final").clone();
        let next = self.checkpoints.get(last.index as usize + 1).cloned();
        let call = Bridge::freezeCall {
            last,
            next: next.unwrap_or_else(checkpoint),
        };
        self.act(BOB, &call).map(|_| ())
    }

    pub(crate) fn claim(
        &mut self,
        checkpoint: &Checkpoint,
        accounts: &Accounts,
        account: u32,
        places: u64,
    ) -> Result<(), Revert> {
        let call = accounts.claim(checkpoint, account, places);
        self.act(BOB, &call).map(|_| ())
    }
}

pub(crate) fn terms(judge: Address) -> Terms {
    Terms {
        genesisRoot: B256::new(*tree::empty_subtree(tree::DEPTH).as_bytes()),
        operator: OPERATOR,
        judge,
        bond: U256::from(BOND),
        requestFee: U256::from(FEE),
        challengeWindow: WINDOW as u32,
        requestPeriod: PERIOD as u32,
        openAfter: OPEN_AFTER as u32,
        freezeAfter: FREEZE_AFTER as u32,
        dataOnChain: false,
    }
}

pub(crate) fn assets(token: Address) -> Vec<Asset> {
    let asset = |token, scale| Asset {
        token,
        scale: alloy::primitives::aliases::U96::from(scale),
    };
    vec![asset(Address::ZERO, SCALE), asset(token, TOKEN_SCALE)]
}

pub(crate) fn deploy(chain: &mut Chain, terms: Terms, list: Vec<Asset>) -> Result<Address, Revert> {
    let arguments = Bridge::constructorCall { terms, list }.abi_encode();
    chain.deploy(&Bridge::BYTECODE, &arguments)
}

/// Where a call does not look.
pub(crate) fn checkpoint() -> Checkpoint {
    Checkpoint {
        index: 0,
        sequence: 0,
        consumed: 0,
        time: 0,
        proposer: Address::ZERO,
        stateRoot: B256::ZERO,
        dataCommitment: B256::ZERO,
    }
}

/// What a ledger says of its accounts: the words of each record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts(Vec<Record>);

impl Accounts {
    /// Adds an account, with funds by asset.
    pub(crate) fn with(mut self, account: u32, owner: Address, funds: &[(u16, Funds)]) -> Self {
        let mut words = Vec::new();
        for (asset, it) in funds {
            words.push(U256::from(*asset) << 128 | U256::from(it.free));
            words.push(U256::from(it.withdrawn) << 128 | U256::from(it.held));
        }
        let record = Record {
            account,
            owner,
            words,
        };
        self.0.push(record);
        self.0.sort_by_key(|it| it.account);
        self
    }

    pub(crate) fn record(&self, account: u32) -> Record {
        let found = self.0.iter().find(|it| it.account == account);
        found.expect("the account was added").clone()
    }

    pub(crate) fn root(&self) -> Digest {
        tree::root(self.leaves())
    }

    pub(crate) fn claim(
        &self,
        checkpoint: &Checkpoint,
        account: u32,
        places: u64,
    ) -> Bridge::claimCall {
        let siblings = tree::Layers::new(self.leaves()).siblings(account);
        Bridge::claimCall {
            checkpoint: checkpoint.clone(),
            record: self.record(account),
            siblings: siblings.map(|node| B256::new(*node.as_bytes())),
            places: U256::from(places),
        }
    }

    fn leaves(&self) -> Vec<(u32, Digest)> {
        let leaf = |it: &Record| (it.account, leaf_hash(&record_bytes(it)));
        self.0.iter().map(leaf).collect()
    }
}

/// The canonical bytes of docs/STATE_TREE.md.
pub(crate) fn record_bytes(record: &Record) -> Vec<u8> {
    let mut bytes = b"keelacc1".to_vec();
    bytes.extend(record.account.to_be_bytes());
    bytes.extend(record.owner);
    for word in &record.words {
        bytes.extend(word.to_be_bytes::<32>());
    }
    bytes
}

/// All of it is withdrawn.
pub(crate) fn withdrawn(amount: u128) -> Funds {
    Funds {
        withdrawn: amount,
        ..Funds::default()
    }
}

/// Bytecode of a contract of tests.
pub(crate) fn deploy_plain(chain: &mut Chain, bytecode: &Bytes) -> Address {
    chain
        .deploy(bytecode, &[])
        .expect("it has no constructor that refuses")
}
