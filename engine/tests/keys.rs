//! Session keys: who may sign what, how much of it, and what becomes of orders when nobody is there.

#![allow(clippy::unwrap_used)] // In a test a panic is a failed test.

mod common;

use std::collections::BTreeSet;

use common::desk::{GTC, IOC, MARKET, ask, bid, place, until};
use common::keyed::{Keyring, public, random_stream};
use common::{
    Random, ended, first_answer, limited_genesis, poor_genesis, random_command, random_levels,
};
use engine::State;
use engine::snapshot::{self, Beside, BesideBytes};
use ledger::StateTree;
use types::block::Entry;
use types::command::{
    CancelScope, MarketStatus, Place, QuoteLevel, QuoteSet, SetMarketStatus, Transfer,
};
use types::keys::{GrantedMarkets, KeyGrant, KeyScope, SessionPolicy};
use types::limits::{KEYS_PER_ACCOUNT_MAX, SILENCE_NS_MAX, SILENCE_NS_MIN, TIMER_NS_MAX};
use types::outcome::{DoneReason, Event, FrameVerdict};
use types::wallet::WalletKey;
use types::{
    AccountId, AssetId, Atoms, BaseLots, Command, KeyEpoch, KeyId, LogTime, MarketId, Nonce,
    OrderId, RejectReason, Side, Ticks,
};

const OTHER: MarketId = MarketId::new(1);
/// In the genesis of these tests accounts 0 to 3 have keys 0 to 3, so the next is this.
const FIRST: KeyId = KeyId::new(4);
const SECOND: KeyId = KeyId::new(5);
/// Quote atoms of one lot at one tick in the first market.
const UNIT: u128 = 1;

const TRADE: KeyGrant = KeyGrant {
    scope: KeyScope::Trade,
    ..KeyGrant::OWNER
};

struct Scene(Keyring);

impl Scene {
    fn new() -> Self {
        Self(Keyring::new(&poor_genesis()))
    }

    /// Account 0 has a key with this grant: the first one that is registered.
    fn with_key(grant: &KeyGrant) -> Self {
        let mut scene = Self::new();
        assert_eq!(scene.register(0, 0, grant), Ok(FIRST.get()));
        scene
    }

    /// The receipt of the first command, or why the frame was refused.
    fn answer(&self) -> Result<u32, RejectReason> {
        first_answer(&self.0.outcome)
    }

    fn register(&mut self, account: u32, key: u64, grant: &KeyGrant) -> Result<u32, RejectReason> {
        let entry = self.0.register(account, public(key), grant);
        self.0.run(entry);
        self.answer()
    }

    fn revoke(&mut self, account: u32, key: u64) -> Result<u32, RejectReason> {
        let entry = self.0.revoke(account, public(key));
        self.0.run(entry);
        self.answer()
    }

    fn step(&mut self, key: KeyId, command: Command<'_>) -> Result<u32, RejectReason> {
        let entry = self.0.frame(key, &[command]);
        self.0.run(entry);
        self.answer()
    }

    fn check(&mut self, steps: &[(KeyId, Command<'_>, Result<u32, RejectReason>)]) {
        for (number, (key, command, expected)) in steps.iter().enumerate() {
            let found = self.step(*key, *command);
            assert_eq!(found, *expected, "step {}: {command:?}", number + 1);
        }
    }

    fn tick(&mut self, time: u64) {
        self.0.run(Entry::Tick(LogTime::new(time)));
    }

    fn silence(&mut self, key: KeyId) {
        self.0.run(Entry::Silence(key));
    }

    /// What ended with the last entry, and why.
    fn ended(&self) -> Vec<(OrderId, DoneReason)> {
        ended(&self.0.outcome)
    }

    /// The id of the order that the last entry placed.
    fn last_order(&self) -> OrderId {
        OrderId::new_at(self.0.state.position().sequence, MARKET, 0)
    }

    fn owner(account: u32) -> KeyId {
        KeyId::new(account)
    }
}

/// An order of another account, so that there is something to meet.
const MAKER: KeyId = KeyId::new(2);

fn all() -> Command<'static> {
    Command::CancelAll(CancelScope::EVERYTHING)
}

fn transfer() -> Command<'static> {
    Command::Transfer(Transfer {
        to: AccountId::new(1),
        asset: AssetId::new(2),
        amount: Atoms::new(1),
    })
}

fn policy(silence_ns: u64, good_till_cancelled: bool, whole_account: bool) -> Command<'static> {
    Command::SetSessionPolicy(SessionPolicy {
        silence_ns,
        good_till_cancelled,
        whole_account,
    })
}

#[test]
fn a_scope_is_which_commands() {
    let status = Command::SetMarketStatus(SetMarketStatus {
        market: MARKET,
        status: MarketStatus::Open,
    });
    let mut scene = Scene::with_key(&TRADE);
    scene.check(&[
        (FIRST, bid(90, 10, GTC), Ok(0)),
        (FIRST, all(), Ok(1)),
        (FIRST, policy(SILENCE_NS_MIN, true, true), Ok(0)),
        (FIRST, Command::SetTimer(1), Ok(0)),
        (FIRST, transfer(), Err(RejectReason::KeyScope)),
        (FIRST, status, Err(RejectReason::KeyScope)),
        (
            FIRST,
            Command::RevokeKey(Scene::owner(0)),
            Err(RejectReason::KeyScope),
        ),
        (Scene::owner(0), transfer(), Ok(0)),
    ]);
    let cancel_only = KeyGrant {
        scope: KeyScope::CancelOnly,
        ..KeyGrant::OWNER
    };
    let mut scene = Scene::with_key(&cancel_only);
    scene.check(&[
        (Scene::owner(0), bid(90, 10, GTC), Ok(0)),
        (FIRST, bid(90, 10, GTC), Err(RejectReason::KeyScope)),
        (
            FIRST,
            common::desk::replace(2, 91, 10, true),
            Err(RejectReason::KeyScope),
        ),
        (FIRST, all(), Ok(1)),
        (FIRST, Command::SetTimer(1), Ok(0)),
        (FIRST, Command::RevokeKey(FIRST), Ok(0)),
    ]);
}

#[test]
fn a_key_stays_in_its_markets() {
    let grant = KeyGrant {
        markets: GrantedMarkets::new(&[OTHER]).unwrap(),
        ..TRADE
    };
    let mut scene = Scene::with_key(&grant);
    let there = |order: Place| {
        Command::Place(Place {
            market: OTHER,
            ..order
        })
    };
    let one = |market| {
        Command::CancelAll(CancelScope {
            market: Some(market),
            ..CancelScope::EVERYTHING
        })
    };
    scene.check(&[
        (FIRST, bid(90, 10, GTC), Err(RejectReason::KeyMarket)),
        (FIRST, there(place(Side::Bid, 90, 10, GTC)), Ok(0)),
        (FIRST, all(), Err(RejectReason::KeyMarket)),
        (FIRST, one(MARKET), Err(RejectReason::KeyMarket)),
        (FIRST, one(OTHER), Ok(1)),
    ]);
}

#[test]
fn orders_are_within_the_notional_of_their_key() {
    let grant = KeyGrant {
        order_notional_max: Atoms::new(1_000 * UNIT),
        open_notional_max: Atoms::new(2_500 * UNIT),
        ..TRADE
    };
    let mut scene = Scene::with_key(&grant);
    let too_large = Err(RejectReason::KeyOrderNotional);
    let too_much = Err(RejectReason::KeyOpenNotional);
    scene.check(&[
        (FIRST, bid(100, 11, GTC), too_large),
        (FIRST, bid(100, 10, GTC), Ok(0)),
        (FIRST, bid(100, 10, GTC), Ok(0)),
        (FIRST, bid(100, 6, GTC), too_much),
        (FIRST, bid(100, 5, GTC), Ok(0)),
        (FIRST, bid(100, 1, GTC), too_much),
        // What cannot rest is not open.
        (FIRST, bid(100, 10, IOC), Ok(0)),
        (FIRST, bid(100, 11, IOC), too_large),
        // An order that moves makes room for itself.
        (FIRST, common::desk::replace(6, 100, 5, true), Ok(0)),
        (FIRST, common::desk::replace(6, 101, 5, true), too_much),
        (FIRST, common::desk::replace(6, 100, 3, true), Ok(0)),
        (FIRST, bid(100, 2, GTC), Ok(0)),
        // The owner is not limited, and takes an order over by moving it.
        (
            Scene::owner(0),
            common::desk::replace(3, 99, 10, true),
            Ok(0),
        ),
        (FIRST, bid(100, 10, GTC), Ok(0)),
        // What fills makes room.
        (MAKER, ask(100, 10, IOC), Ok(1)),
        (FIRST, bid(100, 10, GTC), Ok(0)),
        (FIRST, bid(100, 1, GTC), too_much),
    ]);
}

#[test]
fn quotes_are_within_the_notional_of_their_key() {
    let grant = KeyGrant {
        order_notional_max: Atoms::new(1_000),
        open_notional_max: Atoms::new(1_500),
        ..TRADE
    };
    let mut scene = Scene::with_key(&grant);
    let level = |price, quantity| QuoteLevel::new(Ticks::new(price), BaseLots::new(quantity));
    let (bids, more) = ([level(100, 7), level(99, 7)], [level(100, 9), level(99, 7)]);
    let large = [level(100, 11)];
    let set = |number, bids| {
        Command::QuoteSet(QuoteSet {
            market: MARKET,
            number,
            bids,
            asks: &[],
        })
    };
    scene.check(&[
        (FIRST, set(1, &bids), Ok(2)),
        (FIRST, set(2, &more), Err(RejectReason::KeyOpenNotional)),
        (FIRST, set(3, &large), Err(RejectReason::KeyOrderNotional)),
        (FIRST, bid(50, 3, GTC), Err(RejectReason::KeyOpenNotional)),
        (FIRST, bid(50, 2, GTC), Ok(0)),
        // A set replaces the one before it.
        (FIRST, set(4, &bids), Ok(2)),
    ]);
}

#[test]
fn a_loss_ends_the_day_of_a_key() {
    let grant = KeyGrant {
        daily_loss_max: Atoms::new(100),
        ..TRADE
    };
    let day = 24 * 60 * 60 * 1_000_000_000;
    let mut scene = Scene::with_key(&grant);
    scene.tick(day);
    let lost = Err(RejectReason::KeyDailyLoss);
    scene.check(&[
        (MAKER, ask(100, 100, GTC), Ok(0)),
        // There was no trade yet: only the fee is at stake.
        (FIRST, bid(100, 10, IOC), Ok(1)),
        // At its worst this would lose 11 ticks on 10 lots.
        (FIRST, bid(111, 10, GTC), lost),
        (FIRST, bid(105, 10, IOC), Ok(1)),
        (FIRST, bid(50, 5, GTC), Ok(0)),
    ]);
    let open = scene.last_order();
    // Twenty lots were bought at 100, and now they are worth 94: their key is out, and so is its order.
    scene.check(&[
        (MAKER, all(), Ok(1)),
        (MAKER, bid(94, 1, GTC), Ok(0)),
        (KeyId::new(1), ask(94, 1, IOC), Ok(1)),
    ]);
    assert_eq!(scene.ended(), [(open, DoneReason::DailyLoss)]);
    scene.check(&[
        (FIRST, bid(50, 1, GTC), lost),
        (FIRST, all(), Ok(0)),
        (Scene::owner(0), bid(50, 1, GTC), Ok(0)),
    ]);
    // The next day begins at zero.
    scene.tick(2 * day);
    scene.check(&[(FIRST, bid(50, 1, GTC), Ok(0))]);
}

#[test]
fn a_key_ends_with_the_command_that_revokes_it() {
    let mut scene = Scene::with_key(&TRADE);
    scene.check(&[(FIRST, bid(90, 10, GTC), Ok(0))]);
    let open = scene.last_order();
    let itself = [Command::RevokeKey(FIRST), bid(91, 1, GTC), all()];
    let entry = scene.0.frame(FIRST, &itself);
    scene.0.run(entry);
    let receipts = scene.0.outcome.receipts.iter();
    let reasons: Vec<_> = receipts.map(|receipt| receipt.reject_reason()).collect();
    let scope = Some(RejectReason::KeyScope);
    assert_eq!(reasons, [None, scope, scope]);
    assert_eq!(scene.ended(), [(open, DoneReason::KeyRevoked)]);
    let revoked = Err(RejectReason::KeyRevoked);
    scene.check(&[(FIRST, all(), revoked), (FIRST, bid(1, 1, GTC), revoked)]);
    // The wallet and the owner's key revoke as well, and nothing twice.
    let gone = Err(RejectReason::KeyNotFound);
    assert_eq!(scene.revoke(0, 0), gone);
    assert_eq!(
        scene.register(0, 1, &TRADE),
        Ok(FIRST.get()),
        "its place is free"
    );
    assert_eq!(scene.revoke(0, 1), Ok(0));
    assert_eq!(scene.register(0, 2, &TRADE), Ok(FIRST.get()));
    scene.check(&[
        (KeyId::new(1), Command::RevokeKey(FIRST), gone),
        (Scene::owner(0), Command::RevokeKey(KeyId::new(99)), gone),
        (Scene::owner(0), Command::RevokeKey(FIRST), Ok(0)),
        (Scene::owner(0), Command::RevokeKey(FIRST), gone),
        // An owner's key may go, and then nothing but the wallet is left.
        (Scene::owner(0), Command::RevokeKey(Scene::owner(0)), Ok(0)),
        (Scene::owner(0), all(), revoked),
    ]);
    assert_eq!(scene.register(0, 3, &TRADE), Ok(FIRST.get()));
}

#[test]
fn keys_are_registered_by_their_wallets_alone() {
    let mut scene = Scene::with_key(&TRADE);
    let epoch = |scene: &Scene, key: KeyId| scene.0.state.ledger().key(key).unwrap().epoch;
    assert_eq!(epoch(&scene, FIRST), KeyEpoch::new(0));
    // Under another grant old signatures are dead.
    assert_eq!(scene.register(0, 0, &TRADE), Ok(FIRST.get()));
    assert_eq!(epoch(&scene, FIRST), KeyEpoch::new(1));
    assert_eq!(scene.register(1, 0, &TRADE), Err(RejectReason::KeyTaken));
    let own = scene.0.state.ledger().key(Scene::owner(0)).unwrap().public;
    let entry = scene.0.register(0, own, &TRADE);
    scene.0.run(entry);
    assert_eq!(scene.answer(), Err(RejectReason::KeyTaken));
    // Another wallet's signature, for this account.
    let (_, context) = scene.0.wallet(AccountId::new(0));
    let stranger = WalletKey::development("dev-1");
    let registration = stranger.register(&context, public(7), &TRADE);
    let forged = scene
        .0
        .wallet_frame(AccountId::new(0), &Command::Register(&registration));
    scene.0.run(forged);
    assert_eq!(scene.answer(), Err(RejectReason::WrongWallet));
    // The right wallet's signature, for another grant, nonce or account.
    let wallet = WalletKey::development("dev-0");
    let signed = wallet.register(&context, public(7), &TRADE);
    let more = KeyGrant {
        scope: KeyScope::CancelOnly,
        ..TRADE
    };
    let changed = types::keys::Registration::new(public(7), &more, signed.signature());
    let other = types::wallet::WalletContext {
        nonce: Nonce::new(context.nonce.get() + 1),
        ..context
    };
    let elsewhere = wallet.register(&other, public(7), &TRADE);
    for registration in [changed, elsewhere] {
        let entry = scene
            .0
            .wallet_frame(AccountId::new(0), &Command::Register(&registration));
        scene.0.run(entry);
        assert_eq!(scene.answer(), Err(RejectReason::WrongWallet));
    }
    let entry = scene
        .0
        .wallet_frame(AccountId::new(99), &Command::Register(&signed));
    scene.0.run(entry);
    assert_eq!(scene.answer(), Err(RejectReason::WrongWallet));
}

#[test]
fn a_wallet_uses_each_nonce_once() {
    let mut scene = Scene::new();
    let first = scene.0.register(0, public(0), &TRADE);
    let first = scene.0.run(first);
    assert_eq!(scene.answer(), Ok(FIRST.get()));
    let at = scene.0.state.position().sequence;
    scene.0.run(first.clone());
    let repeated = FrameVerdict::Repeated { first_sequence: at };
    assert_eq!(scene.0.outcome.frames[0].verdict, repeated);
    assert_eq!(scene.register(0, 1, &TRADE), Ok(SECOND.get()));
    scene.0.run(first);
    assert_eq!(scene.answer(), Err(RejectReason::NonceTooOld));
}

#[test]
fn an_account_has_so_many_keys() {
    let mut scene = Scene::new();
    let count = KEYS_PER_ACCOUNT_MAX as u64;
    for number in 0..count {
        assert_eq!(scene.register(0, number, &TRADE), Ok(4 + number as u32));
    }
    assert_eq!(
        scene.register(0, count, &TRADE),
        Err(RejectReason::TooManyKeys)
    );
    assert_eq!(scene.register(1, count, &TRADE), Ok(4 + count as u32));
    assert_eq!(scene.revoke(0, 5), Ok(0));
    assert_eq!(scene.register(0, count + 1, &TRADE), Ok(4 + 5));
}

#[test]
fn a_key_expires_by_logged_time() {
    let grant = KeyGrant {
        expires_at: LogTime::new(100),
        ..TRADE
    };
    let mut scene = Scene::with_key(&grant);
    scene.tick(100);
    scene.check(&[(FIRST, bid(90, 10, GTC), Ok(0))]);
    scene.tick(101);
    scene.check(&[(FIRST, all(), Err(RejectReason::KeyExpired))]);
}

#[test]
fn a_silence_takes_off_what_was_asked_for() {
    let mut scene = Scene::new();
    let owner = Scene::owner(0);
    let before = (owner, bid(80, 1, GTC), Ok(0));
    scene.check(&[before, (owner, policy(SILENCE_NS_MIN, false, false), Ok(0))]);
    scene.check(&[
        (owner, bid(81, 1, GTC), Ok(0)),
        (owner, bid(82, 1, until(999)), Ok(0)),
    ]);
    let timed = scene.last_order();
    scene.silence(owner);
    assert_eq!(scene.ended(), [(timed, DoneReason::Disconnected)]);
    // Those without an expiry too.
    scene.check(&[(owner, policy(SILENCE_NS_MIN, true, false), Ok(0))]);
    scene.silence(owner);
    assert_eq!(scene.ended().len(), 1);
    scene.silence(owner);
    assert_eq!(scene.ended(), []);
    // And those that were there before anybody asked.
    scene.check(&[(owner, policy(SILENCE_NS_MIN, true, true), Ok(0))]);
    scene.silence(owner);
    assert_eq!(scene.ended().len(), 1);
    // Nobody asks any more; others never did.
    scene.check(&[
        (owner, policy(0, false, false), Ok(0)),
        (owner, bid(81, 1, until(999)), Ok(0)),
        (MAKER, bid(81, 1, until(999)), Ok(0)),
    ]);
    for key in [owner, MAKER, KeyId::new(99), KeyId::WALLET] {
        scene.silence(key);
        assert_eq!(scene.ended(), []);
    }
    for (silence, expected) in [
        (1, Err(RejectReason::InvalidPolicy)),
        (SILENCE_NS_MIN - 1, Err(RejectReason::InvalidPolicy)),
        (SILENCE_NS_MAX, Ok(0)),
        (SILENCE_NS_MAX + 1, Err(RejectReason::InvalidPolicy)),
    ] {
        scene.check(&[(owner, policy(silence, false, false), expected)]);
    }
}

#[test]
fn a_timer_takes_off_all_orders_of_its_key() {
    let mut scene = Scene::new();
    let owner = Scene::owner(0);
    scene.tick(10);
    scene.check(&[
        (
            owner,
            Command::SetTimer(TIMER_NS_MAX + 1),
            Err(RejectReason::InvalidPolicy),
        ),
        (
            owner,
            Command::SetTimer(u64::MAX),
            Err(RejectReason::InvalidPolicy),
        ),
        (owner, Command::SetTimer(90), Ok(0)),
        (owner, bid(90, 1, GTC), Ok(0)),
    ]);
    let open = scene.last_order();
    assert_eq!(scene.0.state.next_due(), Some(LogTime::new(100)));
    scene.tick(99);
    assert_eq!(scene.ended(), []);
    // Set again in time.
    scene.check(&[(owner, Command::SetTimer(50), Ok(0))]);
    scene.tick(148);
    assert_eq!(scene.ended(), []);
    scene.tick(149);
    assert_eq!(scene.ended(), [(open, DoneReason::Timer)]);
    assert_eq!(scene.0.state.next_due(), None);
    scene.check(&[
        (owner, Command::SetTimer(50), Ok(0)),
        (owner, bid(90, 1, GTC), Ok(0)),
        (owner, Command::SetTimer(0), Ok(0)),
    ]);
    scene.tick(1_000);
    assert_eq!(scene.ended(), []);
}

/// What a key may have at most holds between any two commands, whatever happens.
#[test]
fn no_key_ever_has_more_than_it_may() {
    let genesis = limited_genesis();
    let (mut limited, mut over, mut ended) = (0, 0, [0; 12]);
    let mut refused = BTreeSet::new();
    for seed in 0..250 {
        println!("seed {seed}");
        random_stream(&genesis, seed, 600, |ring, _| {
            for (key, status) in ring.state.ledger().key_statuses() {
                let budget = status.grant.open_notional_max;
                for (_, spec, market) in ring.state.market_states() {
                    let own = market.watch.orders().filter(|(_, order)| order.key == key);
                    let own: Vec<_> = own
                        .map(|(_, order)| spec.factors.notional(order.price, order.lots))
                        .collect();
                    let open = own.iter().fold(Atoms::ZERO, |sum, it| sum + *it);
                    limited += u64::from(!budget.is_zero() && !open.is_zero());
                    // A grant that was made smaller ends no order.
                    let is_renewed = ring.state.ledger().key(key).unwrap().epoch.get() > 0;
                    if !budget.is_zero() && budget < open {
                        assert!(is_renewed, "seed {seed}: key {key} has {open} of {budget}");
                        over += 1;
                    }
                    assert!(!status.is_revoked || own.is_empty());
                }
            }
            let outcome = &ring.outcome;
            let receipts = outcome.receipts.iter();
            refused.extend(receipts.filter_map(|receipt| receipt.reject_reason()));
            refused.extend(
                outcome
                    .frames
                    .iter()
                    .filter_map(|frame| match frame.verdict {
                        FrameVerdict::Refused(reason) => Some(reason),
                        _ => None,
                    }),
            );
            for record in &outcome.events {
                if let Event::Done(done) = record.event() {
                    ended[done.reason as usize] += 1;
                }
            }
        });
    }
    println!("{limited} within their budget, {over} renewed; ended by reason: {ended:?}");
    assert!(1_000 < limited);
    // Wallets sign for their own accounts here, and accounts have few keys: those have tests above.
    let elsewhere = [RejectReason::WrongWallet, RejectReason::TooManyKeys];
    let reasons = RejectReason::ALL.iter();
    for reason in reasons.filter(|it| (37..64).contains(&it.code()) && !elsewhere.contains(it)) {
        assert!(refused.contains(reason), "never reached: {reason}");
    }
    let reasons = [
        DoneReason::Disconnected,
        DoneReason::Timer,
        DoneReason::DailyLoss,
        DoneReason::KeyRevoked,
    ];
    assert!(reasons.iter().all(|reason| 20 < ended[*reason as usize]));
}

/// Whatever a thief does with a key: as of the price before it, each of his commands leaves the day's
/// loss within the budget. What he sets aside for later is not among these commands.
#[test]
fn no_command_of_a_thief_loses_more_than_the_budget() {
    let budget = 2_000_i128;
    let grant = KeyGrant {
        daily_loss_max: Atoms::new(budget.unsigned_abs()),
        ..TRADE
    };
    let (mut traded, mut stopped) = (0, 0);
    for seed in 900..960 {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let levels = random_levels(&mut random);
        let mut scene = Scene::with_key(&grant);
        for _ in 0..400 {
            let last = scene.0.state.position().sequence.get();
            let command = random_command(&mut random, 2, last, &levels);
            let is_thief = random.chance(40);
            let waits = matches!(&command, Command::Place(place)
                if place.trigger.is_some()
                    || place.kind.resting().is_some_and(|resting| resting.stop.is_some()));
            let is_setting = matches!(&command, Command::SetMarketStatus(_));
            if is_setting || is_thief && waits {
                continue;
            }
            let markets = scene.0.state.market_states();
            let marks: Vec<_> = markets.map(|(.., market)| market.last_trade).collect();
            let key = if is_thief {
                FIRST
            } else {
                KeyId::new(1 + random.below(3) as u32)
            };
            let answer = scene.step(key, command);
            stopped += u64::from(answer == Err(RejectReason::KeyDailyLoss));
            let is_own = is_thief && answer.is_ok();
            let market = command.market().filter(|_| is_own);
            let Some((spec, state)) = market.and_then(|id| scene.0.state.market_state(id)) else {
                continue;
            };
            let usage = state.watch.usages().find(|(key, _)| *key == FIRST);
            let mark = marks[command.market().unwrap().index()];
            if let (Some((_, usage)), Some(mark)) = (usage, mark) {
                let lot = spec.factors.notional(mark, BaseLots::new(1)).get();
                let lost = -(usage.quote + usage.lots * i128::try_from(lot).unwrap());
                let is_order = matches!(
                    command,
                    Command::Place(_) | Command::Replace(_) | Command::QuoteSet(_)
                );
                traded += u64::from(is_order && usage.lots != 0);
                let what = format!("seed {seed}: {lost} lost by {command:?}");
                assert!(!is_order || lost <= budget, "{what}");
            }
        }
    }
    println!("{traded} commands with something at stake, {stopped} refused");
    assert!(1_000 < traded && 1_000 < stopped);
}

/// A state that was written down goes on as the one that was not.
#[test]
fn a_restart_changes_nothing() {
    let genesis = limited_genesis();
    for seed in 500..510 {
        println!("seed {seed}");
        let mut other: Option<State> = None;
        let mut outcome = types::outcome::BlockOutcome::default();
        let mut restarts = 0;
        random_stream(&genesis, seed, 500, |ring, entry| {
            if let Some(state) = &mut other {
                let block = state.position().next_block(vec![entry]);
                engine::sequential::execute(state, &block, &mut outcome);
                assert_eq!(state.digest(), ring.state.digest());
                assert_eq!(outcome, ring.outcome);
            }
            let height = ring.state.position().height.get();
            if height.is_multiple_of(37) {
                other = Some(rewritten(&ring.state, &genesis));
                restarts += 1;
            }
        });
        assert!(restarts > 2);
    }
}

fn rewritten(state: &State, genesis: &types::genesis::Genesis) -> State {
    let tree = StateTree::new(state.ledger());
    let bytes = rkyv::to_bytes::<rkyv::rancor::Panic>(&state.snapshot(&tree)).unwrap();
    let beside = BesideBytes::of(state);
    let archived = snapshot::access(&bytes).unwrap();
    let restored = State::restore(archived, beside.read(), genesis, 9).unwrap();
    restored.assert_invariants();
    assert_eq!(restored.digest(), state.digest());
    let again = BesideBytes::of(&restored);
    assert!(again.sessions[..] == beside.sessions[..]);
    restored
}

fn only(sessions: &[u8]) -> Beside<'_> {
    Beside {
        sessions: Some(sessions),
        ..Beside::default()
    }
}

/// Bytes that are damaged in spite of their digest are refused or restored, and never a panic.
#[test]
fn damaged_sessions_never_panic() {
    let genesis = limited_genesis();
    let mut last = None;
    random_stream(&genesis, 7, 400, |ring, _| {
        let watched = ring.state.market_states();
        let watched: usize = watched.map(|(.., it)| it.watch.orders().count()).sum();
        if watched > 3 {
            let tree = StateTree::new(ring.state.ledger());
            let bytes = rkyv::to_bytes::<rkyv::rancor::Panic>(&ring.state.snapshot(&tree));
            let beside = BesideBytes::of(&ring.state);
            last = Some((bytes.unwrap(), beside.sessions));
        }
    });
    let (bytes, sessions) = last.unwrap();
    let archived = snapshot::access(&bytes).unwrap();
    let mut refused = 0;
    for at in 0..sessions.len() {
        let mut damaged = sessions.to_vec();
        damaged[at] ^= 1 << (at % 8);
        let restored = State::restore(archived, only(&damaged), &genesis, 0);
        refused += u64::from(restored.is_err());
    }
    println!("{refused} of {} refused", sessions.len());
    assert!(0 < refused);
    for length in 0..sessions.len() {
        let cut = State::restore(archived, only(&sessions[..length]), &genesis, 0);
        assert!(cut.is_err(), "{length} bytes");
    }
}
