//! What the API knows: markets, books, orders, fills, candles and balances, as of the last released
//! block. It is made from what the engine has told and decides nothing.
//!
//! Everything is bounded: open orders by the limits of accounts, what has ended and what was traded by
//! counts a market or an account. They begin when the node starts, or with what a history tells of
//! before ([`Past`]).

mod account;
mod agents;
mod answer;
mod book;
mod candles;
mod past;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use types::action::Cloid;
use types::block::{Entry, ReleasedBlock};
use types::command::{Command, Replace};
use types::genesis::{Genesis, OwnerAddress};
use types::outcome::{Done, DoneReason, Event, Fill, Party};
use types::wallet::sub_account_address;
use types::{
    AccountId, BaseLots, ClientOrderId, KeyId, MarketId, OrderId, SequenceNumber, Side, Ticks,
};

use super::ports::{AccountRow, AgentRow, BalanceRow, Followed, Image, Update};
pub(crate) use account::{Account, Order, OwnFill, Status};
use agents::Agents;
pub(crate) use answer::{CommandAnswer, FrameAnswer};
pub(crate) use book::{Level, ShownBook};
pub use candles::Candle;
pub(crate) use candles::{Candles, INTERVALS, interval};
pub use past::{Past, PastTrade};

/// Trades that are kept of a market.
const TRADES_MAX: usize = 1_000;
/// Bits of a trade's number below its sequence: more than a command has fills.
const TRADE_BITS: u32 = 14;

/// All that the API knows.
#[derive(Debug)]
pub(crate) struct Model {
    genesis: Arc<Genesis>,
    sequence: SequenceNumber,
    /// Logged time in milliseconds.
    time: u64,
    markets: Vec<Market>,
    accounts: Vec<Account>,
    by_address: HashMap<OwnerAddress, AccountId>,
    /// Accounts of one owner, the main one included.
    by_owner: HashMap<OwnerAddress, Vec<AccountId>>,
    agents: Agents,
    /// Until the first image, which says whose accounts these are.
    past: Option<Past>,
}

/// One market.
#[derive(Debug, Default)]
pub(crate) struct Market {
    pub(crate) book: ShownBook,
    pub(crate) trades: VecDeque<Trade>,
    pub(crate) candles: Candles,
    pub(crate) last: Option<Ticks>,
    /// Trades so far.
    pub(crate) traded: u64,
}

/// A trade, as the public sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trade {
    pub(crate) market: MarketId,
    pub(crate) taker_side: Side,
    pub(crate) price: Ticks,
    pub(crate) lots: BaseLots,
    pub(crate) time: u64,
    pub(crate) number: u64,
    /// Who bought, and who sold.
    pub(crate) parties: [OwnerAddress; 2],
    pub(crate) record: types::outcome::Digest,
}

/// What a trade's fill does not say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TradedAt {
    /// The trade's own number.
    pub(crate) number: u64,
    /// In milliseconds.
    pub(crate) time: u64,
    /// The record in the journal that it is in.
    pub(crate) record: types::outcome::Digest,
}

/// Numbers of trades: the last trade's command, and how many it has had.
#[derive(Debug, Default)]
struct TradeNumbers(SequenceNumber, u64);

/// What a block tells those who listen.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Blocks are missing: who needs all of them begins anew.
    pub(crate) is_gap: bool,
    pub(crate) trades: Vec<Trade>,
    pub(crate) fills: Vec<(AccountId, OwnFill)>,
    /// Orders as they are at the end of the block.
    pub(crate) orders: Vec<(AccountId, Order)>,
}

/// Who signs with an address, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signer {
    /// The account that is traded for unless another is named.
    pub(crate) account: AccountId,
    pub(crate) key: KeyId,
    pub(crate) epoch: types::KeyEpoch,
}

impl Model {
    /// One that is told all but this.
    pub(crate) fn new(genesis: Arc<Genesis>, past: Option<Past>) -> Self {
        Self {
            markets: genesis
                .markets()
                .iter()
                .map(|_| Market::default())
                .collect(),
            genesis,
            sequence: SequenceNumber::ZERO,
            time: 0,
            accounts: Vec::new(),
            by_address: HashMap::new(),
            by_owner: HashMap::new(),
            agents: Agents::default(),
            past,
        }
    }

    /// Takes note of what has happened.
    pub(crate) fn apply(&mut self, update: &Update) -> Notes {
        match update {
            Update::Image(image) => {
                self.restore(image);
                Notes {
                    is_gap: true,
                    ..Notes::default()
                }
            }
            Update::Block(followed) => self.follow(followed),
        }
    }

    /// The last sequence number that is included.
    pub(crate) const fn sequence(&self) -> SequenceNumber {
        self.sequence
    }

    /// Logged time in milliseconds.
    pub(crate) const fn time(&self) -> u64 {
        self.time
    }

    pub(crate) fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    pub(crate) fn market(&self, market: MarketId) -> &Market {
        &self.markets[market.index()]
    }

    pub(crate) fn account(&self, account: AccountId) -> &Account {
        &self.accounts[account.index()]
    }

    /// The account of this number, if there is one.
    pub(crate) fn account_numbered(&self, account: AccountId) -> Option<&Account> {
        self.accounts.get(account.index())
    }

    /// The account of an address, if it has one.
    pub(crate) fn account_of(&self, address: &OwnerAddress) -> Option<AccountId> {
        self.by_address.get(address).copied()
    }

    /// The same, with what it has.
    pub(crate) fn account_at(&self, address: &OwnerAddress) -> Option<(AccountId, &Account)> {
        let account = self.account_of(address)?;
        Some((account, self.account(account)))
    }

    /// Other accounts of an account's owner.
    pub(crate) fn sub_accounts(&self, main: AccountId) -> impl Iterator<Item = &Account> {
        let owner = self.account(main).address;
        let accounts = self.by_owner.get(&owner).into_iter().flatten();
        let others = accounts.filter(move |account| **account != main);
        others.map(|account| self.account(*account))
    }

    /// The agents of an account.
    pub(crate) fn agents_of(&self, account: AccountId) -> impl Iterator<Item = &AgentRow> {
        self.agents.of(account)
    }

    /// Whether somebody calls this address his agent.
    pub(crate) fn is_agent(&self, address: &OwnerAddress) -> bool {
        self.agents.at(address).is_some()
    }

    /// Who signs with this address: an owner or an agent. Anybody can call anybody his agent, so whoever
    /// has an account acts for that. Another account of an owner has an address without a key.
    pub(crate) fn signer(&self, address: &OwnerAddress) -> Option<Signer> {
        let owner = self.account_of(address).map(|account| Signer {
            account,
            key: KeyId::WALLET,
            epoch: types::KeyEpoch::new(0),
        });
        let agent = self.agents.at(address).map(|agent| Signer {
            account: agent.account,
            key: agent.key,
            epoch: agent.epoch,
        });
        owner.or(agent)
    }

    /// Remembers what a trader calls an order.
    pub(crate) fn remember(&mut self, account: AccountId, label: ClientOrderId, cloid: Cloid) {
        if let Some(account) = self.accounts.get_mut(account.index()) {
            account.remember(label, cloid);
        }
    }

    fn restore(&mut self, image: &Image) {
        self.sequence = image.sequence;
        self.time = self.time.max(image.time.get() / NANOS_PER_MILLI);
        for row in &image.accounts {
            self.open_account(*row);
        }
        if let Some(past) = self.past.take() {
            self.recall(past);
        }
        for account in &mut self.accounts {
            account.balances.clear();
            account.version += 1;
        }
        image.balances.iter().for_each(|row| self.balance(row));
        self.agents.clear();
        image.agents.iter().for_each(|row| self.agents.note(row));
        for (market, state) in self.markets.iter_mut().zip(&image.markets) {
            market.last = state.last;
            let version = market.book.version();
            market.book = ShownBook::after(version);
        }
        self.restore_orders(image);
    }

    /// What was before the first image.
    fn recall(&mut self, past: Past) {
        for (market, past) in self.markets.iter_mut().zip(past.markets) {
            market.candles = past.candles;
            market.traded = past.trades.len() as u64;
            let trades = past.trades.iter();
            let trades = trades.map(|(fill, at)| Trade::of(&self.accounts, fill, at));
            market.trades = trades.collect();
        }
        for (account, fills) in past.fills {
            self.accounts[account.index()].fills = fills;
        }
    }

    /// Orders that are open still keep what was known of them; how the others ended nobody has told.
    fn restore_orders(&mut self, image: &Image) {
        let known = self.accounts.iter_mut();
        let mut known: Vec<_> = known.map(|it| std::mem::take(&mut it.orders)).collect();
        for row in &image.orders {
            self.markets[row.order.market.index()].book.restore(row);
            let mut order = Order::open(&row.order, self.time);
            let index = row.account.index();
            if let Some(mut known) = known[index].remove(&order.id) {
                known.price = order.price;
                known.remaining = order.remaining;
                known.filled =
                    BaseLots::new(known.size.get().saturating_sub(order.remaining.get()));
                known.status = Status::Open;
                order = known;
            }
            self.accounts[index].orders.insert(order.id, order);
        }
    }

    /// Accounts come by number. The first of an owner has its address, the others one of their own.
    fn open_account(&mut self, row: AccountRow) {
        if row.account.index() < self.accounts.len() {
            return;
        }
        assert_eq!(
            row.account.index(),
            self.accounts.len(),
            "numbers are dense"
        );
        let of_owner = self.by_owner.entry(row.owner).or_default();
        let main = of_owner.first().copied();
        let others = u32::try_from(of_owner.len()).expect("there are fewer accounts");
        let address = match main {
            None => row.owner,
            Some(_) => sub_account_address(&row.owner, others),
        };
        of_owner.push(row.account);
        self.by_address.insert(address, row.account);
        self.accounts.push(Account::new(address, main));
    }

    fn balance(&mut self, row: &BalanceRow) {
        if let Some(account) = self.accounts.get_mut(row.account.index()) {
            account.balances.insert(row.asset, (row.free, row.held));
            account.version += 1;
        }
    }

    fn follow(&mut self, followed: &Followed) -> Notes {
        let released = &followed.released;
        for entry in &released.block.entries {
            if let Entry::Tick(time) = entry {
                self.time = time.get() / NANOS_PER_MILLI;
            }
        }
        let mut block = BlockNotes {
            record: released.record_hash,
            ..BlockNotes::default()
        };
        let events = || released.outcome.events.iter().map(|record| record.event());
        // A later frame of the block may be that account's already.
        for event in events() {
            if let Event::AccountOpened(opened) = event {
                self.open_account(AccountRow {
                    account: opened.account,
                    owner: opened.owner,
                });
            }
        }
        self.take_commands(released, &mut block);
        events().for_each(|event| self.event(&event, &mut block));
        self.sequence = released.outcome.last_sequence;
        followed.balances.iter().for_each(|row| self.balance(row));
        followed.agents.iter().for_each(|row| self.agents.note(row));
        self.finish(block)
    }

    /// Orders as they were asked for: events say only what becomes of them.
    fn take_commands(&mut self, released: &ReleasedBlock, block: &mut BlockNotes) {
        let frames = released.block.frames().map(|it| it.frame.frame());
        let answered = released.outcome.frames_with_receipts();
        for (frame, (answered, receipts)) in frames.zip(answered) {
            for (command, receipt) in frame.commands().zip(receipts) {
                match command {
                    Command::Place(place) if receipt.reject_reason().is_none() => {
                        let order = Order::placed(&place, receipt.sequence(), self.time);
                        block.touch(answered.account, order.id);
                        let orders = &mut self.accounts[answered.account.index()].orders;
                        orders.insert(order.id, order);
                    }
                    Command::Replace(replace) if receipt.reject_reason().is_none() => {
                        block.replaces.insert(receipt.sequence(), replace);
                    }
                    _ => {}
                }
            }
        }
    }

    fn event(&mut self, event: &Event, block: &mut BlockNotes) {
        match event {
            Event::Fill(fill) => self.fill(fill, block),
            Event::Rested(rested) => {
                self.markets[rested.market.index()].book.rest(rested);
                let open = OpenTerms {
                    market: rested.market,
                    side: rested.side,
                    price: rested.price,
                    quantity: rested.quantity,
                    trigger: None,
                };
                self.opened(&rested.owner, &open, block);
            }
            Event::Armed(armed) => {
                let open = OpenTerms {
                    market: armed.market,
                    side: armed.side,
                    price: armed.price,
                    quantity: armed.quantity,
                    trigger: Some(armed.trigger),
                };
                self.opened(&armed.owner, &open, block);
            }
            Event::Triggered(triggered) => {
                let book = &mut self.markets[triggered.market.index()].book;
                book.remove(triggered.owner.order_id);
                let time = self.time;
                self.change(&triggered.owner, block, |order| {
                    (order.status, order.status_at) = (Status::Triggered, time);
                });
            }
            Event::Reduced(reduced) => {
                self.markets[reduced.market.index()].book.reduce(reduced);
                let replaced = block.replaces.get(&reduced.sequence).copied();
                self.change(&reduced.owner, block, |order| {
                    order.remaining = reduced.remaining;
                    if let Some(replace) = replaced {
                        order.size = replace.quantity;
                    }
                });
            }
            Event::Done(done) => self.done(done, block),
            // Accounts are open by now; what else is changed of balances and keys comes with the block.
            Event::AccountOpened(_)
            | Event::Transferred(_)
            | Event::StatusChanged(_)
            | Event::Indicative(_)
            | Event::KeyChanged(_)
            | Event::PolicySet(_)
            | Event::Deposited(_)
            | Event::Withdrawn(_) => {}
        }
    }

    fn opened(&mut self, owner: &Party, open: &OpenTerms, block: &mut BlockNotes) {
        let time = self.time;
        let account = &mut self.accounts[owner.account.index()];
        // Of a quote set: nobody has said more of it than this.
        let order = account.orders.entry(owner.order_id).or_insert(Order {
            id: owner.order_id,
            market: open.market,
            side: open.side,
            price: open.price,
            size: open.quantity,
            filled: BaseLots::ZERO,
            remaining: open.quantity,
            label: owner.client_order_id,
            trigger: None,
            tif: "Alo",
            placed_at: time,
            status: Status::Open,
            status_at: time,
        });
        order.price = open.price;
        order.remaining = open.quantity;
        order.trigger = open.trigger;
        (order.status, order.status_at) = (Status::Open, time);
        block.touch(owner.account, owner.order_id);
    }

    fn done(&mut self, done: &Done, block: &mut BlockNotes) {
        if done.held {
            let book = &mut self.markets[done.market.index()].book;
            book.remove(done.owner.order_id);
        }
        let replace = block.replaces.get(&done.sequence).copied();
        let replace = replace.filter(|_| done.reason == DoneReason::Replaced);
        let time = self.time;
        self.change(&done.owner, block, |order| match replace {
            // It enters again under its number.
            Some(replace) => {
                order.size = replace.quantity;
                order.price = replace.price;
                let left = replace.quantity.get().saturating_sub(order.filled.get());
                order.remaining = BaseLots::new(left);
                order.status = Status::Entering;
            }
            None => (order.status, order.status_at) = (Status::Done(done.reason), time),
        });
    }

    fn fill(&mut self, fill: &Fill, block: &mut BlockNotes) {
        let at = TradedAt {
            number: block.numbers.next(fill.sequence),
            time: self.time,
            record: block.record,
        };
        let market = &mut self.markets[fill.market.index()];
        market.book.fill(fill);
        market.candles.trade(self.time, fill.price, fill.quantity);
        market.last = Some(fill.price);
        market.traded += 1;
        let trade = Trade::of(&self.accounts, fill, &at);
        push_bounded(&mut market.trades, trade.clone(), TRADES_MAX);
        block.notes.trades.push(trade);
        self.own_fill(fill, false, &at, block);
        self.own_fill(fill, true, &at, block);
    }

    /// A fill as one of its two parties sees it.
    fn own_fill(&mut self, fill: &Fill, is_taker: bool, at: &TradedAt, block: &mut BlockNotes) {
        let spec = &self.genesis.markets()[fill.market.index()];
        let (owner, own) = OwnFill::of(spec, fill, is_taker, at);
        let party = match is_taker {
            true => &fill.taker,
            false => &fill.maker,
        };
        let time = self.time;
        self.change(party, block, |order| {
            let filled = order.filled.get() + fill.quantity.get();
            order.filled = BaseLots::new(filled);
            let left = order.remaining.get().saturating_sub(fill.quantity.get());
            order.remaining = BaseLots::new(left);
            if left == 0 {
                (order.status, order.status_at) = (Status::Filled, time);
            }
        });
        self.accounts[owner.index()].push_fill(own.clone());
        block.notes.fills.push((owner, own));
    }

    /// Changes an order that is known; one from before a gap may not be.
    fn change(&mut self, owner: &Party, block: &mut BlockNotes, change: impl FnOnce(&mut Order)) {
        let account = &mut self.accounts[owner.account.index()];
        if let Some(order) = account.orders.get_mut(&owner.order_id) {
            change(order);
            block.touch(owner.account, owner.order_id);
        }
    }

    fn finish(&mut self, block: BlockNotes) -> Notes {
        let BlockNotes {
            mut touched,
            mut notes,
            ..
        } = block;
        touched.sort_unstable();
        touched.dedup();
        for (owner, id) in touched {
            let account = &mut self.accounts[owner.index()];
            account.version += 1;
            if let Some(order) = account.orders.get(&id) {
                notes.orders.push((owner, order.clone()));
            }
            account.settle(id);
        }
        notes
    }
}

/// Nanoseconds of a millisecond.
const NANOS_PER_MILLI: u64 = 1_000_000;

/// What comes to rest, or waits.
struct OpenTerms {
    market: MarketId,
    side: Side,
    price: Ticks,
    quantity: BaseLots,
    trigger: Option<types::command::Trigger>,
}

/// What is gathered over one block.
#[derive(Default)]
struct BlockNotes {
    record: types::outcome::Digest,
    replaces: HashMap<SequenceNumber, Replace>,
    touched: Vec<(AccountId, OrderId)>,
    numbers: TradeNumbers,
    notes: Notes,
}

impl BlockNotes {
    fn touch(&mut self, account: AccountId, order: OrderId) {
        self.touched.push((account, order));
    }
}

impl TradeNumbers {
    /// The number of this command's next trade.
    const fn next(&mut self, sequence: SequenceNumber) -> u64 {
        let Self(last, count) = *self;
        let index = if last.get() == sequence.get() {
            count
        } else {
            0
        };
        *self = Self(sequence, index + 1);
        sequence.get() << TRADE_BITS | index
    }
}

impl Trade {
    /// Between two of these accounts.
    fn of(accounts: &[Account], fill: &Fill, at: &TradedAt) -> Self {
        let address = |party: &Party| accounts[party.account.index()].address;
        let (maker, taker) = (address(&fill.maker), address(&fill.taker));
        Self {
            market: fill.market,
            taker_side: fill.taker_side,
            price: fill.price,
            lots: fill.quantity,
            time: at.time,
            number: at.number,
            parties: match fill.taker_side {
                Side::Bid => [taker, maker],
                Side::Ask => [maker, taker],
            },
            record: at.record,
        }
    }
}

/// Makes room by forgetting the oldest.
fn push_bounded<T>(list: &mut VecDeque<T>, item: T, max: usize) {
    if list.len() == max {
        list.pop_front();
    }
    list.push_back(item);
}
