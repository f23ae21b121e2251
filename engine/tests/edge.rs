//! What crosses the edge of the ledger: accounts that are opened, deposits and withdrawals, what owners
//! force, and what wallets and agents sign.

#![allow(clippy::unwrap_used)] // In a test a panic is a failed test.

mod common;

use std::collections::BTreeSet;

use common::desk::{GTC, MARKET, ask, bid};
use common::edge::{Border, OPERATOR, entries, stranger};
use common::{ended, first_answer, poor_genesis};
use engine::State;
use engine::follower::Follower;
use engine::snapshot::{self, Beside, BesideBytes};
use ledger::StateTree;
use types::block::Entry;
use types::command::{ApproveAgent, CancelScope, Send, Transfer, Withdraw};
use types::genesis::OwnerAddress;
use types::inbox::{InboxEntry, InboxKind};
use types::keys::SessionPolicy;
use types::limits::{ATOMS_MAX, SUB_ACCOUNTS_MAX, TIMER_NS_MAX};
use types::outcome::{BlockOutcome, DoneReason, Event};
use types::wallet::sub_account_address;
use types::{AccountId, AssetId, Atoms, Command, LogTime, OrderId, RejectReason};

const USD: AssetId = AssetId::new(2);
const DEV_0: AccountId = AccountId::new(0);
/// The first account that is opened.
const OPENED: AccountId = AccountId::new(OPERATOR + 1);
const AGENT: OwnerAddress = stranger(9);
const OTHER_AGENT: OwnerAddress = stranger(8);
const MILLION: u128 = 1_000_000;

struct Scene(Border);

impl Scene {
    fn new() -> Self {
        Self(Border::new(&poor_genesis()))
    }

    fn answer(&self) -> Result<u32, RejectReason> {
        let answer = first_answer(&self.0.outcome);
        if answer.is_err() {
            assert!(self.0.outcome.events.is_empty(), "a reject has no effect");
        }
        answer
    }

    fn step(&mut self, account: u32, command: Command<'_>) -> Result<u32, RejectReason> {
        let entry = self.0.frame(account, &[command]);
        self.0.run(entry);
        self.answer()
    }

    fn act(
        &mut self,
        account: AccountId,
        signer: OwnerAddress,
        command: Command<'_>,
    ) -> Result<u32, RejectReason> {
        let entry = self.0.action((account, signer), None, &[command]);
        self.0.run(entry);
        self.answer()
    }

    fn check(&mut self, steps: &[(u32, Command<'_>, Result<u32, RejectReason>)]) {
        for (number, (account, command, expected)) in steps.iter().enumerate() {
            let found = self.step(*account, *command);
            assert_eq!(found, *expected, "step {}: {command:?}", number + 1);
        }
    }

    fn tick(&mut self, time: u64) {
        self.0.run(Entry::Tick(LogTime::new(time)));
    }

    fn owner(&self, account: AccountId) -> OwnerAddress {
        self.0.state.ledger().owner(account)
    }

    fn free(&self, account: AccountId) -> u128 {
        self.0.state.ledger().balance(account, USD).free.get()
    }

    fn withdrawn(&self, account: AccountId) -> u128 {
        self.0.state.ledger().edge().withdrawn(account, USD).get()
    }

    fn ended(&self) -> Vec<(OrderId, DoneReason)> {
        ended(&self.0.outcome)
    }

    fn last_order(&self) -> OrderId {
        OrderId::new_at(self.0.state.position().sequence, MARKET, 0)
    }
}

const fn withdraw(amount: u128) -> Command<'static> {
    Command::Withdraw(Withdraw {
        asset: USD,
        amount: Atoms::new(amount),
    })
}

const fn send(to: OwnerAddress, amount: u128) -> Command<'static> {
    Command::Send(Send {
        to,
        asset: USD,
        amount: Atoms::new(amount),
    })
}

const fn approve(agent: OwnerAddress, name: u8, expires_at: u64) -> Command<'static> {
    Command::ApproveAgent(ApproveAgent {
        agent,
        name: [name; 16],
        expires_at: LogTime::new(expires_at),
    })
}

const fn inbox(
    index: u64,
    kind: InboxKind,
    (owner, account): (OwnerAddress, AccountId),
    amount: u128,
) -> Command<'static> {
    Command::Inbox(InboxEntry {
        index,
        kind,
        owner,
        account,
        asset: USD,
        amount: Atoms::new(amount),
    })
}

const fn deposit(index: u64, owner: OwnerAddress, amount: u128) -> Command<'static> {
    inbox(
        index,
        InboxKind::Deposit,
        (owner, AccountId::NOBODY),
        amount,
    )
}

#[test]
fn what_is_withdrawn_leaves_the_ledger_and_adds_up_in_the_leaf() {
    let mut scene = Scene::new();
    let unknown = Command::Withdraw(Withdraw {
        asset: AssetId::new(3),
        amount: Atoms::new(1),
    });
    scene.check(&[
        (0, unknown, Err(RejectReason::UnknownAsset)),
        (0, withdraw(0), Err(RejectReason::ZeroQuantity)),
        (0, withdraw(u128::MAX), Err(RejectReason::QuantityTooLarge)),
        (
            0,
            withdraw(3 * MILLION + 1),
            Err(RejectReason::InsufficientFunds),
        ),
        (0, withdraw(MILLION), Ok(0)),
        (0, withdraw(7), Ok(0)),
    ]);
    assert_eq!(scene.free(DEV_0), 2 * MILLION - 7);
    assert_eq!(scene.withdrawn(DEV_0), MILLION + 7);
    let record = scene.0.state.ledger().account_record(DEV_0).unwrap();
    assert_eq!(record.balances[2].1.withdrawn, Atoms::new(MILLION + 7));
}

#[test]
fn whoever_is_sent_something_has_an_account() {
    let mut scene = Scene::new();
    let to = stranger(1);
    scene.check(&[
        (0, send([0; 20], 5), Err(RejectReason::UnknownAccount)),
        (0, send(to, 0), Err(RejectReason::ZeroQuantity)),
        (
            0,
            send(to, 4 * MILLION),
            Err(RejectReason::InsufficientFunds),
        ),
        (
            0,
            send(scene.owner(DEV_0), 5),
            Err(RejectReason::SelfTransfer),
        ),
        (0, send(to, 5), Ok(OPENED.get())),
        (1, send(to, 6), Ok(OPENED.get())),
        (0, send(scene.owner(AccountId::new(1)), 7), Ok(1)),
    ]);
    let ledger = scene.0.state.ledger();
    assert_eq!(ledger.owner(OPENED), to);
    assert_eq!(ledger.account_at(&to), Some(OPENED));
    let groups: BTreeSet<_> = (0..ledger.account_count())
        .map(|account| ledger.group(AccountId::new(account)))
        .collect();
    assert!(groups.last() == Some(&ledger.group(OPENED)), "its own");
    assert_eq!(scene.free(OPENED), 11);
    // Its owner trades with it.
    assert_eq!(
        scene.act(OPENED, to, send(stranger(2), 11)),
        Ok(OPENED.get() + 1)
    );
}

#[test]
fn an_owner_opens_few_accounts_beside_the_first() {
    let mut scene = Scene::new();
    let owner = scene.owner(DEV_0);
    for number in 1..=SUB_ACCOUNTS_MAX {
        let opened = AccountId::new(OPERATOR + number);
        let answer = scene.act(DEV_0, owner, Command::OpenSubAccount);
        assert_eq!(answer, Ok(opened.get()));
        let ledger = scene.0.state.ledger();
        let address = sub_account_address(&owner, number);
        assert_eq!(ledger.account_at(&address), Some(opened));
        assert_eq!(ledger.group(opened), ledger.group(DEV_0));
    }
    let answer = scene.act(DEV_0, owner, Command::OpenSubAccount);
    assert_eq!(answer, Err(RejectReason::TooManyAccounts));
    // The main account's agent trades for them too, and funds go both ways by their owner's hand.
    let to_sub = Command::Transfer(Transfer {
        to: OPENED,
        asset: USD,
        amount: Atoms::new(1_000),
    });
    assert_eq!(scene.act(DEV_0, owner, to_sub), Ok(0));
    assert!(scene.act(DEV_0, owner, approve(AGENT, 1, 0)).is_ok());
    assert_eq!(scene.act(OPENED, AGENT, bid(1, 1, GTC)), Ok(0));
    assert_eq!(scene.act(OPENED, owner, send(owner, 5)), Ok(0));
}

#[test]
fn the_inbox_is_consumed_in_its_order_by_operators() {
    let mut scene = Scene::new();
    let to = stranger(1);
    let supply = scene.0.state.ledger().deposited(USD).get();
    let room = ATOMS_MAX - supply;
    scene.check(&[
        (0, deposit(0, to, 5), Err(RejectReason::NotOperator)),
        (
            OPERATOR,
            deposit(1, to, 5),
            Err(RejectReason::InboxOutOfOrder),
        ),
        (OPERATOR, deposit(0, to, 0), Err(RejectReason::ZeroQuantity)),
        (
            OPERATOR,
            deposit(0, to, room + 1),
            Err(RejectReason::SupplyTooLarge),
        ),
        (OPERATOR, deposit(0, to, 5), Ok(OPENED.get())),
        (
            OPERATOR,
            deposit(0, to, 5),
            Err(RejectReason::InboxOutOfOrder),
        ),
        (OPERATOR, deposit(1, to, 6), Ok(OPENED.get())),
        (OPERATOR, deposit(2, scene.owner(DEV_0), 7), Ok(0)),
    ]);
    assert_eq!(scene.free(OPENED), 11);
    assert_eq!(scene.free(DEV_0), 3 * MILLION + 7);
    assert_eq!(scene.0.state.ledger().edge().inbox().count, 3);
    let deposited = scene.0.state.ledger().deposited(USD).get();
    assert_eq!(deposited, supply + 18);
}

#[test]
fn owners_force_what_is_theirs_and_nothing_else() {
    let mut scene = Scene::new();
    let (cancel, out) = (InboxKind::CancelAll, InboxKind::Withdraw);
    let owner = scene.owner(DEV_0);
    let own = (owner, DEV_0);
    assert_eq!(scene.step(0, bid(100, 5, GTC)), Ok(0));
    let order = scene.last_order();
    scene.check(&[
        // Somebody else's, and one that is not there.
        (OPERATOR, inbox(0, out, (stranger(1), DEV_0), 9), Ok(0)),
        (
            OPERATOR,
            inbox(1, cancel, (owner, AccountId::new(9_999)), 0),
            Ok(0),
        ),
    ]);
    assert_eq!(scene.ended(), []);
    assert_eq!(scene.step(OPERATOR, inbox(2, cancel, own, 0)), Ok(1));
    assert_eq!(scene.ended(), [(order, DoneReason::Forced)]);
    // A withdrawal takes orders off first, so that nothing is held back.
    assert_eq!(scene.step(0, bid(100, 5, GTC)), Ok(0));
    let order = scene.last_order();
    assert_eq!(scene.step(OPERATOR, inbox(3, out, own, u128::MAX)), Ok(1));
    assert_eq!(scene.ended(), [(order, DoneReason::Forced)]);
    assert_eq!(
        (scene.free(DEV_0), scene.withdrawn(DEV_0)),
        (0, 3 * MILLION)
    );
    assert_eq!(scene.step(OPERATOR, inbox(4, out, own, 5)), Ok(0));
    assert_eq!(scene.withdrawn(DEV_0), 3 * MILLION);
}

#[test]
fn agents_trade_and_move_nothing() {
    let mut scene = Scene::new();
    let owner = scene.owner(DEV_0);
    let trade = bid(100, 1, GTC);
    assert_eq!(
        scene.act(DEV_0, AGENT, trade),
        Err(RejectReason::WrongWallet)
    );
    let key = scene.act(DEV_0, owner, approve(AGENT, 1, 0)).unwrap();
    assert_eq!(scene.act(DEV_0, AGENT, trade), Ok(0));
    // Nobody approves the same wallet for another account.
    let taken = scene.step(1, approve(AGENT, 1, 0));
    assert_eq!(taken, Err(RejectReason::KeyTaken));
    let of_another = scene.act(AccountId::new(1), AGENT, trade);
    assert_eq!(of_another, Err(RejectReason::UnknownKey));
    for command in [
        withdraw(1),
        send(stranger(1), 1),
        Command::OpenSubAccount,
        approve(OTHER_AGENT, 2, 0),
        deposit(0, owner, 1),
    ] {
        let answer = scene.act(DEV_0, AGENT, command);
        assert_eq!(answer, Err(RejectReason::KeyScope), "{command:?}");
    }
    // By another name it stays the agent; the one that takes its name ends it.
    assert_eq!(scene.act(DEV_0, owner, approve(AGENT, 2, 0)), Ok(key));
    assert_eq!(scene.act(DEV_0, AGENT, trade), Ok(0));
    assert!(scene.act(DEV_0, owner, approve(OTHER_AGENT, 2, 0)).is_ok());
    assert_eq!(
        scene.act(DEV_0, AGENT, trade),
        Err(RejectReason::KeyRevoked)
    );
    assert_eq!(scene.act(DEV_0, OTHER_AGENT, trade), Ok(0));
}

#[test]
fn an_address_with_an_account_is_no_agent() {
    let mut scene = Scene::new();
    let (owner, other) = (scene.owner(DEV_0), scene.owner(AccountId::new(1)));
    let of_own = sub_account_address(&owner, 1);
    assert_eq!(scene.step(0, Command::OpenSubAccount), Ok(OPENED.get()));
    let taken = Err(RejectReason::KeyTaken);
    scene.check(&[
        (0, approve(other, 1, 0), taken),
        (0, approve(owner, 1, 0), taken),
        (0, approve(of_own, 1, 0), taken),
    ]);
    // Whoever is paid has an account from then on.
    assert!(scene.step(1, send(AGENT, 1)).is_ok());
    assert_eq!(scene.step(0, approve(AGENT, 1, 0)), taken);
    assert!(scene.step(0, approve(OTHER_AGENT, 1, 0)).is_ok());
    assert!(scene.step(1, send(OTHER_AGENT, 1)).is_ok());
    assert_eq!(scene.step(0, approve(OTHER_AGENT, 1, 600)), taken);
}

#[test]
fn an_agent_ends_with_its_time() {
    let mut scene = Scene::new();
    let trade = bid(100, 1, GTC);
    assert!(scene.step(0, approve(AGENT, 0, 500)).is_ok());
    scene.tick(500);
    assert_eq!(scene.act(DEV_0, AGENT, trade), Ok(0));
    scene.tick(501);
    assert_eq!(
        scene.act(DEV_0, AGENT, trade),
        Err(RejectReason::KeyExpired)
    );
    // What was signed before the key was given anew is dead.
    let stale = scene.0.action((DEV_0, AGENT), None, &[trade]);
    assert!(scene.step(0, approve(AGENT, 0, 0)).is_ok());
    scene.0.run(stale);
    assert_eq!(scene.answer(), Err(RejectReason::StaleEpoch));
    assert_eq!(scene.act(DEV_0, AGENT, trade), Ok(0));
}

#[test]
fn each_action_executes_once() {
    let mut scene = Scene::new();
    let owner = scene.owner(DEV_0);
    let who = (DEV_0, owner);
    let step = |scene: &mut Scene, nonce| {
        let entry = scene.0.action(who, Some(nonce), &[bid(1, 1, GTC)]);
        scene.0.run(entry);
        scene.answer()
    };
    assert_eq!(step(&mut scene, 1_000), Ok(0));
    assert_eq!(step(&mut scene, 1_000), Err(RejectReason::NonceReused));
    assert_eq!(step(&mut scene, 999), Ok(0));
    for nonce in 1_001..1_100 {
        assert_eq!(step(&mut scene, nonce), Ok(0));
    }
    assert_eq!(step(&mut scene, 998), Err(RejectReason::NonceTooOld));
    let day = 24 * 60 * 60 * 1_000;
    assert_eq!(step(&mut scene, day + 1), Err(RejectReason::NonceTooHigh));
}

#[test]
fn a_wallet_has_no_session() {
    let mut scene = Scene::new();
    let owner = scene.owner(DEV_0);
    for command in [
        Command::SetTimer(1_000),
        Command::SetSessionPolicy(SessionPolicy::default()),
    ] {
        let answer = scene.act(DEV_0, owner, command);
        assert_eq!(answer, Err(RejectReason::KeyScope), "{command:?}");
    }
}

#[test]
fn an_accounts_timer_takes_everything_off() {
    let mut scene = Scene::new();
    let owner = scene.owner(DEV_0);
    scene.tick(100);
    let at = |time| Command::SetTimerAt(LogTime::new(time));
    assert_eq!(scene.step(0, bid(100, 5, GTC)), Ok(0));
    let by_key = scene.last_order();
    assert_eq!(scene.act(DEV_0, owner, bid(99, 5, GTC)), Ok(0));
    let by_wallet = scene.last_order();
    assert_eq!(scene.step(1, ask(200, 5, GTC)), Ok(0));
    for (time, expected) in [
        (99, Err(RejectReason::InvalidPolicy)),
        (100, Err(RejectReason::InvalidPolicy)),
        (101 + TIMER_NS_MAX, Err(RejectReason::InvalidPolicy)),
        (150, Ok(0)),
        (0, Ok(0)),
        (200, Ok(0)),
    ] {
        assert_eq!(scene.act(DEV_0, owner, at(time)), expected, "{time}");
    }
    assert_eq!(scene.0.state.next_due(), Some(LogTime::new(200)));
    scene.tick(199);
    assert_eq!(scene.ended(), []);
    scene.tick(200);
    let timer = DoneReason::Timer;
    assert_eq!(scene.ended(), [(by_key, timer), (by_wallet, timer)]);
    assert_eq!(scene.0.state.next_due(), None);
    let everything = Command::CancelAll(CancelScope::EVERYTHING);
    assert_eq!(scene.step(1, everything), Ok(1));
}

/// Every reason and event of the edge comes up, followers arrive at the same balances, and a state that
/// was written down and read again goes on as the first one does.
#[test]
fn streams_across_the_edge_are_followed_and_survive_restarts() {
    let genesis = poor_genesis();
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        let mut state = State::from_genesis(&genesis, seed);
        let mut follower = Follower::from_genesis(&genesis);
        let mut tree = StateTree::new(state.ledger());
        let mut outcome = BlockOutcome::default();
        for (number, entry) in entries(&genesis, seed, 300).into_iter().enumerate() {
            let block = state.position().next_block(vec![entry]);
            engine::sequential::execute(&mut state, &block, &mut outcome);
            follower.follow(&outcome);
            let mut changed = snapshot::ChangedAccounts::default();
            changed.follow(&outcome);
            tree.update(state.ledger(), changed.as_slice().iter().copied());
            let reasons = outcome.receipts.iter().filter_map(|it| it.reject_reason());
            seen.extend(reasons.map(RejectReason::name));
            seen.extend(outcome.events.iter().map(|it| kind(&it.event())));
            if number % 40 == 0 {
                state = restarted(&state, &tree, seed);
            }
        }
        assert_eq!(tree.root(), state.ledger().state_root(), "seed {seed}");
        let (ledger, followed) = (state.ledger(), follower.ledger());
        for account in (0..ledger.account_count()).map(AccountId::new) {
            let found = followed.account_record(account);
            assert_eq!(found, ledger.account_record(account), "seed {seed}");
            let orders = state.open_orders(account);
            assert_eq!(follower.open_orders(account), orders, "seed {seed}");
        }
    }
    for name in [
        "opened",
        "deposited",
        "withdrawn",
        "forced",
        "timer",
        "KEY_SCOPE",
        "INBOX_OUT_OF_ORDER",
        "KEY_TAKEN",
        "SELF_TRANSFER",
    ] {
        assert!(seen.contains(name), "{name} is not among {seen:?}");
    }
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::AccountOpened(_) => "opened",
        Event::Deposited(_) => "deposited",
        Event::Withdrawn(_) => "withdrawn",
        Event::Done(done) => done.reason.name(),
        _ => "other",
    }
}

fn restarted(state: &State, tree: &StateTree, seed: u64) -> State {
    let bytes = rkyv::to_bytes::<rkyv::rancor::Panic>(&state.snapshot(tree)).unwrap();
    let archived = snapshot::access(&bytes).unwrap();
    let beside = BesideBytes::of(state);
    let edge = snapshot::decode_edge(&beside.edge).unwrap();
    assert_eq!(archived.ledger.state_root(&edge), tree.root());
    let restored = State::restore(archived, beside.read(), &poor_genesis(), seed).unwrap();
    restored.assert_invariants();
    assert_eq!(restored.digest(), state.digest(), "seed {seed}");
    restored
}

/// Bytes that are damaged in spite of their digest are refused or restored, and never a panic.
#[test]
fn a_damaged_edge_never_panics() {
    let genesis = poor_genesis();
    let mut state = State::from_genesis(&genesis, 3);
    let mut outcome = BlockOutcome::default();
    for entry in entries(&genesis, 3, 300) {
        let block = state.position().next_block(vec![entry]);
        engine::sequential::execute(&mut state, &block, &mut outcome);
    }
    let tree = StateTree::new(state.ledger());
    let bytes = rkyv::to_bytes::<rkyv::rancor::Panic>(&state.snapshot(&tree)).unwrap();
    let archived = snapshot::access(&bytes).unwrap();
    let beside = BesideBytes::of(&state);
    let restored = |edge: &[u8]| {
        let beside = Beside {
            edge: Some(edge),
            ..beside.read()
        };
        State::restore(archived, beside, &genesis, 0)
    };
    let mut refused = 0;
    for at in 0..beside.edge.len() {
        let mut damaged = beside.edge.to_vec();
        damaged[at] ^= 1 << (at % 8);
        refused += u64::from(restored(&damaged).is_err());
    }
    println!("{refused} of {} refused", beside.edge.len());
    assert!(0 < refused);
    for length in 0..beside.edge.len() {
        assert!(restored(&beside.edge[..length]).is_err(), "{length} bytes");
    }
}
