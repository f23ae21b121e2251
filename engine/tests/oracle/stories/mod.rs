//! Short streams for single sentences of the page, each command with what must come of it, in words.
//!
//! A story is executed by both exchanges like any other stream, and then told by the oracle. An order
//! is called by its label, a quote by `q` and its index; what happens in the second market begins
//! with `1:`.

mod auctions;
mod extremes;
mod limits;
mod ocos;
mod precedence;
mod protection;
mod statuses;

use std::collections::BTreeSet;

use types::command::{
    Crossing, MarketStatus, OrderKind, OrderTarget, Place, ProtectionLimits, QuoteLevel, QuoteSet,
    Replace, Resting, SelfTrade, SetMarketStatus, SetProtection, StopLeg, TimeInForce, Trigger,
    TriggerCondition,
};
use types::genesis::{Genesis, MarketLimits};
use types::outcome::{Event, Party, Receipt};
use types::{
    AccountId, Atoms, BaseLots, ClientOrderId, Command, LogTime, MarketId, SequenceNumber, Side,
    Ticks,
};

use crate::common::Signer;
use crate::compare::{Frames, IDLE, check};
use crate::exchange::Exchange;
use crate::mix::OPERATOR;
use crate::mixes::MIXES;

const FIRST: MarketId = MarketId::new(0);
const SECOND: MarketId = MarketId::new(1);
/// Accounts 0 and 1 are of one group.
const PARTNER: u32 = 0;
const TAKER: u32 = 1;
const MAKER: u32 = 2;
const CHIEF: u32 = OPERATOR as u32;

/// Commands and ticks, and what must come of each.
struct Story {
    name: String,
    genesis: Genesis,
    signer: Signer,
    frames: Frames,
    now: u64,
    expected: Vec<Option<String>>,
}

impl Story {
    fn new(name: &str) -> Self {
        Self::within(name, MarketLimits::NONE)
    }

    /// With these limits in the first market.
    fn within(name: &str, limits: MarketLimits) -> Self {
        let genesis = MIXES[0].genesis();
        let mut markets = genesis.markets().to_vec();
        markets[0].limits = limits;
        let genesis = Genesis::new(
            genesis.network(),
            genesis.assets().to_vec(),
            markets,
            genesis.accounts().to_vec(),
        )
        .unwrap();
        Self {
            name: name.to_owned(),
            signer: Signer::new(&genesis),
            genesis,
            frames: Vec::new(),
            now: 0,
            expected: Vec::new(),
        }
    }

    /// A command whose outcome is another story's.
    fn send(&mut self, account: u32, command: impl Into<Wish>) {
        self.push(account, command, None);
    }

    /// A command, and what must come of it.
    fn tell(&mut self, account: u32, command: impl Into<Wish>, expected: &str) {
        self.push(account, command, Some(expected));
    }

    fn push(&mut self, account: u32, command: impl Into<Wish>, expected: Option<&str>) {
        let Wish(command) = command.into();
        let frame = self.signer.frame(account, &[command]);
        self.frames.push((frame, LogTime::new(self.now)));
        self.expected.push(expected.map(str::to_owned));
    }

    /// A tick, and what must come of it.
    fn tick(&mut self, now: u64, expected: &str) {
        assert!(now > self.now, "a tick moves time");
        self.now = now;
        self.expected.push(Some(expected.to_owned()));
        self.push(MAKER, IDLE, None);
    }

    /// The operator sets the status of the first market.
    fn set(&mut self, status: MarketStatus, expected: &str) {
        self.tell(CHIEF, status, expected);
    }

    /// Executes everything; the oracle's exchange as it is in the end.
    fn check(&self) -> Exchange {
        check(
            &self.genesis,
            &self.name,
            &self.frames,
            &mut BTreeSet::new(),
        );
        let mut exchange = Exchange::new(&self.genesis);
        let mut told = Vec::new();
        let mut time = LogTime::ZERO;
        for (frame, now) in &self.frames {
            if *now > time {
                time = *now;
                exchange.tick(sequence(&told), time);
                told.push(retell(&mut exchange, None));
            }
            let frame = frame.frame.frame();
            let command = frame.commands().next().unwrap();
            let header = frame.header();
            let who = (header.account, header.key);
            let receipt = exchange.execute(who, sequence(&told), &command);
            told.push(retell(&mut exchange, Some(&receipt)));
        }
        for (at, (expected, told)) in self.expected.iter().zip(&told).enumerate() {
            if let Some(expected) = expected {
                assert_eq!(expected, told, "{}, line {}", self.name, at + 1);
            }
        }
        exchange
    }
}

fn sequence(told: &[String]) -> SequenceNumber {
    SequenceNumber::new(told.len() as u64 + 1)
}

/// What has happened, in words.
fn retell(exchange: &mut Exchange, receipt: Option<&Receipt>) -> String {
    let reason = receipt.and_then(Receipt::reject_reason);
    let events = std::mem::take(&mut exchange.events);
    let words = reason.map(|reason| reason.name().to_owned()).into_iter();
    let words = words.chain(events.iter().map(in_words));
    words.collect::<Vec<_>>().join("; ")
}

fn in_words(event: &Event) -> String {
    let (market, words) = match event {
        Event::Fill(fill) => {
            let (maker, taker) = (called(&fill.maker), called(&fill.taker));
            let (quantity, price) = (fill.quantity, fill.price);
            let refreshed = fill.maker_refreshed || fill.auction.is_some_and(|a| a.refreshed);
            let mark = if refreshed { "*" } else { "" };
            let verb = if fill.auction.is_some() {
                "meets"
            } else {
                "takes"
            };
            let words = format!("{taker} {verb} {quantity} of {maker} at {price}{mark}");
            (fill.market, words)
        }
        Event::Rested(rested) => {
            let (quantity, price) = (rested.quantity, rested.price);
            let words = format!("{} rests {quantity} at {price}", called(&rested.owner));
            (rested.market, words)
        }
        Event::Armed(armed) => {
            let (quantity, price) = (armed.quantity, armed.price);
            let words = format!("{} waits {quantity} at {price}", called(&armed.owner));
            (armed.market, words)
        }
        Event::Triggered(set_off) => {
            let (quantity, price) = (set_off.quantity, set_off.price);
            let owner = called(&set_off.owner);
            let words = format!("{owner} is set off {quantity} at {price}");
            (set_off.market, words)
        }
        Event::Reduced(reduced) => {
            let (owner, left) = (called(&reduced.owner), reduced.remaining);
            (reduced.market, format!("{owner} shrinks to {left}"))
        }
        Event::Done(done) => {
            let (owner, left) = (called(&done.owner), done.remaining);
            let reason = done.reason.name();
            (done.market, format!("{owner} ends {left}: {reason}"))
        }
        Event::Transferred(_) => (FIRST, "transferred".to_owned()),
        Event::KeyChanged(_) => (FIRST, "key changed".to_owned()),
        Event::PolicySet(_) => (FIRST, "policy set".to_owned()),
        Event::AccountOpened(_) => (FIRST, "account opened".to_owned()),
        Event::Deposited(_) => (FIRST, "deposited".to_owned()),
        Event::Withdrawn(_) => (FIRST, "withdrawn".to_owned()),
        Event::StatusChanged(changed) => (changed.market, changed.status.name().to_owned()),
        Event::Indicative(indicative) => {
            let (volume, surplus) = (indicative.volume, indicative.surplus);
            let words = match indicative.price {
                Some(price) => format!("indicative {volume} at {price}, {surplus:+}"),
                None => "indicative none".to_owned(),
            };
            (indicative.market, words)
        }
    };
    match market.get() {
        0 => words,
        market => format!("{market}: {words}"),
    }
}

fn called(party: &Party) -> String {
    match u8::try_from(party.client_order_id.get()) {
        Ok(label) if label.is_ascii_alphabetic() => char::from(label).to_string(),
        _ => format!("q{}", party.order_id.get() % 64),
    }
}

/// A command in the making.
#[derive(Clone, Copy, Debug)]
struct Wish(Command<'static>);

impl From<Command<'static>> for Wish {
    fn from(command: Command<'static>) -> Self {
        Self(command)
    }
}

fn bid(label: char, quantity: u64, price: u64) -> Wish {
    order(label, Side::Bid, quantity, price)
}

fn ask(label: char, quantity: u64, price: u64) -> Wish {
    order(label, Side::Ask, quantity, price)
}

/// An order that rests.
fn order(label: char, side: Side, quantity: u64, price: u64) -> Wish {
    Wish(Command::Place(Place {
        market: FIRST,
        side,
        kind: OrderKind::GTC,
        price: Ticks::new(price),
        quantity: BaseLots::new(quantity),
        client_order_id: named(label),
        self_trade: SelfTrade::Allow,
        trigger: None,
    }))
}

fn named(label: char) -> ClientOrderId {
    ClientOrderId::new(u64::from(u32::from(label)))
}

impl Wish {
    fn place(self, change: impl FnOnce(&mut Place)) -> Self {
        let Command::Place(mut place) = self.0 else {
            panic!("only an order has a kind");
        };
        change(&mut place);
        Self(Command::Place(place))
    }

    fn resting(self, change: impl FnOnce(&mut Resting)) -> Self {
        self.place(|place| match &mut place.kind {
            OrderKind::Limit(TimeInForce::Rest(resting)) | OrderKind::PostOnly(_, resting) => {
                change(resting);
            }
            _ => panic!("only what rests hides or expires"),
        })
    }

    fn kind(self, kind: OrderKind) -> Self {
        self.place(|place| place.kind = kind)
    }

    fn post(self) -> Self {
        self.place(|place| {
            let resting = place.kind.resting().unwrap();
            place.kind = OrderKind::PostOnly(Crossing::Reject, resting);
        })
    }

    fn slide(self) -> Self {
        self.place(|place| {
            let resting = place.kind.resting().unwrap();
            place.kind = OrderKind::PostOnly(Crossing::Slide, resting);
        })
    }

    fn in_second(self) -> Self {
        self.place(|place| place.market = SECOND)
    }

    fn self_trade(self, self_trade: SelfTrade) -> Self {
        self.place(|place| place.self_trade = self_trade)
    }

    fn protected(self) -> Self {
        self.resting(|resting| resting.protected = true)
    }

    fn showing(self, display: u64) -> Self {
        self.resting(|resting| resting.display = BaseLots::new(display))
    }

    fn till(self, expires_at: u64) -> Self {
        self.resting(|resting| resting.expires_at = LogTime::new(expires_at))
    }

    /// With a stop beside it: its trigger and its limit.
    fn or(self, trigger: u64, limit: u64) -> Self {
        self.or_with(trigger, limit, SelfTrade::Allow)
    }

    fn or_with(self, trigger: u64, limit: u64, self_trade: SelfTrade) -> Self {
        self.resting(|resting| {
            resting.stop = Some(StopLeg {
                trigger: Ticks::new(trigger),
                limit: Ticks::new(limit),
                self_trade,
            });
        })
    }

    /// Armed as a stop.
    fn after(self, price: u64) -> Self {
        self.when(TriggerCondition::Stop, price)
    }

    fn when(self, condition: TriggerCondition, price: u64) -> Self {
        let price = Ticks::new(price);
        self.place(|place| place.trigger = Some(Trigger { condition, price }))
    }
}

/// A replace by label that may take.
fn replace(label: char, quantity: u64, price: u64) -> Replace {
    Replace {
        target: OrderTarget::Client {
            market: FIRST,
            client_order_id: named(label),
        },
        price: Ticks::new(price),
        quantity: BaseLots::new(quantity),
        may_take: true,
        self_trade: SelfTrade::Allow,
    }
}

impl From<Replace> for Wish {
    fn from(replace: Replace) -> Self {
        Self(Command::Replace(replace))
    }
}

/// Of the first market.
impl From<MarketStatus> for Wish {
    fn from(status: MarketStatus) -> Self {
        let market = FIRST;
        Self(Command::SetMarketStatus(SetMarketStatus { market, status }))
    }
}

/// A set of quotes, (quantity, price) each.
fn quotes(market: MarketId, number: u64, bids: &[(u64, u64)], asks: &[(u64, u64)]) -> Wish {
    let levels = |levels: &[(u64, u64)]| -> &'static [QuoteLevel] {
        let level = |(quantity, price): &(u64, u64)| {
            QuoteLevel::new(Ticks::new(*price), BaseLots::new(*quantity))
        };
        // A test lives no longer than its quotes.
        levels.iter().map(level).collect::<Vec<_>>().leak()
    };
    Wish(Command::QuoteSet(QuoteSet {
        market,
        number,
        bids: levels(bids),
        asks: levels(asks),
    }))
}

/// At most so many fills, lots and quote atoms within a window.
fn protect(market: MarketId, group: u8, window_ns: u64, limits: (u64, u64, u128)) -> Wish {
    let (fills, lots, notional) = limits;
    Wish(Command::SetProtection(SetProtection {
        market,
        group,
        limits: ProtectionLimits {
            window_ns,
            fills,
            lots: BaseLots::new(lots),
            notional: Atoms::new(notional),
        },
    }))
}

/// What an account has free and held of the first market's base and quote.
fn balances(exchange: &Exchange, account: u32) -> [(u128, u128); 2] {
    let spec = &exchange.markets[0].spec;
    let account = AccountId::new(account);
    [spec.base, spec.quote].map(|asset| exchange.funds.balance(account, asset).atoms())
}
