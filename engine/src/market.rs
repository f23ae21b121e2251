//! One market's part of the state: its book, and what stands beside the book.

use std::collections::{BTreeMap, VecDeque};

use matching::{ArmedOrder, Book, Indication, Triggers, UndoLog};
use types::command::MarketStatus;
use types::limits::REMEMBERED_CANCELS_MAX;
use types::planted::{Bug, is_planted};
use types::{AccountId, ClientOrderId, LogTime, OrderId, Ticks};

use crate::watch::Watch;

/// Everything of one market that commands may change.
#[derive(Debug)]
pub struct MarketState {
    /// The resting orders.
    pub book: Book,
    /// The armed orders.
    pub triggers: Triggers,
    /// The price of the last trade; `None` before the first.
    pub last_trade: Option<Ticks>,
    /// Which orders are quotes, and of which set.
    pub quotes: Quotes,
    /// Labels that were cancelled before their orders arrived.
    pub remembered: RememberedCancels,
    /// What may happen, as far as its operator says: a phase of the exchange may allow less.
    pub status: MarketStatus,
    /// What prices may not be too far from; `None`: there was no trade yet that a tick has seen.
    pub reference: Option<Reference>,
    /// When and whether an auction's price is to be published.
    pub indicative: Indicative,
    /// Whose the orders are of the keys that are watched.
    pub watch: Watch,
    /// Orders set off by the command at work; empty between commands.
    pub(crate) due: VecDeque<Due>,
    /// Scratch for finding them; whoever uses it clears it first.
    pub(crate) due_ids: Vec<OrderId>,
}

impl MarketState {
    /// An empty market of this status.
    pub fn new(hash_seed: u64, status: MarketStatus) -> Self {
        let mut book = Book::new(hash_seed);
        if status == MarketStatus::Auction {
            book.collect();
        }
        Self {
            book,
            triggers: Triggers::new(),
            last_trade: None,
            quotes: Quotes::default(),
            remembered: RememberedCancels::default(),
            status,
            reference: None,
            indicative: Indicative {
                is_stale: status == MarketStatus::Auction,
                ..Indicative::default()
            },
            watch: Watch::default(),
            due: VecDeque::new(),
            due_ids: Vec::new(),
        }
    }

    /// Whether the account has an open order of this label.
    pub fn is_labelled(&self, account: AccountId, label: ClientOrderId) -> bool {
        !label.is_none()
            && (self.book.labelled(account, label).is_some()
                || self.triggers.labelled(account, label).is_some())
    }
}

/// Where a market was, to come back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UndoMark {
    book: usize,
    triggers: usize,
    quotes: usize,
    remembered: usize,
    watch: usize,
    // What is small is kept and not logged.
    last_trade: Option<Ticks>,
    status: MarketStatus,
    reference: Option<Reference>,
    indicative: Indicative,
}

impl MarketState {
    /// From here on every change is recorded, so that it can be undone. Panics if that is so already.
    pub(crate) fn begin_undo(&mut self) {
        self.book.begin_undo();
        self.triggers.begin_undo();
        self.quotes.undo.begin();
        self.remembered.undo.begin();
        self.watch.begin_undo();
    }

    /// Where the market is now. Panics unless changes are recorded, and within a command.
    pub(crate) fn undo_mark(&self) -> UndoMark {
        assert!(self.due.is_empty(), "nothing is due between commands");
        UndoMark {
            book: self.book.undo_mark(),
            triggers: self.triggers.undo_mark(),
            quotes: self.quotes.undo.mark(),
            remembered: self.remembered.undo.mark(),
            watch: self.watch.undo_mark(),
            last_trade: self.last_trade,
            status: self.status,
            reference: self.reference,
            indicative: self.indicative,
        }
    }

    /// Undoes everything after the mark, newest first. Later marks are gone with it, this one stays.
    /// Panics within a command.
    pub(crate) fn undo_to(&mut self, mark: &UndoMark) {
        assert!(self.due.is_empty(), "nothing is due between commands");
        self.book.undo_to(mark.book);
        self.triggers.undo_to(mark.triggers);
        self.quotes.undo_to(mark.quotes);
        self.remembered.undo_to(mark.remembered);
        self.watch.undo_to(mark.watch);
        if !is_planted(Bug::UndoForgotten) {
            self.last_trade = mark.last_trade;
        }
        self.status = mark.status;
        self.reference = mark.reference;
        self.indicative = mark.indicative;
    }

    /// Forgets all changes and records no more. The logs' memory is kept for the next time.
    pub(crate) fn end_undo(&mut self) {
        self.book.end_undo();
        self.triggers.end_undo();
        self.quotes.undo.end();
        self.remembered.undo.end();
        self.watch.end_undo();
    }
}

/// The price that a band lies around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The last trade as of then.
    pub price: Ticks,
    /// When it was taken.
    pub since: LogTime,
}

/// The publishing of an auction's price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indicative {
    /// Whether the book has changed since it was published last.
    pub is_stale: bool,
    /// When it was published last in this auction; zero: not yet.
    pub published_at: LogTime,
    /// What was published last in this auction, if there was a price.
    pub published: Option<Indication>,
}

/// An order that a trade has set off and that has not entered yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// One that was armed: its funds are still held.
    Armed(ArmedOrder),
    /// One that rests, with a stop beside it.
    Stop(OrderId),
}

/// The last quote set of each account. Orders that have ended since are still listed: whoever reads
/// the list looks them up in the book.
#[derive(Clone, Debug, Default)]
pub struct Quotes {
    sets: BTreeMap<AccountId, QuotedSet>,
    /// The sets that others have replaced; `None`: the other was an account's first.
    undo: UndoLog<(AccountId, Option<QuotedSet>)>,
}

/// One account's last quote set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotedSet {
    /// Its number.
    pub number: u64,
    /// The orders on each side, in the order of the set.
    pub orders: [Vec<OrderId>; 2],
}

impl Quotes {
    /// The last set of an account; `None` before the first.
    pub fn last(&self, account: AccountId) -> Option<&QuotedSet> {
        self.sets.get(&account)
    }

    /// The orders of an account's last set, bids first; some may have ended.
    pub(crate) fn orders_of(&self, account: AccountId) -> impl Iterator<Item = OrderId> {
        let sides = self.last(account).into_iter().flat_map(|set| &set.orders);
        sides.flatten().copied()
    }

    /// The account has quoted this set, and no other any more.
    pub(crate) fn replace(&mut self, account: AccountId, set: QuotedSet) {
        let earlier = self.sets.insert(account, set);
        if self.undo.is_on() {
            self.undo.push((account, earlier));
        }
    }

    fn undo_to(&mut self, mark: usize) {
        while let Some((account, earlier)) = self.undo.pop_after(mark) {
            match earlier {
                Some(set) => self.sets.insert(account, set),
                None => self.sets.remove(&account),
            };
        }
    }

    /// Sets as they were.
    pub(crate) fn restore(sets: impl Iterator<Item = (AccountId, QuotedSet)>) -> Self {
        Self {
            sets: sets.collect(),
            undo: UndoLog::default(),
        }
    }

    /// All sets, by account.
    pub fn iter(&self) -> impl Iterator<Item = (AccountId, &QuotedSet)> {
        self.sets.iter().map(|(account, set)| (*account, set))
    }
}

/// Labels whose cancel came before their order: the order is refused when it comes.
#[derive(Clone, Debug, Default)]
pub struct RememberedCancels {
    until: BTreeMap<(AccountId, ClientOrderId), LogTime>,
    /// Till when a label was remembered before that changed, if it was.
    undo: UndoLog<((AccountId, ClientOrderId), Option<LogTime>)>,
}

impl RememberedCancels {
    /// Whether this label of the account can be remembered, once those whose time is over are
    /// forgotten. One that is remembered already takes no more room.
    pub(crate) fn has_room(
        &mut self,
        account: AccountId,
        label: ClientOrderId,
        now: LogTime,
    ) -> bool {
        let labels = (account, ClientOrderId::NONE)..=(account, ClientOrderId::new(u64::MAX));
        let over: Vec<_> = self
            .until
            .range(labels.clone())
            .filter(|(_, until)| **until < now)
            .map(|(label, _)| *label)
            .collect();
        for label in over {
            let until = self.until.remove(&label);
            if self.undo.is_on() {
                self.undo.push((label, until));
            }
        }
        self.until.contains_key(&(account, label))
            || self.until.range(labels).count() < REMEMBERED_CANCELS_MAX
    }

    /// Remembers a label until a time.
    pub(crate) fn remember(&mut self, account: AccountId, label: ClientOrderId, until: LogTime) {
        let label = (account, label);
        let earlier = self.until.insert(label, until);
        if self.undo.is_on() {
            self.undo.push((label, earlier));
        }
    }

    fn undo_to(&mut self, mark: usize) {
        while let Some((label, earlier)) = self.undo.pop_after(mark) {
            match earlier {
                Some(until) => self.until.insert(label, until),
                None => self.until.remove(&label),
            };
        }
    }

    /// Whether a label is remembered.
    pub(crate) fn contains(&self, account: AccountId, label: ClientOrderId, now: LogTime) -> bool {
        // The usual case costs one comparison.
        !self.until.is_empty()
            && self
                .until
                .get(&(account, label))
                .is_some_and(|until| now <= *until)
    }

    /// All labels, by account.
    pub fn iter(&self) -> impl Iterator<Item = (AccountId, ClientOrderId, LogTime)> {
        self.until
            .iter()
            .map(|((account, label), until)| (*account, *label, *until))
    }
}
