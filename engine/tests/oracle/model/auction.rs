//! Call auctions: the price, by trying every tick, the uncrossing at it, and what ticks publish.

use types::command::MarketStatus;
use types::limits::INDICATIVE_INTERVAL_NS;
use types::outcome::{DoneReason, Event, Indicative, RestingTaker};
use types::{OrderId, Side, Ticks};

use super::book::{Book, Order, accepts};
use super::enter::Trade;
use super::exchange::{Exchange, Market};
use super::limits::Reference;

/// What an auction comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AuctionPrice {
    pub(crate) price: u64,
    pub(crate) volume: u128,
    /// Bids that are left over, or, negative, asks.
    pub(crate) surplus: i128,
}

/// What came of an uncrossing.
#[derive(Debug)]
pub(crate) struct Uncrossing {
    /// At which price orders met, if any did.
    pub(crate) price: Option<u64>,
    pub(crate) fills: u32,
    pub(crate) lots: u64,
    pub(crate) complete: bool,
}

/// When a market last published its indicative price, and how often its book had changed by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    at: u64,
    changes: u64,
}

impl Exchange {
    /// Expires what is over and lets the rest meet at one price.
    pub(crate) fn uncross(&mut self, market: usize) -> Uncrossing {
        let mut uncrossing = Uncrossing {
            price: None,
            fills: 0,
            lots: 0,
            complete: false,
        };
        for id in self.over(market) {
            if self.work.fills_left == 0 {
                return uncrossing;
            }
            self.work.fills_left -= 1;
            self.end_open(market, id, DoneReason::Expired);
        }
        let Market {
            book, last_trade, ..
        } = &self.markets[market];
        let price = auction_price(book, *last_trade).map(|found| found.price);
        uncrossing.complete = true;
        while let Some((bid, ask)) = self.next_pair(market) {
            if self.work.fills_left == 0 {
                uncrossing.complete = false;
                break;
            }
            self.work.fills_left -= 1;
            let price = price.expect("where a bid reaches an ask there is a price");
            uncrossing.lots += self.meet_in_auction(market, &bid, &ask, price);
            uncrossing.fills += 1;
            uncrossing.price = Some(price);
        }
        if let Some(price) = uncrossing.price {
            let taken_at = self.now;
            self.markets[market].reference = Some(Reference { price, taken_at });
        }
        for (account, _) in self.work.tripped.clone() {
            self.pull(market, account);
        }
        uncrossing
    }

    /// Resting orders whose time is over: by expiry, then by id.
    fn over(&self, market: usize) -> Vec<OrderId> {
        let orders = self.markets[market].book.all();
        let over = orders.filter(|order| order.is_over(self.now));
        let mut over: Vec<_> = over
            .map(|order| (order.resting.expires_at, order.id))
            .collect();
        over.sort_unstable();
        over.into_iter().map(|(_, id)| id).collect()
    }

    /// The best bid and the best ask, if they reach each other.
    fn next_pair(&self, market: usize) -> Option<(Order, Order)> {
        let book = &self.markets[market].book;
        let (bid, ask) = (book.best_order(Side::Bid)?, book.best_order(Side::Ask)?);
        (bid.price >= ask.price).then_some((bid, ask))
    }

    /// Says how many lots the two trade.
    fn meet_in_auction(&mut self, market: usize, bid: &Order, ask: &Order, price: u64) -> u64 {
        assert!(
            accepts(Side::Bid, bid.price, price) && accepts(Side::Ask, ask.price, price),
            "nobody trades beyond its own price"
        );
        let (maker, taker) = if bid.id < ask.id {
            (bid, ask)
        } else {
            (ask, bid)
        };
        let quantity = maker.shown.min(taker.shown);
        let book = &mut self.markets[market].book;
        let maker_refreshed = book.fill_best(maker.side, quantity);
        let refreshed = book.fill_best(taker.side, quantity);
        let remaining = taker.remaining - quantity;
        self.release_part(market, taker, quantity);
        if remaining == 0 {
            self.open_orders[taker.account.index()] -= 1;
        }
        self.trade(
            market,
            &Trade {
                maker,
                maker_refreshed,
                taker: taker.party(),
                taker_side: taker.side,
                price,
                quantity,
                auction: Some(RestingTaker {
                    remaining: types::BaseLots::new(remaining),
                    refreshed,
                }),
            },
        );
        for order in [maker, taker] {
            if self.count(market, order, price, quantity) {
                self.work.tripped.push((order.account, market));
            }
        }
        quantity
    }

    /// A tick: says what the auction would come to, if there is one and that is due.
    pub(crate) fn publish(&mut self, market: usize) {
        let now = self.now;
        let is_auction = self.status(market) == MarketStatus::Auction;
        let Market {
            id,
            book,
            last_trade,
            published,
            ..
        } = &mut self.markets[market];
        let is_new = |last: &Published| {
            book.changes() != last.changes && now - last.at >= INDICATIVE_INTERVAL_NS
        };
        if !is_auction || !published.as_ref().is_none_or(is_new) {
            return;
        }
        *published = Some(Published {
            at: now,
            changes: book.changes(),
        });
        // What a tick had no room to expire still counts.
        let found = auction_price(book, *last_trade);
        self.events.push(Event::Indicative(Indicative {
            sequence: self.work.sequence,
            market: *id,
            price: found.map(|found| Ticks::new(found.price)),
            volume: found.map_or(0, |found| found.volume),
            surplus: found.map_or(0, |found| found.surplus),
        }));
    }
}

/// The rules of the page, one after the other, over every price that may matter.
pub(crate) fn auction_price(book: &Book, last_trade: Option<u64>) -> Option<AuctionPrice> {
    let tried = prices(book, last_trade);
    let all: Vec<_> = tried.into_iter().map(|price| at(book, price)).collect();
    let most = all.iter().map(|found| found.volume).max()?;
    if most == 0 {
        return None;
    }
    let most_lots = all.into_iter().filter(|found| found.volume == most);
    let most_lots: Vec<_> = most_lots.collect();
    let over = |found: &AuctionPrice| found.surplus.unsigned_abs();
    let least = most_lots.iter().map(over).min()?;
    let best: Vec<_> = most_lots
        .into_iter()
        .filter(|found| over(found) == least)
        .collect();
    let (lowest, highest) = (best.first()?.price, best.last()?.price);
    let chosen = if best.iter().all(|found| found.surplus > 0) {
        highest
    } else if best.iter().all(|found| found.surplus < 0) {
        lowest
    } else if let Some(last) = last_trade {
        last.clamp(lowest, highest)
    } else {
        lowest.midpoint(highest)
    };
    Some(at(book, chosen))
}

/// Beyond so many ticks only those are tried at which something changes.
const TICKS_TRIED: u64 = 1_000;

/// Every price between the lowest and the highest order, ascending.
fn prices(book: &Book, last_trade: Option<u64>) -> Vec<u64> {
    let orders = || book.all().map(|order| order.price);
    let (Some(lowest), Some(highest)) = (orders().min(), orders().max()) else {
        return Vec::new();
    };
    if highest - lowest <= TICKS_TRIED {
        return (lowest..=highest).collect();
    }
    let around = orders().chain(last_trade);
    let mut prices: Vec<u64> = around
        .flat_map(|price| [price - 1, price, price + 1])
        .filter(|price| (lowest..=highest).contains(price))
        .collect();
    prices.sort_unstable();
    prices.dedup();
    prices
}

/// What trades at a price, and what is left over.
fn at(book: &Book, price: u64) -> AuctionPrice {
    let lots = |side: Side| -> u128 {
        let orders = book.orders(side);
        let reaching = orders.filter(|order| accepts(side, order.price, price));
        reaching.map(|order| u128::from(order.remaining)).sum()
    };
    let (bids, asks) = (lots(Side::Bid), lots(Side::Ask));
    AuctionPrice {
        price,
        volume: bids.min(asks),
        surplus: bids.cast_signed() - asks.cast_signed(),
    }
}
