//! What every command means: the only place where a command changes state.
//!
//! Each command is checked flat and in the order of the reject numbers, then decided, then applied;
//! a rejected command has no effect at all. Funds are held by the same integer products that
//! settlement moves, so that an accepted order can never fail to settle:
//!
//! - A bid needs price x size of quote, an ask its size of base, free, at the moment of entry.
//! - What fills at once is paid from free at the maker's price (never worse than the limit).
//! - What rests is held at the limit. Both products are exact and linear in the size, so partial
//!   fills and cancels release exactly what the remainder no longer needs.
//! - Fees are taken from what a fill brings in, never from what was held.

use ledger::Trade;
use matching::{MakerFill, RestingOrder, Taken};
use types::command::{CancelScope, CancelTarget, OrderKind, Place, TimeInForce, Transfer};
use types::genesis::MarketSpec;
use types::limits::{
    FILLS_PER_COMMAND_MAX, OPEN_ORDERS_PER_ACCOUNT_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX,
};
use types::outcome::{
    BlockOutcome, Done, DoneReason, EventRecord, Fill, Party, Receipt, Rested, Transferred,
};
use types::{
    AccountId, AssetId, Atoms, BaseLots, Command, MarketId, OrderId, RejectReason, SequenceNumber,
    Side, Ticks,
};

use crate::view::{Funds, MarketView, StateView};

/// Who asks, and at which position of the total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The account that signed.
    pub account: AccountId,
    /// The command's position.
    pub sequence: SequenceNumber,
}

/// Executes one command: changes `view`, appends events and exactly one receipt to `outcome`.
pub fn apply<V: StateView>(
    view: &mut V,
    context: Context,
    command: &Command,
    outcome: &mut BlockOutcome,
) {
    let events = &mut outcome.events;
    let result = match command {
        Command::Place(order) => place(view, context, order, events),
        Command::Cancel(target) => cancel(view, context, *target, events),
        Command::CancelAll(scope) => cancel_all(view, context, *scope, events),
        Command::Transfer(movement) => transfer(view, context, movement, events),
    };
    outcome.receipts.push(match result {
        Ok(accepted) => Receipt::accepted(context.sequence, accepted.affected, accepted.lots),
        Err(reason) => Receipt::rejected(context.sequence, reason),
    });
}

/// What the receipt of an accepted command says.
struct Accepted {
    affected: u32,
    lots: BaseLots,
}

fn place<V: StateView>(
    view: &mut V,
    context: Context,
    order: &Place,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let market = view
        .market(order.market)
        .ok_or(RejectReason::UnknownMarket)?;
    check_placeable(&market, context.account, order)?;
    let taker = Party {
        account: context.account,
        order_id: OrderId::new_at(context.sequence, order.market, 0),
        client_order_id: order.client_order_id,
    };
    let MarketView { spec, book, funds } = market;
    let taken = book.take(
        order.side,
        order.price,
        order.quantity,
        FILLS_PER_COMMAND_MAX,
        |fill| {
            events.push(settle(spec, funds, context.sequence, order, &taker, fill));
        },
    );
    let remaining = order.quantity - taken.filled;
    if !remaining.is_zero() {
        match why_not_resting(order.kind, &taken) {
            None => {
                let (asset, amount) = needed(spec, order.side, order.price, remaining);
                funds.hold(context.account, asset, amount);
                funds.order_opened(context.account);
                book.rest(&resting(order, &taker, remaining));
                events.push(rested_event(context, order, taker, remaining));
            }
            Some(reason) => {
                let resting = resting(order, &taker, remaining);
                events.push(done_event(
                    context.sequence,
                    order.market,
                    &resting,
                    reason,
                    false,
                ));
            }
        }
    }
    Ok(Accepted {
        affected: taken.fills,
        lots: taken.filled,
    })
}

/// Every reason to refuse an order, in the order of their numbers.
fn check_placeable<F: Funds>(
    market: &MarketView<'_, F>,
    account: AccountId,
    order: &Place,
) -> Result<(), RejectReason> {
    let MarketView { spec, book, funds } = market;
    if order.price.is_zero() {
        return Err(RejectReason::ZeroPrice);
    }
    if order.price > Ticks::new(PRICE_TICKS_MAX) {
        return Err(RejectReason::PriceTooHigh);
    }
    if order.quantity.is_zero() {
        return Err(RejectReason::ZeroQuantity);
    }
    if order.quantity > BaseLots::new(QUANTITY_LOTS_MAX) {
        return Err(RejectReason::QuantityTooLarge);
    }
    if !order.client_order_id.is_none() && book.labelled(account, order.client_order_id).is_some() {
        return Err(RejectReason::DuplicateClientOrderId);
    }
    if order.kind.rests() && funds.open_orders(account) >= OPEN_ORDERS_PER_ACCOUNT_MAX {
        return Err(RejectReason::TooManyOpenOrders);
    }
    if order.kind.rests() && book.is_full() {
        return Err(RejectReason::BookFull);
    }
    let (asset, amount) = needed(spec, order.side, order.price, order.quantity);
    if !funds.covers(account, asset, amount) {
        return Err(RejectReason::InsufficientFunds);
    }
    match order.kind {
        OrderKind::PostOnly if book.crosses(order.side, order.price) => {
            Err(RejectReason::WouldCross)
        }
        OrderKind::Limit(TimeInForce::Fok)
            if !book.fillable(
                order.side,
                order.price,
                order.quantity,
                FILLS_PER_COMMAND_MAX,
            ) =>
        {
            Err(RejectReason::NotFillable)
        }
        _ => Ok(()),
    }
}

/// Why the remainder of an order does not come to rest; `None`: it does.
///
/// An order that was stopped by the fill limit still crosses the book, so it cannot rest.
fn why_not_resting(kind: OrderKind, taken: &Taken) -> Option<DoneReason> {
    if taken.capped {
        Some(DoneReason::FillLimit)
    } else if kind.rests() {
        None
    } else {
        Some(DoneReason::Unfilled)
    }
}

/// What an order of this size pays with, at most: the asset and the exact amount.
pub(crate) const fn needed(
    spec: &MarketSpec,
    side: Side,
    price: Ticks,
    quantity: BaseLots,
) -> (AssetId, Atoms) {
    match side {
        Side::Bid => (spec.quote, spec.factors.notional(price, quantity)),
        Side::Ask => (spec.base, spec.factors.base(quantity)),
    }
}

/// A fill becomes a movement of balances, and an event.
fn settle<F: Funds>(
    spec: &MarketSpec,
    funds: &mut F,
    sequence: SequenceNumber,
    order: &Place,
    taker: &Party,
    fill: &MakerFill,
) -> EventRecord {
    let maker = &fill.maker;
    let fees = funds.settle(
        spec,
        &Trade {
            taker_side: order.side,
            price: maker.price,
            quantity: fill.quantity,
            maker: maker.account,
            taker: taker.account,
        },
    );
    if maker.remaining.is_zero() {
        funds.order_closed(maker.account);
    }
    EventRecord::from(&Fill {
        sequence,
        market: order.market,
        taker_side: order.side,
        price: maker.price,
        quantity: fill.quantity,
        maker: owner(maker),
        taker: *taker,
        maker_remaining: maker.remaining,
        maker_fee: fees.maker_fee,
        taker_fee: fees.taker_fee,
    })
}

fn cancel<V: StateView>(
    view: &mut V,
    context: Context,
    target: CancelTarget,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let market_id = match target {
        CancelTarget::Order(order_id) => order_id.market(),
        CancelTarget::Client { market, .. } => market,
    };
    let market = view.market(market_id).ok_or(RejectReason::UnknownMarket)?;
    let order_id = match target {
        CancelTarget::Order(order_id) => Some(order_id),
        CancelTarget::Client {
            client_order_id, ..
        } => market.book.labelled(context.account, client_order_id),
    };
    let order = order_id
        .and_then(|order_id| market.book.order(order_id))
        .filter(|order| order.account == context.account)
        .ok_or(RejectReason::OrderNotFound)?;
    let MarketView { spec, book, funds } = market;
    book.cancel(order.order_id);
    let_go(spec, funds, &order);
    let reason = DoneReason::Cancelled;
    events.push(done_event(
        context.sequence,
        market_id,
        &order,
        reason,
        true,
    ));
    Ok(Accepted {
        affected: 1,
        lots: order.remaining,
    })
}

/// Markets in the order of their ids; within a market oldest first.
fn cancel_all<V: StateView>(
    view: &mut V,
    context: Context,
    scope: CancelScope,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let markets = match scope.market {
        Some(market) if market.get() >= view.market_count() => {
            return Err(RejectReason::UnknownMarket);
        }
        Some(market) => market.get()..market.get() + 1,
        None => 0..view.market_count(),
    };
    let mut affected = 0;
    for id in markets.map(MarketId::new) {
        let MarketView { spec, book, funds } = view.market(id).expect("compared with the count");
        affected += book.cancel_all(context.account, scope.side, |order| {
            let_go(spec, funds, order);
            let reason = DoneReason::Cancelled;
            events.push(done_event(context.sequence, id, order, reason, true));
        });
    }
    Ok(Accepted {
        affected,
        lots: BaseLots::ZERO,
    })
}

/// Ends the hold of an order that leaves its book without filling.
fn let_go<F: Funds>(spec: &MarketSpec, funds: &mut F, order: &RestingOrder) {
    let (asset, amount) = needed(spec, order.side, order.price, order.remaining);
    funds.release(order.account, asset, amount);
    funds.order_closed(order.account);
}

fn transfer<V: StateView>(
    view: &mut V,
    context: Context,
    movement: &Transfer,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let funds = view.funds();
    if !funds.contains(movement.to) {
        return Err(RejectReason::UnknownAccount);
    }
    if !funds.lists(movement.asset) {
        return Err(RejectReason::UnknownAsset);
    }
    if movement.amount.is_zero() {
        return Err(RejectReason::ZeroQuantity);
    }
    if !funds.covers(context.account, movement.asset, movement.amount) {
        return Err(RejectReason::InsufficientFunds);
    }
    if movement.to == context.account {
        return Err(RejectReason::SelfTransfer);
    }
    funds.transfer(
        context.account,
        movement.to,
        movement.asset,
        movement.amount,
    );
    events.push(EventRecord::from(&Transferred {
        sequence: context.sequence,
        from: context.account,
        to: movement.to,
        asset: movement.asset,
        amount: movement.amount,
    }));
    Ok(Accepted {
        affected: 0,
        lots: BaseLots::ZERO,
    })
}

const fn owner(order: &RestingOrder) -> Party {
    Party {
        account: order.account,
        order_id: order.order_id,
        client_order_id: order.client_order_id,
    }
}

const fn resting(order: &Place, owner: &Party, remaining: BaseLots) -> RestingOrder {
    RestingOrder {
        order_id: owner.order_id,
        account: owner.account,
        client_order_id: owner.client_order_id,
        side: order.side,
        price: order.price,
        remaining,
    }
}

fn rested_event(context: Context, order: &Place, owner: Party, quantity: BaseLots) -> EventRecord {
    EventRecord::from(&Rested {
        sequence: context.sequence,
        market: order.market,
        side: order.side,
        price: order.price,
        quantity,
        owner,
    })
}

fn done_event(
    sequence: SequenceNumber,
    market: MarketId,
    order: &RestingOrder,
    reason: DoneReason,
    rested: bool,
) -> EventRecord {
    EventRecord::from(&Done {
        sequence,
        market,
        side: order.side,
        reason,
        price: order.price,
        remaining: order.remaining,
        owner: owner(order),
        rested,
    })
}
