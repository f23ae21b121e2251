//! An order meets the book: it takes what it may, rests or ends, and its trades set off orders that
//! wait for a price, which enter in turn.

use ledger::Trade;
use matching::{ArmedOrder, Maker, Meeting, RestingOrder, Stopped, Taken, Taker, Triggers};
use types::command::{Crossing, MarketStatus, OrderKind, Resting, SelfTrade, TimeInForce};
use types::genesis::MarketSpec;
use types::limits::{FILLS_PER_COMMAND_MAX, TRIGGERS_PER_COMMAND_MAX};
use types::outcome::{DoneReason, EventRecord, Fill, Party};
use types::{AccountId, BaseLots, ClientOrderId, GroupId, MarketId, OrderId, Side, Ticks};

use super::cancel::{End, let_go_armed, take_off, take_off_silently};
use super::events::{self, Subject};
use super::limits::within_band;
use super::place::slide;
use super::uncross::{Uncrossed, detach};
use super::{Accepted, Context, held, needed};
use crate::market::{Due, MarketState};
use crate::protection::MarketGuard;
use crate::view::{Funds, MarketView};

/// An order about to meet the book. Its funds are free and cover it; nothing of it is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) market: MarketId,
    pub(super) order_id: OrderId,
    pub(super) account: AccountId,
    pub(super) client_order_id: ClientOrderId,
    pub(super) side: Side,
    pub(super) kind: OrderKind,
    pub(super) price: Ticks,
    /// What has filled of it before.
    pub(super) filled: BaseLots,
    /// What is to fill still.
    pub(super) quantity: BaseLots,
    pub(super) self_trade: SelfTrade,
}

impl Entry {
    const fn owner(&self) -> Party {
        Party {
            account: self.account,
            order_id: self.order_id,
            client_order_id: self.client_order_id,
        }
    }

    const fn subject(&self) -> Subject {
        Subject {
            market: self.market,
            side: self.side,
            price: self.price,
            owner: self.owner(),
        }
    }
}

/// What a command may still do, and which prices it traded at.
#[derive(Clone, Copy, Debug)]
struct Budget {
    fills: u32,
    triggers: u32,
    /// Lowest and highest trade price since armed orders were last looked at.
    traded: Option<(Ticks, Ticks)>,
}

/// Lets an order in, then every armed order that it sets off. The receipt tells of the first.
pub(super) fn enter<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    entry: Entry,
    events: &mut Vec<EventRecord>,
) -> Accepted {
    let mut budget = Budget {
        fills: FILLS_PER_COMMAND_MAX,
        triggers: TRIGGERS_PER_COMMAND_MAX,
        traded: None,
    };
    let accepted = if market.status() == MarketStatus::Auction {
        let untaken = Taken {
            filled: BaseLots::ZERO,
            fills: 0,
            remaining: entry.quantity,
            stopped: None,
        };
        rest(market, context, &entry, &untaken, events);
        Accepted::default()
    } else {
        meet_and_rest(market, context, entry, &mut budget, events)
    };
    set_off_all(market, context, entry.market, &mut budget, events);
    accepted
}

/// An auction has ended: orders that its price sets off enter.
pub(super) fn set_off_after<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    id: MarketId,
    uncrossed: &Uncrossed,
    events: &mut Vec<EventRecord>,
) {
    let mut budget = Budget {
        fills: uncrossed.fills_left,
        triggers: TRIGGERS_PER_COMMAND_MAX,
        traded: uncrossed.price.map(|price| (price, price)),
    };
    set_off_all(market, context, id, &mut budget, events);
}

/// Whether all of an order would fill at once, within so many fills.
pub(super) fn may_fill<F: Funds>(
    market: &MarketView<'_, F>,
    context: Context,
    entry: &Entry,
    fills_max: u32,
) -> bool {
    let taker = taker(market.groups, context, entry, fills_max);
    let group_of = |account: AccountId| market.groups[account.index()];
    // Counts along, and is thrown away.
    let mut guard = MarketGuard {
        protections: &mut market.protections.clone(),
        market: entry.market,
        spec: market.spec,
        now: context.now,
    };
    market.state.book.fillable(&taker, group_of, &mut guard)
}

fn taker(groups: &[GroupId], context: Context, entry: &Entry, fills_max: u32) -> Taker {
    Taker {
        side: entry.side,
        limit: entry.price,
        quantity: entry.quantity,
        fills_max,
        account: entry.account,
        group: groups[entry.account.index()],
        self_trade: entry.self_trade,
        now: context.now,
    }
}

fn meet_and_rest<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    entry: Entry,
    budget: &mut Budget,
    events: &mut Vec<EventRecord>,
) -> Accepted {
    let (taken, fills) = meet(market, context, &entry, budget, events);
    let unfilled = entry.quantity - taken.filled;
    match ending(entry.kind, &taken) {
        _ if unfilled.is_zero() => {}
        None => rest(market, context, &entry, &taken, events),
        Some(reason) => {
            let subject = entry.subject();
            let done = events::done_unheld(context.sequence, &subject, reason, unfilled);
            events.push(done);
        }
    }
    Accepted {
        affected: fills,
        lots: taken.filled,
    }
}

/// Why what is left of an order does not come to rest; `None`: it does.
const fn ending(kind: OrderKind, taken: &Taken) -> Option<DoneReason> {
    match taken.stopped {
        // It still crosses the book, so it cannot rest.
        Some(Stopped::FillLimit) => Some(DoneReason::FillLimit),
        Some(Stopped::SelfTrade) => Some(DoneReason::SelfTrade),
        // What did not fill of it was decremented away.
        None if taken.remaining.is_zero() => Some(DoneReason::SelfTrade),
        None if kind.resting().is_some() => None,
        None => Some(DoneReason::Unfilled),
    }
}

/// Takes what the order may from the other side of the book; returns how many fills it was, too.
fn meet<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    entry: &Entry,
    budget: &mut Budget,
    events: &mut Vec<EventRecord>,
) -> (Taken, u32) {
    let MarketView {
        spec,
        groups,
        state,
        protections,
        funds,
        ..
    } = market;
    let MarketState { book, triggers, .. } = &mut **state;
    let taker = taker(groups, context, entry, budget.fills);
    let mut guard = MarketGuard {
        protections,
        market: entry.market,
        spec,
        now: context.now,
    };
    let mut sink = Sink {
        spec,
        triggers,
        funds: &mut **funds,
        context,
        entry,
        events,
        fills: 0,
        traded: budget.traded,
        last: None,
    };
    let taken = book.take(
        &taker,
        |account| groups[account.index()],
        &mut guard,
        |meeting| sink.meeting(meeting),
    );
    budget.traded = sink.traded;
    let fills = sink.fills;
    state.last_trade = sink.last.or(state.last_trade);
    budget.fills -= taken.fills;
    (taken, fills)
}

/// Turns meetings into movements of balances, and events.
struct Sink<'a, F> {
    spec: &'a MarketSpec,
    triggers: &'a mut Triggers,
    funds: &'a mut F,
    context: Context,
    entry: &'a Entry,
    events: &'a mut Vec<EventRecord>,
    fills: u32,
    traded: Option<(Ticks, Ticks)>,
    last: Option<Ticks>,
}

impl<F: Funds> Sink<'_, F> {
    fn meeting(&mut self, meeting: &Meeting) {
        match meeting {
            Meeting::Fill {
                maker,
                quantity,
                refreshed,
            } => self.fill(maker, *quantity, *refreshed),
            Meeting::Expired(order) => self.end(order, DoneReason::Expired),
            Meeting::Pulled(order) => self.end(order, DoneReason::Protection),
            Meeting::SelfTradeCancelled(order) => self.end(order, DoneReason::SelfTrade),
            Meeting::SelfTradeReduced { maker, by } => self.reduce(maker, *by),
        }
    }

    fn fill(&mut self, maker: &Maker, quantity: BaseLots, refreshed: bool) {
        let trade = Trade {
            taker_side: self.entry.side,
            price: maker.price,
            quantity,
            maker: maker.account,
            taker: self.entry.account,
        };
        if maker.stop.is_some() {
            self.release_excess(maker, quantity);
        }
        let fees = self.funds.settle(self.spec, &trade);
        self.fills += 1;
        if maker.remaining.is_zero() {
            self.funds.order_closed(maker.account);
        }
        let (low, high) = self.traded.unwrap_or((maker.price, maker.price));
        self.traded = Some((low.min(maker.price), high.max(maker.price)));
        self.last = Some(maker.price);
        self.events.push(EventRecord::from(&Fill {
            sequence: self.context.sequence,
            market: self.entry.market,
            taker_side: self.entry.side,
            price: maker.price,
            quantity,
            maker: events::maker_party(maker),
            taker: self.entry.owner(),
            maker_remaining: maker.remaining,
            maker_refreshed: refreshed,
            auction: None,
            maker_fee: fees.maker_fee,
            taker_fee: fees.taker_fee,
        }));
    }

    /// What a fill at the order's own price does not need of what was held for its stop.
    #[cold]
    fn release_excess(&mut self, maker: &Maker, quantity: BaseLots) {
        let side = self.entry.side.opposite();
        let (asset, paid) = needed(self.spec, side, maker.price, quantity);
        let terms = (maker.price, maker.stop);
        let (_, amount) = held(self.spec, side, terms, quantity);
        self.funds.release(maker.account, asset, amount - paid);
        if maker.remaining.is_zero() {
            detach(self.triggers, side, *maker);
        }
    }

    fn end(&mut self, order: &RestingOrder, reason: DoneReason) {
        let end = End {
            market: self.entry.market,
            sequence: self.context.sequence,
            reason,
        };
        let done = end.resting(self.spec, self.triggers, self.funds, order);
        self.events.push(done);
    }

    fn reduce(&mut self, maker: &RestingOrder, by: BaseLots) {
        let terms = (maker.price, maker.stop);
        let (asset, amount) = held(self.spec, maker.side, terms, by);
        self.funds.release(maker.account, asset, amount);
        let subject = Subject::resting(self.entry.market, maker);
        let (sequence, reason) = (self.context.sequence, DoneReason::SelfTrade);
        self.events.push(if maker.remaining.is_zero() {
            self.funds.order_closed(maker.account);
            if let Some(stop) = maker.stop {
                self.triggers
                    .detach(maker.order_id, maker.side, stop.trigger);
            }
            events::done_held(sequence, &subject, reason, by)
        } else {
            events::reduced(sequence, &subject, reason, (by, maker.remaining))
        });
    }
}

/// What is left of the order comes to rest, its funds held.
fn rest<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    entry: &Entry,
    taken: &Taken,
    events: &mut Vec<EventRecord>,
) {
    let resting = entry.kind.resting().unwrap_or_default();
    let filled = entry.filled + taken.filled;
    let order = RestingOrder {
        order_id: entry.order_id,
        account: entry.account,
        client_order_id: entry.client_order_id,
        side: entry.side,
        price: entry.price,
        quantity: filled + taken.remaining,
        remaining: taken.remaining,
        display: resting.display,
        shown: shown(resting.display, taken.remaining),
        expires_at: resting.expires_at,
        stop: resting.stop,
        protected: resting.protected,
    };
    hold_resting(market, &order);
    events.push(events::rested(context.sequence, entry.market, &order));
}

/// Holds the funds of an order and puts it on the book, its stop beside it.
pub(super) fn hold_resting<F: Funds>(market: &mut MarketView<'_, F>, order: &RestingOrder) {
    let terms = (order.price, order.stop);
    let (asset, amount) = held(market.spec, order.side, terms, order.remaining);
    market.funds.hold(order.account, asset, amount);
    market.funds.order_opened(order.account);
    let state = &mut *market.state;
    state.book.rest(order);
    state.indicative.is_stale = true;
    if let Some(stop) = order.stop {
        state
            .triggers
            .attach(order.order_id, order.side, stop.trigger);
    }
}

/// What an order that comes to rest shows of itself.
pub(super) fn shown(display: BaseLots, remaining: BaseLots) -> BaseLots {
    if display.is_zero() {
        remaining
    } else {
        display.min(remaining)
    }
}

/// Lets all orders in that the last trades set off, and those that their trades set off.
fn set_off_all<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    id: MarketId,
    budget: &mut Budget,
    events: &mut Vec<EventRecord>,
) {
    collect_due(market, budget);
    while let Some(due) = market.state.due.pop_front() {
        match due {
            Due::Armed(armed) => set_off(market, context, id, &armed, budget, events),
            Due::Stop(order_id) => set_off_stop(market, context, order_id, budget, events),
        }
        collect_due(market, budget);
    }
}

/// Queues the orders that the last trades set off, as many as the command may.
fn collect_due<F>(market: &mut MarketView<'_, F>, budget: &mut Budget) {
    let Some((low, high)) = budget.traded.take() else {
        return;
    };
    let MarketState {
        book,
        triggers,
        due,
        due_ids,
        ..
    } = &mut *market.state;
    due_ids.clear();
    triggers.set_off(low, high, due_ids);
    let room = budget.triggers as usize;
    for order_id in due_ids.iter().take(room) {
        due.push_back(match triggers.cancel(*order_id) {
            Some(armed) => Due::Armed(armed),
            None => {
                let order = book.order(*order_id).expect("its stop was beside it");
                let stop = order.stop.expect("it was set off");
                triggers.detach(*order_id, order.side, stop.trigger);
                Due::Stop(*order_id)
            }
        });
        budget.triggers -= 1;
    }
}

/// An armed order's hold ends, and it enters as its kind says.
fn set_off<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    market_id: MarketId,
    armed: &ArmedOrder,
    budget: &mut Budget,
    events: &mut Vec<EventRecord>,
) {
    let_go_armed(market.spec, market.funds, armed);
    let subject = Subject::armed(market_id, armed);
    let is_protected = armed.kind.resting().unwrap_or_default().protected;
    let reason = if context.is_over(armed.expires_at()) {
        // A tick had no room for it. Whose time is over does not trade.
        Some(DoneReason::Expired)
    } else if is_protected && market.protections.is_tripped(armed.account, market_id) {
        Some(DoneReason::Protection)
    } else {
        None
    };
    if let Some(reason) = reason {
        let done = events::done_held(context.sequence, &subject, reason, armed.quantity);
        events.push(done);
        return;
    }
    events.push(events::triggered(
        context.sequence,
        &subject,
        armed.quantity,
    ));
    let entry = Entry {
        market: market_id,
        order_id: armed.order_id,
        account: armed.account,
        client_order_id: armed.client_order_id,
        side: armed.side,
        kind: armed.kind,
        price: armed.price,
        filled: BaseLots::ZERO,
        quantity: armed.quantity,
        self_trade: armed.self_trade,
    };
    enter_set_off(market, context, entry, budget, events);
}

/// The market turns: an order leaves the book and enters at the limit of the stop beside it. If it
/// has left since it was set off, there is nothing to do.
fn set_off_stop<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order_id: OrderId,
    budget: &mut Budget,
    events: &mut Vec<EventRecord>,
) {
    let Some(order) = market.state.book.order(order_id) else {
        return;
    };
    if context.is_over(order.expires_at) {
        take_off(market, context, &order, DoneReason::Expired, events);
        return;
    }
    take_off_silently(market, &order);
    let market_id = order_id.market();
    let stop = order.stop.expect("it was set off");
    let subject = Subject {
        price: stop.limit,
        ..Subject::resting(market_id, &order)
    };
    events.push(events::triggered(
        context.sequence,
        &subject,
        order.remaining,
    ));
    let entry = Entry {
        market: market_id,
        order_id,
        account: order.account,
        client_order_id: order.client_order_id,
        side: order.side,
        kind: OrderKind::Limit(TimeInForce::Rest(Resting {
            stop: None,
            ..order.resting()
        })),
        price: stop.limit,
        filled: order.filled(),
        quantity: order.remaining,
        self_trade: stop.self_trade,
    };
    enter_set_off(market, context, entry, budget, events);
}

/// Nobody is there any more to be told of a reject, so an order that was set off ends where one
/// would be.
fn enter_set_off<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    mut entry: Entry,
    budget: &mut Budget,
    events: &mut Vec<EventRecord>,
) {
    entry.price = within_band(market.spec, market.state, entry.side, entry.price);
    match set_off_price(market, context, &entry, budget) {
        Some(price) => {
            entry.price = price;
            // Neither slide nor band make it pay more than at its limit, and that was held a
            // moment ago.
            let (asset, amount) = needed(market.spec, entry.side, price, entry.quantity);
            market.funds.expect_covers(entry.account, asset, amount);
            meet_and_rest(market, context, entry, budget, events);
        }
        None => {
            let (reason, unfilled) = (DoneReason::Unfilled, entry.quantity);
            let subject = entry.subject();
            let done = events::done_unheld(context.sequence, &subject, reason, unfilled);
            events.push(done);
        }
    }
}

/// At which price an order that was set off enters; `None`: it would be rejected.
fn set_off_price<F: Funds>(
    market: &MarketView<'_, F>,
    context: Context,
    entry: &Entry,
    budget: &Budget,
) -> Option<Ticks> {
    let book = &market.state.book;
    match entry.kind {
        // Armed orders take no room on the book, so there may be none by now.
        kind if kind.resting().is_some() && book.is_full() => None,
        OrderKind::PostOnly(Crossing::Slide, _) => slide(market, entry.side, entry.price),
        OrderKind::PostOnly(Crossing::Reject, _) => {
            (!book.crosses(entry.side, entry.price)).then_some(entry.price)
        }
        kind if kind.all_or_nothing() => {
            may_fill(market, context, entry, budget.fills).then_some(entry.price)
        }
        _ => Some(entry.price),
    }
}
