//! The whole exchange: commands and ticks, one after the other.

use std::collections::BTreeMap;

use types::command::{MarketStatus, OrderKind, Resting, SelfTrade, Transfer, Trigger};
use types::genesis::{Genesis, MarketSpec};
use types::limits::{
    ATOMS_MAX, EXPIRIES_PER_TICK_MAX, FILLS_PER_COMMAND_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX,
    TRIGGERS_PER_COMMAND_MAX,
};
use types::outcome::{Done, DoneReason, Event, Party, Receipt, Transferred};
use types::phase::Phase;
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, GroupId, KeyId, LogTime, MarketId,
    OrderId, RejectReason, SequenceNumber, Side, Ticks,
};

use super::auction::Published;
use super::book::{Book, hold_price, is_over};
use super::enter::Entrant;
use super::funds::{Funds, needed};
use super::keys::Keys;
use super::limits::Reference;
use super::permit::Known;
use super::protection::Protections;

/// Orders affected and lots, or why not.
pub(crate) type Answer = Result<(u32, u64), RejectReason>;

/// An order that waits for its trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Armed {
    pub(crate) id: OrderId,
    pub(crate) account: AccountId,
    pub(crate) label: ClientOrderId,
    pub(crate) side: Side,
    pub(crate) kind: OrderKind,
    pub(crate) price: u64,
    pub(crate) quantity: u64,
    pub(crate) self_trade: SelfTrade,
    pub(crate) trigger: Trigger,
}

impl Armed {
    pub(crate) const fn new(entrant: &Entrant, trigger: Trigger) -> Self {
        Self {
            id: entrant.id,
            account: entrant.account,
            label: entrant.label,
            side: entrant.side,
            kind: entrant.kind,
            price: entrant.price,
            quantity: entrant.remaining,
            self_trade: entrant.self_trade,
            trigger,
        }
    }

    pub(crate) fn resting(&self) -> Resting {
        self.kind.resting().unwrap_or_default()
    }

    /// The price at which its funds are held.
    pub(crate) fn hold_price(&self) -> u64 {
        hold_price(self.side, self.price, self.resting().stop)
    }

    pub(crate) const fn entrant(&self) -> Entrant {
        Entrant {
            id: self.id,
            account: self.account,
            label: self.label,
            side: self.side,
            kind: self.kind,
            price: self.price,
            filled: 0,
            remaining: self.quantity,
            self_trade: self.self_trade,
        }
    }
}

/// One account's last quote set: its number, and its orders in its order, bids before asks.
pub(crate) type QuotedSet = (u64, Vec<OrderId>);

/// One market.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) id: MarketId,
    pub(crate) spec: MarketSpec,
    pub(crate) book: Book,
    pub(crate) armed: BTreeMap<OrderId, Armed>,
    pub(crate) last_trade: Option<u64>,
    /// As its operator has set it.
    pub(crate) status: MarketStatus,
    /// Whether an auction has begun that has not been uncrossed.
    pub(crate) is_auctioned: bool,
    pub(crate) reference: Option<Reference>,
    pub(crate) published: Option<Published>,
    pub(crate) quote_sets: BTreeMap<AccountId, QuotedSet>,
    /// Until when.
    pub(crate) remembered: BTreeMap<(AccountId, ClientOrderId), u64>,
}

/// The command at work.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) sequence: SequenceNumber,
    pub(crate) account: AccountId,
    pub(crate) key: KeyId,
    pub(crate) fills_left: u32,
    pub(crate) triggers_left: u32,
    /// Whose protection has tripped in which market, in this order.
    pub(crate) tripped: Vec<(AccountId, usize)>,
}

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) funds: Funds,
    pub(crate) markets: Vec<Market>,
    pub(crate) phase: Phase,
    pub(crate) groups: Vec<GroupId>,
    pub(crate) operators: Vec<bool>,
    pub(crate) protections: Protections,
    pub(crate) keys: Keys,
    pub(crate) known: Known,
    pub(crate) open_orders: Vec<u32>,
    assets: usize,
    pub(crate) now: u64,
    pub(crate) work: Work,
    /// What has happened; whoever reads it empties it.
    pub(crate) events: Vec<Event>,
}

impl Exchange {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let market = |(id, spec): (u16, &MarketSpec)| Market {
            id: MarketId::new(id),
            spec: *spec,
            book: Book::default(),
            armed: BTreeMap::new(),
            last_trade: None,
            status: spec.limits.status,
            is_auctioned: spec.limits.status == MarketStatus::Auction,
            reference: None,
            published: None,
            quote_sets: BTreeMap::new(),
            remembered: BTreeMap::new(),
        };
        let accounts = || genesis.accounts().iter();
        Self {
            funds: Funds::new(genesis),
            markets: (0..).zip(genesis.markets()).map(market).collect(),
            phase: Phase::Open,
            groups: accounts().map(|account| account.group).collect(),
            operators: accounts().map(|account| account.operator).collect(),
            protections: Protections::default(),
            keys: Keys::new(genesis),
            known: Known::default(),
            open_orders: vec![0; accounts().len()],
            assets: genesis.assets().len(),
            now: 0,
            work: Work::of_nobody(SequenceNumber::ZERO),
            events: Vec::new(),
        }
    }

    /// Executes one command.
    pub(crate) fn execute(
        &mut self,
        who: (AccountId, KeyId),
        sequence: SequenceNumber,
        command: &Command<'_>,
    ) -> Receipt {
        self.work = Work::new(sequence, who);
        let before = self.events.len();
        let answer = self.permit(command).and_then(|()| self.perform(command));
        self.pull_tripped();
        if answer.is_err() {
            assert_eq!(self.events.len(), before, "a reject has no effect");
        }
        self.follow(before);
        match answer {
            Ok((affected, lots)) => Receipt::accepted(sequence, affected, BaseLots::new(lots)),
            Err(reason) => Receipt::rejected(sequence, reason),
        }
    }

    fn perform(&mut self, command: &Command<'_>) -> Answer {
        match command {
            Command::Place(place) => self.place(place),
            Command::Replace(replace) => self.replace(replace),
            Command::QuoteSet(set) => self.quote_set(set),
            Command::Cancel(cancel) => self.cancel(cancel),
            Command::CancelAll(scope) => self.cancel_all(scope),
            Command::Transfer(transfer) => self.transfer(transfer),
            Command::SetProtection(set) => self.set_protection(set),
            Command::SetMarketStatus(set) => self.set_market_status(set),
            Command::SetSessionPolicy(policy) => self.set_policy(*policy),
            Command::SetTimer(after_ns) => self.set_timer(*after_ns),
            Command::RevokeKey(key) => self.revoke_key(Some(*key)),
            Command::Register(registration) => self.register_key(registration),
            Command::Revoke(revocation) => self.revoke_key(self.keys.find(revocation.key())),
            // What crosses the ledger's edge is tested elsewhere (`engine/tests/edge.rs`).
            Command::SetTimerAt(_)
            | Command::Send(_)
            | Command::Withdraw(_)
            | Command::OpenSubAccount
            | Command::ApproveAgent(_)
            | Command::Inbox(_) => panic!("no stream of this exchange has a {command:?}"),
        }
    }

    /// Moves logged time.
    pub(crate) fn tick(&mut self, sequence: SequenceNumber, time: LogTime) {
        self.work = Work::of_nobody(sequence);
        let before = self.events.len();
        self.now = self.now.max(time.get());
        let mut left = EXPIRIES_PER_TICK_MAX as usize;
        for market in 0..self.markets.len() {
            self.expire(market, &mut left);
            self.markets[market].take_reference(self.now);
            self.publish(market);
        }
        self.run_timers();
        self.follow(before);
    }

    fn expire(&mut self, market: usize, left: &mut usize) {
        let Market { book, armed, .. } = &self.markets[market];
        let resting = book.all().map(|order| (false, order.resting, order.id));
        let armed = armed.values();
        let armed = armed.map(|order| (true, order.resting(), order.id));
        let mut over: Vec<_> = resting
            .chain(armed)
            .filter(|(_, resting, _)| is_over(*resting, self.now))
            .map(|(armed, resting, id)| (armed, resting.expires_at, id))
            .collect();
        over.sort_unstable();
        over.truncate(*left);
        *left -= over.len();
        for (_, _, id) in over {
            self.end_open(market, id, DoneReason::Expired);
        }
    }

    fn transfer(&mut self, transfer: &Transfer) -> Answer {
        let Transfer { to, asset, amount } = *transfer;
        let from = self.work.account;
        if to.index() >= self.groups.len() {
            return Err(RejectReason::UnknownAccount);
        }
        if asset.index() >= self.assets {
            return Err(RejectReason::UnknownAsset);
        }
        if amount == Atoms::ZERO {
            return Err(RejectReason::ZeroQuantity);
        }
        if amount.get() > ATOMS_MAX {
            return Err(RejectReason::QuantityTooLarge);
        }
        let moved: (AssetId, i128) = (asset, i128::try_from(amount.get()).unwrap());
        if !self.funds.covers(from, moved) {
            return Err(RejectReason::InsufficientFunds);
        }
        if from == to {
            return Err(RejectReason::SelfTransfer);
        }
        self.funds.transfer(from, to, moved);
        self.events.push(Event::Transferred(Transferred {
            sequence: self.work.sequence,
            from,
            to,
            asset,
            amount,
        }));
        Ok((0, 0))
    }

    /// Ends an order that rests or is armed; says how much of it was open.
    pub(crate) fn end_open(&mut self, market: usize, id: OrderId, reason: DoneReason) -> u64 {
        let Market { book, armed, .. } = &mut self.markets[market];
        if let Some(order) = armed.remove(&id) {
            let (side, price, quantity) = (order.side, order.price, order.quantity);
            self.close(market, order.account, side, order.hold_price(), quantity);
            let owner = (order.id, order.account, order.label);
            self.push_done(market, owner, (side, price, quantity), (reason, true));
            quantity
        } else {
            let order = book.remove(id);
            let (side, price, remaining) = (order.side, order.price, order.remaining);
            self.close(market, order.account, side, order.hold_price(), remaining);
            let owner = (order.id, order.account, order.label);
            self.push_done(market, owner, (side, price, remaining), (reason, true));
            remaining
        }
    }

    /// Ends the hold of an open order.
    pub(crate) fn close(
        &mut self,
        market: usize,
        account: AccountId,
        side: Side,
        hold_price: u64,
        quantity: u64,
    ) {
        let spec = &self.markets[market].spec;
        let held = needed(spec, side, hold_price, quantity);
        self.funds.release(account, held);
        self.open_orders[account.index()] -= 1;
    }

    pub(crate) fn push_done(
        &mut self,
        market: usize,
        (order_id, account, client_order_id): (OrderId, AccountId, ClientOrderId),
        (side, price, remaining): (Side, u64, u64),
        (reason, held): (DoneReason, bool),
    ) {
        self.events.push(Event::Done(Done {
            sequence: self.work.sequence,
            market: self.markets[market].id,
            side,
            reason,
            price: Ticks::new(price),
            remaining: BaseLots::new(remaining),
            owner: Party {
                account,
                order_id,
                client_order_id,
            },
            held,
        }));
    }

    /// The index of a market that exists.
    pub(crate) fn known(&self, market: MarketId) -> Result<usize, RejectReason> {
        if market.index() < self.markets.len() {
            Ok(market.index())
        } else {
            Err(RejectReason::UnknownMarket)
        }
    }

    /// The account's open order of this label, resting or armed.
    pub(crate) fn labelled(&self, market: usize, label: ClientOrderId) -> Option<OrderId> {
        if label.is_none() {
            return None;
        }
        let mine = (self.work.account, label);
        let Market { book, armed, .. } = &self.markets[market];
        let resting = book
            .all()
            .map(|order| (order.account, order.label, order.id));
        let armed = armed
            .values()
            .map(|order| (order.account, order.label, order.id));
        let mut open = resting.chain(armed);
        let found = open.find(|(account, label, _)| (*account, *label) == mine);
        found.map(|(_, _, id)| id)
    }

    /// Whether this is an open order of the account.
    pub(crate) fn is_mine(&self, market: usize, id: OrderId) -> bool {
        let mine = self.work.account;
        let Market { book, armed, .. } = &self.markets[market];
        armed.get(&id).is_some_and(|order| order.account == mine)
            || book
                .all()
                .any(|order| order.id == id && order.account == mine)
    }
}

impl Work {
    const fn new(sequence: SequenceNumber, (account, key): (AccountId, KeyId)) -> Self {
        Self {
            sequence,
            account,
            key,
            fills_left: FILLS_PER_COMMAND_MAX,
            triggers_left: TRIGGERS_PER_COMMAND_MAX,
            tripped: Vec::new(),
        }
    }

    /// What happens by itself is nobody's.
    pub(crate) const fn of_nobody(sequence: SequenceNumber) -> Self {
        Self::new(sequence, (AccountId::new(0), KeyId::WALLET))
    }
}

pub(crate) fn check_price(price: Ticks) -> Result<(), RejectReason> {
    match price.get() {
        0 => Err(RejectReason::ZeroPrice),
        price if price > PRICE_TICKS_MAX => Err(RejectReason::PriceTooHigh),
        _ => Ok(()),
    }
}

pub(crate) fn check_quantity(quantity: BaseLots) -> Result<(), RejectReason> {
    match quantity.get() {
        0 => Err(RejectReason::ZeroQuantity),
        quantity if quantity > QUANTITY_LOTS_MAX => Err(RejectReason::QuantityTooLarge),
        _ => Ok(()),
    }
}
