//! Quote sets: all quotes of an account in one market at once.

use std::collections::{BTreeMap, BTreeSet};

use types::command::{Crossing, OrderKind, QuoteLevel, QuoteSet, Resting, SelfTrade};
use types::limits::ORDERS_PER_BOOK_MAX;
use types::outcome::DoneReason;
use types::{AssetId, ClientOrderId, OrderId, RejectReason, Side};

use super::book::{Order, accepts};
use super::enter::Entrant;
use super::exchange::{Answer, Exchange, Market, check_price, check_quantity};
use super::funds::needed;

/// A level of a set, and its place in it.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    side: Side,
    index: u64,
    price: u64,
    quantity: u64,
}

/// What becomes of a quote of an earlier set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Leaves(DoneReason),
    Shrinks(u64),
    Stays,
}

impl Exchange {
    pub(crate) fn quote_set(&mut self, set: &QuoteSet<'_>) -> Answer {
        let market = self.known(set.market)?;
        let account = self.work.account;
        let last = self.markets[market].quote_sets.get(&account);
        if last.is_some_and(|(number, _)| set.number <= *number) {
            return Err(RejectReason::StaleQuoteSet);
        }
        self.check_levels(market, set)?;
        let wanted = wanted(set);
        self.check_may_quote(market, &wanted)?;
        let quotes = self.open_quotes(market);
        let fates = fates(&quotes, &wanted);
        let is_there = |level: &Wanted| {
            fates.iter().any(|(quote, fate)| {
                (quote.side, quote.price) == (level.side, level.price)
                    && !matches!(fate, Fate::Leaves(_))
            })
        };
        let (there, entering): (Vec<_>, Vec<_>) = wanted.iter().copied().partition(is_there);
        self.check_set(market, &fates, &entering)?;
        self.apply_set(market, &fates, &entering);
        let listed = there
            .iter()
            .map(|level| {
                let stays = |(quote, fate): &&(Order, Fate)| {
                    (quote.side, quote.price) == (level.side, level.price)
                        && !matches!(fate, Fate::Leaves(_))
                };
                let (quote, _) = fates.iter().find(stays).unwrap();
                ((level.side, level.index), quote.id)
            })
            .chain(entering.iter().map(|level| {
                let id = OrderId::new_at(self.work.sequence, set.market, level.order_index());
                ((level.side, level.index), id)
            }))
            .collect::<BTreeMap<_, _>>();
        let listed = listed.into_values().collect();
        let sets = &mut self.markets[market].quote_sets;
        sets.insert(account, (set.number, listed));
        Ok((u32::try_from(wanted.len()).unwrap(), 0))
    }

    /// The account's quotes that are still open, in the order of its last set.
    pub(crate) fn open_quotes(&self, market: usize) -> Vec<Order> {
        let Market {
            book, quote_sets, ..
        } = &self.markets[market];
        let last = quote_sets.get(&self.work.account);
        let listed = last.into_iter().flat_map(|(_, quotes)| quotes);
        listed
            .filter_map(|id| book.all().find(|order| order.id == *id))
            .copied()
            .collect()
    }

    /// Order first, then values: of several reasons the lowest.
    fn check_levels(&self, market: usize, set: &QuoteSet<'_>) -> Result<(), RejectReason> {
        let prices = |levels: &[QuoteLevel]| -> Vec<u64> {
            levels.iter().map(|level| level.price().get()).collect()
        };
        let (bids, asks) = (prices(set.bids), prices(set.asks));
        let sorted = bids.is_sorted_by(|a, b| a > b) && asks.is_sorted_by(|a, b| a < b);
        let apart = match (bids.first(), asks.first()) {
            (Some(bid), Some(ask)) => bid < ask,
            _ => true,
        };
        if !sorted || !apart {
            return Err(RejectReason::UnsortedQuotes);
        }
        let levels = || set.bids.iter().chain(set.asks);
        let values = levels().flat_map(|level| {
            [check_price(level.price()), check_quantity(level.quantity())].map(Result::err)
        });
        if let Some(reason) = values.flatten().min() {
            return Err(reason);
        }
        let market = &self.markets[market];
        let mut levels = levels();
        levels.try_for_each(|level| {
            market.check_notional(level.price().get(), level.quantity().get())
        })
    }

    /// What the state of the market and of the account allows a set with levels.
    fn check_may_quote(&self, market: usize, wanted: &[Wanted]) -> Result<(), RejectReason> {
        if wanted.is_empty() {
            return Ok(());
        }
        self.check_quote_status(market)?;
        if self.is_tripped(market, self.work.account) {
            return Err(RejectReason::ProtectionTripped);
        }
        let market = &self.markets[market];
        let mut levels = wanted.iter();
        levels.try_for_each(|level| market.check_band(level.side, level.price))
    }

    fn check_set(
        &self,
        market: usize,
        fates: &[(Order, Fate)],
        entering: &[Wanted],
    ) -> Result<(), RejectReason> {
        let Market { spec, book, .. } = &self.markets[market];
        let leaves = |(_, fate): &&(Order, Fate)| matches!(fate, Fate::Leaves(_));
        let leaving = fates.iter().filter(leaves).count();
        self.check_open_orders(market, entering.len(), leaving)?;
        if book.len() - leaving + entering.len() > ORDERS_PER_BOOK_MAX as usize {
            return Err(RejectReason::BookFull);
        }
        let mut difference: BTreeMap<AssetId, i128> = BTreeMap::new();
        for level in entering {
            let (asset, amount) = needed(spec, level.side, level.price, level.quantity);
            *difference.entry(asset).or_default() += amount;
        }
        for (quote, fate) in fates {
            let freed = match fate {
                Fate::Leaves(_) => quote.remaining,
                Fate::Shrinks(by) => *by,
                Fate::Stays => 0,
            };
            let (asset, amount) = needed(spec, quote.side, quote.price, freed);
            *difference.entry(asset).or_default() -= amount;
        }
        let account = self.work.account;
        let covered = |(asset, amount)| self.funds.covers(account, (asset, amount));
        if !difference.into_iter().all(covered) {
            return Err(RejectReason::InsufficientFunds);
        }
        let is_quote = |order: &Order| fates.iter().any(|(quote, _)| quote.id == order.id);
        let takes = |level: &Wanted| {
            let mut others = book.orders(level.side.opposite());
            others.any(|other| !is_quote(other) && accepts(level.side, level.price, other.price))
        };
        if entering.iter().any(takes) {
            return Err(RejectReason::WouldCross);
        }
        Ok(())
    }

    fn apply_set(&mut self, market: usize, fates: &[(Order, Fate)], entering: &[Wanted]) {
        for (quote, fate) in fates {
            match fate {
                Fate::Leaves(reason) => {
                    self.end_open(market, quote.id, *reason);
                }
                Fate::Shrinks(by) => {
                    self.markets[market].book.reduce(quote.id, *by);
                    self.push_reduced(market, quote, *by, DoneReason::Replaced);
                }
                Fate::Stays => {}
            }
        }
        let resting = Resting {
            protected: true,
            ..Resting::PLAIN
        };
        for level in entering {
            let id = self.markets[market].id;
            let entrant = Entrant {
                id: OrderId::new_at(self.work.sequence, id, level.order_index()),
                account: self.work.account,
                label: ClientOrderId::NONE,
                side: level.side,
                kind: OrderKind::PostOnly(Crossing::Reject, resting),
                price: level.price,
                filled: 0,
                remaining: level.quantity,
                self_trade: SelfTrade::Allow,
            };
            self.rest(market, &entrant, (0, level.quantity), resting);
        }
    }
}

impl Wanted {
    fn order_index(&self) -> u64 {
        match self.side {
            Side::Bid => self.index,
            Side::Ask => 32 + self.index,
        }
    }
}

/// All levels, bids before asks.
fn wanted(set: &QuoteSet<'_>) -> Vec<Wanted> {
    let side = |(side, levels): (Side, &[QuoteLevel])| -> Vec<Wanted> {
        let wanted = |(index, level): (u64, &QuoteLevel)| Wanted {
            side,
            index,
            price: level.price().get(),
            quantity: level.quantity().get(),
        };
        (0..).zip(levels).map(wanted).collect()
    };
    [(Side::Bid, set.bids), (Side::Ask, set.asks)]
        .into_iter()
        .flat_map(side)
        .collect()
}

/// What becomes of each quote. A replace may have brought two to one price: one can stay.
fn fates(quotes: &[Order], wanted: &[Wanted]) -> Vec<(Order, Fate)> {
    let mut taken = BTreeSet::new();
    let mut fate = |quote: &Order| {
        let at = |level: &&Wanted| (level.side, level.price) == (quote.side, quote.price);
        let Some(level) = wanted.iter().find(at) else {
            return Fate::Leaves(DoneReason::Cancelled);
        };
        if level.quantity > quote.remaining || !taken.insert((level.side, level.index)) {
            return Fate::Leaves(DoneReason::Replaced);
        }
        match quote.remaining - level.quantity {
            0 => Fate::Stays,
            by => Fate::Shrinks(by),
        }
    };
    quotes.iter().map(|quote| (*quote, fate(quote))).collect()
}
