//! An order's way through the book: whom it meets, and what becomes of the rest.

use types::command::{MarketStatus, OrderKind, Resting, SelfTrade};
use types::outcome::{DoneReason, Event, Fill, Party, Reduced, Rested, RestingTaker};
use types::{AccountId, Atoms, BaseLots, ClientOrderId, OrderId, Side, Ticks};

use super::book::{Order, hold_price};
use super::exchange::{Exchange, Market};
use super::funds::{Swap, needed};

/// An order about to enter its book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrant {
    pub(crate) id: OrderId,
    pub(crate) account: AccountId,
    pub(crate) label: ClientOrderId,
    pub(crate) side: Side,
    pub(crate) kind: OrderKind,
    pub(crate) price: u64,
    /// What filled of it before it entered again.
    pub(crate) filled: u64,
    pub(crate) remaining: u64,
    pub(crate) self_trade: SelfTrade,
}

/// What came of an entry.
#[derive(Debug, Default)]
pub(crate) struct Entered {
    pub(crate) fills: u32,
    pub(crate) lots: u64,
    pub(crate) prices: Vec<u64>,
}

/// A trade about to be booked; the maker as it was before.
#[derive(Debug)]
pub(crate) struct Trade<'a> {
    pub(crate) maker: &'a Order,
    pub(crate) maker_refreshed: bool,
    pub(crate) taker: Party,
    pub(crate) taker_side: Side,
    pub(crate) price: u64,
    pub(crate) quantity: u64,
    pub(crate) auction: Option<RestingTaker>,
}

/// An order on its way through the book.
struct Taker<'a> {
    entrant: &'a Entrant,
    /// What it would still take.
    left: u64,
    has_ended: bool,
    entered: Entered,
}

impl Exchange {
    /// Leads an order through the book and lets what is left rest or end.
    pub(crate) fn enter(&mut self, market: usize, entrant: &Entrant) -> Entered {
        let mut taker = Taker {
            entrant,
            left: entrant.remaining,
            has_ended: false,
            entered: Entered::default(),
        };
        let never_takes = matches!(entrant.kind, OrderKind::PostOnly(..));
        if !never_takes && self.status(market) != MarketStatus::Auction {
            self.meet_all(market, &mut taker);
        }
        if taker.left > 0 {
            match entrant.kind.resting() {
                Some(resting) => {
                    let filled = entrant.filled + taker.entered.lots;
                    self.rest(market, entrant, (filled, taker.left), resting);
                }
                None => self.end_taker(market, &mut taker, DoneReason::Unfilled),
            }
        }
        taker.entered
    }

    /// Each fill, and each maker that ends or shrinks without one, costs one of `fills_left`.
    fn meet_all(&mut self, market: usize, taker: &mut Taker<'_>) {
        let entrant = taker.entrant;
        while taker.left > 0 {
            let book = &self.markets[market].book;
            let Some(maker) = book.next_for(entrant.side, entrant.price) else {
                return;
            };
            if self.work.fills_left == 0 {
                self.end_taker(market, taker, DoneReason::FillLimit);
                return;
            }
            let group = |account: AccountId| self.groups[account.index()];
            let same_group = group(maker.account) == group(entrant.account);
            if maker.is_over(self.now) {
                self.work.fills_left -= 1;
                self.end_open(market, maker.id, DoneReason::Expired);
            } else if entrant.self_trade == SelfTrade::Allow || !same_group {
                self.work.fills_left -= 1;
                self.fill(market, taker, &maker);
            } else {
                self.prevent(market, taker, &maker);
            }
        }
        if taker.entered.lots < entrant.remaining && !taker.has_ended {
            self.end_taker(market, taker, DoneReason::SelfTrade);
        }
    }

    fn fill(&mut self, market: usize, taker: &mut Taker<'_>, maker: &Order) {
        let quantity = taker.left.min(maker.shown);
        taker.left -= quantity;
        taker.entered.fills += 1;
        taker.entered.lots += quantity;
        taker.entered.prices.push(maker.price);
        let book = &mut self.markets[market].book;
        let maker_refreshed = book.fill_best(maker.side, quantity);
        self.trade(
            market,
            &Trade {
                maker,
                maker_refreshed,
                taker: taker.entrant.party(),
                taker_side: taker.entrant.side,
                price: maker.price,
                quantity,
                auction: None,
            },
        );
        if self.count(market, maker, maker.price, quantity) {
            self.work.tripped.push((maker.account, market));
            self.pull(market, maker.account);
        }
    }

    /// Books a trade: what the maker held for it beyond the price is free again.
    pub(crate) fn trade(&mut self, market: usize, trade: &Trade<'_>) {
        let (maker, price, quantity) = (trade.maker, trade.price, trade.quantity);
        let Market {
            id,
            spec,
            last_trade,
            ..
        } = &mut self.markets[market];
        *last_trade = Some(price);
        let (asset, held) = needed(spec, maker.side, maker.hold_price(), quantity);
        let (_, paid) = needed(spec, maker.side, price, quantity);
        self.funds.release(maker.account, (asset, held - paid));
        let swap = Swap {
            taker_side: trade.taker_side,
            price,
            quantity,
            maker: maker.account,
            taker: trade.taker.account,
        };
        let (maker_fee, taker_fee) = self.funds.settle(spec, &swap);
        if quantity == maker.remaining {
            self.open_orders[maker.account.index()] -= 1;
        }
        self.events.push(Event::Fill(Fill {
            sequence: self.work.sequence,
            market: *id,
            taker_side: trade.taker_side,
            price: Ticks::new(price),
            quantity: BaseLots::new(quantity),
            maker: maker.party(),
            taker: trade.taker,
            maker_remaining: BaseLots::new(maker.remaining - quantity),
            maker_refreshed: trade.maker_refreshed,
            auction: trade.auction,
            maker_fee,
            taker_fee: Atoms::new(u128::try_from(taker_fee).unwrap()),
        }));
    }

    fn prevent(&mut self, market: usize, taker: &mut Taker<'_>, maker: &Order) {
        let reason = DoneReason::SelfTrade;
        match taker.entrant.self_trade {
            SelfTrade::Allow => unreachable!("then they trade"),
            SelfTrade::CancelTaker => self.end_taker(market, taker, reason),
            SelfTrade::CancelMaker | SelfTrade::CancelBoth => {
                self.work.fills_left -= 1;
                self.end_open(market, maker.id, reason);
                if taker.entrant.self_trade == SelfTrade::CancelBoth {
                    self.end_taker(market, taker, reason);
                }
            }
            SelfTrade::Decrement => {
                self.work.fills_left -= 1;
                let by = taker.left.min(maker.remaining);
                if by == maker.remaining {
                    self.end_open(market, maker.id, reason);
                } else {
                    self.markets[market].book.reduce(maker.id, by);
                    self.push_reduced(market, maker, by, reason);
                }
                taker.left -= by;
            }
        }
    }

    /// A taker ends; what it names as remaining is all that did not fill.
    fn end_taker(&mut self, market: usize, taker: &mut Taker<'_>, reason: DoneReason) {
        let Entrant {
            id,
            account,
            label,
            side,
            price,
            remaining,
            ..
        } = *taker.entrant;
        (taker.left, taker.has_ended) = (0, true);
        let unfilled = remaining - taker.entered.lots;
        let owner = (id, account, label);
        self.push_done(market, owner, (side, price, unfilled), (reason, false));
    }

    /// What follows when a resting order became smaller in its place.
    pub(crate) fn push_reduced(
        &mut self,
        market: usize,
        before: &Order,
        by: u64,
        reason: DoneReason,
    ) {
        self.release_part(market, before, by);
        self.events.push(Event::Reduced(Reduced {
            sequence: self.work.sequence,
            market: self.markets[market].id,
            side: before.side,
            reason,
            price: Ticks::new(before.price),
            by: BaseLots::new(by),
            remaining: BaseLots::new(before.remaining - by),
            owner: before.party(),
        }));
    }

    /// Frees what a resting order holds for so many lots.
    pub(crate) fn release_part(&mut self, market: usize, order: &Order, lots: u64) {
        let spec = &self.markets[market].spec;
        let held = needed(spec, order.side, order.hold_price(), lots);
        self.funds.release(order.account, held);
    }

    pub(crate) fn rest(
        &mut self,
        market: usize,
        entrant: &Entrant,
        (filled, remaining): (u64, u64),
        resting: Resting,
    ) {
        let Market { id, spec, book, .. } = &mut self.markets[market];
        let price = hold_price(entrant.side, entrant.price, resting.stop);
        let held = needed(spec, entrant.side, price, remaining);
        self.funds.hold(entrant.account, held);
        self.open_orders[entrant.account.index()] += 1;
        book.rest(Order {
            id: entrant.id,
            account: entrant.account,
            label: entrant.label,
            side: entrant.side,
            price: entrant.price,
            filled,
            remaining,
            shown: 0,
            resting,
            arrival: 0,
        });
        self.events.push(Event::Rested(Rested {
            sequence: self.work.sequence,
            market: *id,
            side: entrant.side,
            price: Ticks::new(entrant.price),
            quantity: BaseLots::new(remaining),
            resting,
            owner: entrant.party(),
        }));
    }
}

impl Entrant {
    pub(crate) fn party(&self) -> Party {
        Party {
            account: self.account,
            order_id: self.id,
            client_order_id: self.label,
        }
    }
}
