//! What keys may do, checked before a command means anything, and what they have done, noted after it.
//!
//! A key of the genesis may do everything. One that a wallet has registered may do what it was
//! granted: commands of its scope, in its markets, orders up to a notional, so much open per market,
//! so much lost per market and day. What was lost is marked at the market's last trade.

use types::command::{Crossing, OrderKind, Place, QuoteSet, Replace};
use types::genesis::MarketSpec;
use types::keys::{GrantedMarkets, KeyGrant, KeyScope};
use types::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::outcome::{DoneReason, Event, EventRecord};
use types::planted::{Bug, is_planted};
use types::{Atoms, BaseLots, Command, KeyId, MarketId, OrderId, RejectReason, Side, Ticks};

use super::Context;
use super::absence::take_off_orders;
use super::cancel::{Open, find};
use super::place::entry_price;
use crate::view::{MarketView, StateView};
use crate::watch::{Author, counted_price, fee_bound};

/// Whether the key that signs may do this.
pub(super) fn check<V: StateView>(
    view: &mut V,
    context: Context,
    command: &Command<'_>,
) -> Result<(), RejectReason> {
    // A wallet has no sessions, and all accounts' have one number.
    if context.key == KeyId::WALLET
        && matches!(command, Command::SetSessionPolicy(_) | Command::SetTimer(_))
    {
        return Err(RejectReason::KeyScope);
    }
    let Some(status) = view.key_status(context.key) else {
        return Ok(());
    };
    let (grant, is_revoked) = (status.grant, status.is_revoked);
    if is_revoked || !allows(grant.scope, context.key, command) {
        return Err(RejectReason::KeyScope);
    }
    let is_limited = grant.markets != GrantedMarkets::ALL;
    let is_everywhere = matches!(command, Command::CancelAll(scope) if scope.market.is_none());
    match command.market() {
        Some(market) if !grant.markets.allow(market) => Err(RejectReason::KeyMarket),
        None if is_limited && is_everywhere => Err(RejectReason::KeyMarket),
        Some(market) => check_budget(view, context, command, (&grant, market)),
        None => Ok(()),
    }
}

fn allows(scope: KeyScope, own: KeyId, command: &Command<'_>) -> bool {
    match command {
        Command::Cancel(_)
        | Command::CancelAll(_)
        | Command::SetSessionPolicy(_)
        | Command::SetTimer(_)
        | Command::SetTimerAt(_) => true,
        Command::RevokeKey(key) if *key == own => true,
        Command::Place(_)
        | Command::Replace(_)
        | Command::QuoteSet(_)
        | Command::SetProtection(_) => scope != KeyScope::CancelOnly,
        Command::Transfer(_)
        | Command::SetMarketStatus(_)
        | Command::RevokeKey(_)
        | Command::Send(_)
        | Command::Withdraw(_)
        | Command::OpenSubAccount
        | Command::ApproveAgent(_)
        | Command::Inbox(_)
        | Command::Register(_)
        | Command::Revoke(_) => scope == KeyScope::Owner,
    }
}

/// Whether an order is within what the key may have, at its worst. What is no order at all is for
/// later checks to refuse.
fn check_budget<V: StateView>(
    view: &mut V,
    context: Context,
    command: &Command<'_>,
    (grant, market): (&KeyGrant, MarketId),
) -> Result<(), RejectReason> {
    let is_unlimited = grant.order_notional_max.is_zero() && !grant.is_budgeted();
    if is_unlimited {
        return Ok(());
    }
    let Some(market) = view.market(market) else {
        return Ok(());
    };
    let asked = match command {
        Command::Place(place) => of_place(&market, place),
        Command::Replace(_) if is_planted(Bug::ReplaceUnbudgeted) => None,
        Command::Replace(replace) => of_replace(&market, context, replace),
        Command::QuoteSet(set) => of_quotes(&market, context, set),
        _ => None,
    };
    let Some(asked) = asked else {
        return Ok(());
    };
    if !grant.order_notional_max.is_zero()
        && asked
            .orders()
            .any(|order| grant.order_notional_max < notional(market.spec, order))
    {
        return Err(RejectReason::KeyOrderNotional);
    }
    check_sums(&market, context, grant, &asked)
}

fn check_sums<F>(
    market: &MarketView<'_, F>,
    context: Context,
    grant: &KeyGrant,
    asked: &Asked<'_>,
) -> Result<(), RejectReason> {
    let MarketView { spec, state, .. } = market;
    let mark = state.last_trade;
    let (open, lost) = state.watch.spent(spec, context.key, (context.now, mark));
    let mut come = Atoms::ZERO;
    let mut concession: u128 = 0;
    for order in asked.orders() {
        come += notional(spec, order);
        concession = concession.saturating_add(conceded(spec, order, mark));
    }
    let is_within = open + come <= grant.open_notional_max + asked.gone;
    if asked.rests && !grant.open_notional_max.is_zero() && !is_within {
        return Err(RejectReason::KeyOpenNotional);
    }
    let budget = grant.daily_loss_max;
    if !budget.is_zero() && (budget <= lost || (budget - lost).get() < concession) {
        return Err(RejectReason::KeyDailyLoss);
    }
    Ok(())
}

/// One order, as a budget sees it.
#[derive(Clone, Copy)]
struct Asking {
    side: Side,
    price: Ticks,
    quantity: BaseLots,
}

/// The orders that a command asks for, and what goes for them.
struct Asked<'a> {
    one: Option<Asking>,
    set: Option<&'a QuoteSet<'a>>,
    /// The notional of the key's open orders that go.
    gone: Atoms,
    /// Whether anything of it may come to rest.
    rests: bool,
}

impl Asked<'_> {
    fn orders(&self) -> impl Iterator<Item = Asking> + '_ {
        let levels = self.set.into_iter().flat_map(|set| {
            let sides = [(Side::Bid, set.bids), (Side::Ask, set.asks)];
            sides.into_iter().flat_map(|(side, levels)| {
                levels.iter().map(move |level| Asking {
                    side,
                    price: level.price(),
                    quantity: level.quantity(),
                })
            })
        });
        // What no order can be is refused by others, with a better reason.
        let is_legal = |order: &Asking| {
            order.price.get() <= PRICE_TICKS_MAX && order.quantity.get() <= QUANTITY_LOTS_MAX
        };
        self.one.into_iter().chain(levels).filter(is_legal)
    }
}

fn of_place<F>(market: &MarketView<'_, F>, place: &Place) -> Option<Asked<'static>> {
    let stop = place.kind.resting().unwrap_or_default().stop;
    // Where a sliding order comes to rest; where one that waits will, nobody knows.
    let slides = matches!(place.kind, OrderKind::PostOnly(Crossing::Slide, _))
        && (1..=PRICE_TICKS_MAX).contains(&place.price.get());
    let price = match (slides, place.trigger) {
        (true, None) => entry_price(market, place).unwrap_or(place.price),
        _ => place.price,
    };
    Some(Asked {
        one: Some(Asking {
            side: place.side,
            price: counted_price(price, stop).max(price),
            quantity: place.quantity,
        }),
        set: None,
        gone: Atoms::ZERO,
        rests: !matches!(place.kind, OrderKind::Market(_)) && place.kind.resting().is_some()
            || place.trigger.is_some(),
    })
}

/// The whole new size counts, what has filled of it too.
fn of_replace<F>(
    market: &MarketView<'_, F>,
    context: Context,
    replace: &Replace,
) -> Option<Asked<'static>> {
    let (order_id, side, stop) = match find(market.state, context, replace.target)? {
        Open::Resting(order) => (order.order_id, order.side, order.stop),
        Open::Armed(order) => {
            let stop = order.kind.resting().unwrap_or_default().stop;
            (order.order_id, order.side, stop)
        }
    };
    Some(Asked {
        one: Some(Asking {
            side,
            price: counted_price(replace.price, stop).max(replace.price),
            quantity: replace.quantity,
        }),
        set: None,
        gone: own_notional(market, context.key, order_id),
        rests: true,
    })
}

fn of_quotes<'a, F>(
    market: &MarketView<'_, F>,
    context: Context,
    set: &'a QuoteSet<'a>,
) -> Option<Asked<'a>> {
    let quoted = market.state.quotes.orders_of(context.account);
    let gone = quoted.fold(Atoms::ZERO, |sum, order_id| {
        sum + own_notional(market, context.key, order_id)
    });
    Some(Asked {
        one: None,
        set: Some(set),
        gone,
        rests: true,
    })
}

/// What an order counts among the key's own; zero if it is not.
fn own_notional<F>(market: &MarketView<'_, F>, key: KeyId, order_id: OrderId) -> Atoms {
    match market.state.watch.order(order_id) {
        Some(order) if order.key == key => market.spec.factors.notional(order.price, order.lots),
        _ => Atoms::ZERO,
    }
}

const fn notional(spec: &MarketSpec, order: Asking) -> Atoms {
    spec.factors.notional(order.price, order.quantity)
}

/// What an order would lose at once if all of it traded at its own price, marked at the last trade,
/// in quote atoms, with the fee.
fn conceded(spec: &MarketSpec, order: Asking, mark: Option<Ticks>) -> u128 {
    let fee = spec.taker_fee.get().max(spec.maker_fee.get()).max(0);
    let fee = fee_bound(notional(spec, order), fee.unsigned_abs().into());
    let Some(mark) = mark else {
        return fee;
    };
    let (paid, worth) = match order.side {
        Side::Bid => (order.price, mark),
        Side::Ask => (mark, order.price),
    };
    let worse = paid.get().saturating_sub(worth.get());
    let price = spec.factors.notional(Ticks::new(worse), order.quantity);
    price.get().saturating_add(fee)
}

/// A command is over: notes what it has done to the orders of watched keys, and takes off those of a
/// key that has lost what it may.
pub(super) fn follow<V: StateView>(
    view: &mut V,
    author: Author,
    told: usize,
    events: &mut Vec<EventRecord>,
) {
    let mut from = told;
    while from < events.len() {
        let to = events.len();
        // Where something happened, and whether that was a trade.
        let mut touched: Vec<(MarketId, bool)> = Vec::new();
        for record in &events[from..to] {
            let event = record.event();
            let Some(id) = market_of(&event) else {
                continue;
            };
            let market = view.market(id).expect("events name markets that exist");
            let watch = &mut market.state.watch;
            if !author.is_watched && watch.is_empty() {
                continue;
            }
            watch.budget(market.spec, &author);
            watch.follow(market.spec, &author, &event);
            let is_trade = matches!(event, Event::Fill(_));
            match touched.iter_mut().find(|(touched, _)| *touched == id) {
                Some((_, has_traded)) => *has_traded |= is_trade,
                None => touched.push((id, is_trade)),
            }
        }
        for (id, has_traded) in touched {
            let market = view.market(id).expect("events name markets that exist");
            market.state.watch.settle(market.spec);
            // What is taken off here is followed in the next round, and trades no more.
            if has_traded {
                end_losers(view, author, id, events);
            }
        }
        from = to;
    }
}

fn end_losers<V: StateView>(
    view: &mut V,
    author: Author,
    id: MarketId,
    events: &mut Vec<EventRecord>,
) {
    let market = view.market(id).expect("events name markets that exist");
    let MarketView { spec, state, .. } = &market;
    let mark = (author.now, state.last_trade);
    let spent = |key| (key, state.watch.spent(spec, key, mark).1);
    let lost: Vec<(KeyId, Atoms)> = state.watch.budgeted().map(spent).collect();
    for (key, lost) in lost {
        let status = view.key_status(key);
        let budget = status.map_or(Atoms::ZERO, |status| status.grant.daily_loss_max);
        if !budget.is_zero() && budget <= lost {
            let context = Context {
                account: view.key_owner(key).expect("a key with a budget exists"),
                key,
                sequence: author.sequence,
                now: author.now,
            };
            let market = &mut view.market(id).expect("events name markets that exist");
            let orders = market.state.watch.orders_of(key);
            take_off_orders(market, context, &orders, DoneReason::DailyLoss, events);
        }
    }
}

const fn market_of(event: &Event) -> Option<MarketId> {
    match event {
        Event::Fill(fill) => Some(fill.market),
        Event::Rested(rested) => Some(rested.market),
        Event::Armed(armed) => Some(armed.market),
        Event::Triggered(triggered) => Some(triggered.market),
        Event::Reduced(reduced) => Some(reduced.market),
        Event::Done(done) => Some(done.market),
        Event::StatusChanged(_)
        | Event::Indicative(_)
        | Event::Transferred(_)
        | Event::KeyChanged(_)
        | Event::PolicySet(_)
        | Event::AccountOpened(_)
        | Event::Deposited(_)
        | Event::Withdrawn(_) => None,
    }
}
