//! Replies and events as JSON: ids to names, ticks and lots to decimal texts.

use serde_json::{Value, json};
use types::command::{Command, MarketStatus, OrderTarget, QuoteSet, SelfTrade, TriggerCondition};
use types::genesis::{MarketSpec, Step};
use types::inbox::InboxKind;
use types::limits::{OPEN_ORDERS_PER_ACCOUNT_MAX, QUOTE_LEVELS_MAX};
use types::wire::ack::{Ack, CommandOutcome, FillReport, Role};
use types::wire::ended::EndedReport;
use types::wire::query::{BalanceRecord, IndicativePrice, MarketState, OpenOrder, Reference};
use types::{
    AccountId, ClientOrderId, MarketId, Nonce, OrderId, RejectReason, SequenceNumber, Side,
};

/// Input that is no command, and was not sent.
pub(super) fn not_sent(reason: RejectReason, detail: &str) -> Value {
    json!({"status": "rejected", "reason": reason.name(), "detail": detail})
}

/// A request that was refused before it was sequenced.
pub(super) fn refused(reason: RejectReason, nonce: Option<Nonce>) -> Value {
    json!({
        "status": "rejected",
        "reason": reason.name(),
        "transient": reason.is_transient(),
        "nonce": nonce.map(Nonce::get),
    })
}

/// A request whose answer was lost.
pub(super) fn lost(reason: &str, nonce: Option<Nonce>) -> Value {
    json!({"status": "unknown", "reason": reason, "nonce": nonce.map(Nonce::get)})
}

/// A nonce that the node knows nothing of.
pub(super) fn unknown_nonce(nonce: Nonce) -> Value {
    json!({"status": "unknown", "nonce": nonce.get()})
}

/// The answer to a frame of one command. `fills` are what that took, as [`fill`] writes them.
pub(super) fn executed(
    reference: &Reference,
    ack: &Ack<'_>,
    command: &Command<'_>,
    fills: Vec<Value>,
) -> Value {
    let mut reply = acknowledged(ack);
    let Some(outcome) = ack.outcomes.first().filter(|_| rejection(ack).is_none()) else {
        return reply;
    };
    match command {
        Command::Place(place) => {
            let order_id = OrderId::new_at(ack.first_sequence, place.market, 0);
            reply["order_id"] = json!(order_id.get());
            reply["filled"] = filled(reference, place.market, outcome);
            reply["fills"] = json!(fills);
        }
        Command::Replace(replace) => {
            reply["filled"] = filled(reference, replace.target.market(), outcome);
            reply["fills"] = json!(fills);
        }
        Command::QuoteSet(set) => {
            reply["new_order_ids"] = new_order_ids(set, ack.first_sequence);
        }
        Command::Cancel(_) | Command::CancelAll(_) | Command::RevokeKey(_) | Command::Revoke(_) => {
            reply["cancelled"] = json!(outcome.affected());
        }
        Command::SetMarketStatus(set) => {
            reply["trades"] = json!(outcome.affected());
            reply["traded"] = filled(reference, set.market, outcome);
        }
        Command::Register(_) | Command::ApproveAgent(_) => {
            reply["key"] = json!(outcome.affected());
        }
        Command::Send(_) | Command::OpenSubAccount => {
            reply["account"] = json!(outcome.affected());
        }
        Command::Inbox(entry) => match entry.kind {
            InboxKind::Deposit => reply["account"] = json!(outcome.affected()),
            InboxKind::Withdraw | InboxKind::CancelAll => {
                reply["cancelled"] = json!(outcome.affected());
            }
        },
        Command::Transfer(_)
        | Command::SetProtection(_)
        | Command::SetSessionPolicy(_)
        | Command::SetTimer(_)
        | Command::SetTimerAt(_)
        | Command::Withdraw(_) => {}
    }
    reply
}

/// What became of a nonce; with a market, also the order that it placed there.
pub(super) fn outcome(ack: &Ack<'_>, market: Option<MarketId>) -> Value {
    let mut reply = acknowledged(ack);
    if ack.refused.is_none() {
        let outcomes = ack.outcomes.iter();
        let outcomes: Vec<Value> = outcomes
            .map(|outcome| match outcome.reject_reason() {
                Some(reason) => json!({"reason": reason.name()}),
                None => json!({"affected": outcome.affected(), "lots": outcome.lots().get()}),
            })
            .collect();
        reply["outcomes"] = json!(outcomes);
    }
    if let (Some(market), None) = (market, rejection(ack)) {
        let order_id = OrderId::new_at(ack.first_sequence, market, 0);
        reply["order_id"] = json!(order_id.get());
    }
    reply
}

/// What all answers to frames have in common.
fn acknowledged(ack: &Ack<'_>) -> Value {
    let times = &ack.times;
    let mut reply = json!({
        "sequence": ack.first_sequence.get(),
        "nonce": ack.nonce.get(),
        "stage_ns": {
            "received_at": times.received_at,
            "sequenced": times.sequenced,
            "executed": times.executed,
            "durable": times.durable,
            "sent": times.sent,
        },
    });
    if ack.repeated {
        reply["repeated"] = json!(true);
    }
    match rejection(ack) {
        Some(reason) => {
            reply["status"] = json!("rejected");
            reply["reason"] = json!(reason.name());
        }
        None => reply["status"] = json!("accepted"),
    }
    reply
}

/// Why the frame, or its first command, was refused.
fn rejection(ack: &Ack<'_>) -> Option<RejectReason> {
    let outcome = ack.outcomes.first();
    ack.refused
        .or_else(|| outcome.and_then(CommandOutcome::reject_reason))
}

fn filled(reference: &Reference, market: MarketId, outcome: &CommandOutcome) -> Value {
    let spec = reference.markets.get(market.index());
    json!(spec.map(|spec| spec.format_quantity(outcome.lots())))
}

/// Ids follow from the place of a level in its set.
fn new_order_ids(set: &QuoteSet<'_>, sequence: SequenceNumber) -> Value {
    let ids = |first: usize, count: usize| -> Vec<u64> {
        let indexes = first as u64..(first + count) as u64;
        let id = |index| OrderId::new_at(sequence, set.market, index).get();
        indexes.map(id).collect()
    };
    json!({
        "bids": ids(0, set.bids.len()),
        "asks": ids(QUOTE_LEVELS_MAX, set.asks.len()),
    })
}

/// Whether a fill is one that the reply to this command tells: what its own order took.
pub(super) fn told_by_reply(
    command: &Command<'_>,
    sequence: SequenceNumber,
    fill: &FillReport,
) -> bool {
    let own = match command {
        Command::Place(place) => fill.order_id() == OrderId::new_at(sequence, place.market, 0),
        Command::Replace(replace) => match replace.target {
            OrderTarget::Order(order_id) => fill.order_id() == order_id,
            OrderTarget::Client {
                market,
                client_order_id,
            } => (fill.market(), fill.client_order_id()) == (market, client_order_id),
        },
        _ => false,
    };
    own && fill.role() == Role::Taker && fill.sequence() == sequence
}

/// A fill, as part of a reply; `None` in a market that is not known.
pub(super) fn fill(reference: &Reference, fill: &FillReport) -> Option<Value> {
    let spec = reference.markets.get(fill.market().index())?;
    let received = match (fill.side(), fill.fee() < 0) {
        (Side::Bid, false) | (Side::Ask, true) => spec.base,
        (Side::Ask, false) | (Side::Bid, true) => spec.quote,
    };
    let asset = reference.assets.get(received.index())?;
    let fee = types::decimal::format(fill.fee().unsigned_abs(), asset.decimals);
    let sign = if fill.fee() < 0 { "-" } else { "" };
    let mut object = json!({
        "sequence": fill.sequence().get(),
        "order_id": fill.order_id().get(),
        "market": spec.symbol.as_str(),
        "side": fill.side().name(),
        "role": fill.role().name(),
        "price": spec.format_price(fill.price()),
        "quantity": spec.format_quantity(fill.quantity()),
        "fee": format!("{sign}{fee}"),
        "fee_asset": asset.symbol.as_str(),
    });
    label(&mut object, fill.client_order_id());
    if fill.in_auction() {
        object["auction"] = json!(true);
    }
    // Of a taker elsewhere it is not known yet what will rest.
    if fill.role() == Role::Maker || fill.in_auction() {
        object["remaining"] = json!(spec.format_quantity(fill.remaining()));
    }
    Some(object)
}

/// A fill that no reply tells: of a resting order, of one that was set off, or of another session
/// of this account.
pub(in super::super) fn fill_event(reference: &Reference, report: &FillReport) -> Option<Value> {
    let mut object = fill(reference, report)?;
    object["event"] = json!("fill");
    Some(object)
}

/// What else happened to an open order.
pub(in super::super) fn ended_event(reference: &Reference, ended: &EndedReport) -> Option<Value> {
    let spec = reference.markets.get(ended.market().index())?;
    let mut object = json!({
        "event": "ended",
        "reason": ended.reason_name(),
        "sequence": ended.sequence().get(),
        "order_id": ended.order_id().get(),
        "market": spec.symbol.as_str(),
        "side": ended.side().name(),
        "price": spec.format_price(ended.price()),
        "quantity": spec.format_quantity(ended.lots()),
        "remaining": spec.format_quantity(ended.remaining()),
    });
    label(&mut object, ended.client_order_id());
    Some(object)
}

fn label(object: &mut Value, client_order_id: ClientOrderId) {
    if !client_order_id.is_none() {
        object["client_order_id"] = json!(client_order_id.get());
    }
}

/// The account's balances.
pub(super) fn balances(
    reference: &Reference,
    account: AccountId,
    sequence: SequenceNumber,
    balances: &[BalanceRecord],
) -> Value {
    let balance = |record: &BalanceRecord| {
        let spec = reference.assets.get(record.asset().index())?;
        Some(json!({
            "asset": spec.symbol.as_str(),
            "free": spec.format(record.free()),
            "held": spec.format(record.held()),
        }))
    };
    let balances: Vec<Value> = balances.iter().filter_map(balance).collect();
    json!({
        "status": "accepted",
        "account": account.get(),
        "sequence": sequence.get(),
        "balances": balances,
    })
}

/// The account's open orders.
pub(super) fn orders(
    reference: &Reference,
    account: AccountId,
    sequence: SequenceNumber,
    orders: &[OpenOrder],
) -> Value {
    let order = |order| self::order(reference, order);
    let orders: Vec<Value> = orders.iter().filter_map(order).collect();
    json!({
        "status": "accepted",
        "account": account.get(),
        "sequence": sequence.get(),
        "orders": orders,
    })
}

fn order(reference: &Reference, order: &OpenOrder) -> Option<Value> {
    let spec = reference.markets.get(order.market.index())?;
    let mut object = json!({
        "order_id": order.order_id.get(),
        "market": spec.symbol.as_str(),
        "side": order.side.name(),
        "price": spec.format_price(order.price),
        "remaining": spec.format_quantity(order.remaining),
        "client_order_id": order.client_order_id.get(),
    });
    let resting = &order.resting;
    if !resting.display.is_zero() {
        object["display"] = json!(spec.format_quantity(resting.display));
    }
    if resting.expires_at.get() > 0 {
        object["expires_at"] = json!(resting.expires_at.get());
    }
    if let Some(trigger) = &order.trigger {
        object["trigger"] = json!({
            "condition": match trigger.condition {
                TriggerCondition::Stop => "stop",
                TriggerCondition::TakeProfit => "take_profit",
            },
            "price": spec.format_price(trigger.price),
        });
    }
    if let Some(stop) = &resting.stop {
        object["stop"] = json!({
            "trigger": spec.format_price(stop.trigger),
            "limit": spec.format_price(stop.limit),
        });
        if stop.self_trade != SelfTrade::Allow {
            object["stop"]["stp"] = json!(stop.self_trade.name());
        }
    }
    if resting.protected {
        object["protected"] = json!(true);
    }
    Some(object)
}

/// All markets.
pub(super) fn markets(reference: &Reference) -> Value {
    let market = |spec| self::market(reference, spec);
    let markets: Vec<Value> = reference.markets.iter().map(market).collect();
    json!({"status": "accepted", "markets": markets})
}

fn market(reference: &Reference, spec: &MarketSpec) -> Value {
    let step = |step: Step| types::decimal::format(u128::from(step.units), step.decimals);
    let mut object = json!({
        "market": spec.symbol.as_str(),
        "tick": step(spec.tick),
        "lot": step(spec.lot),
        "maker_fee_ppm": spec.maker_fee.get(),
        "taker_fee_ppm": spec.taker_fee.get(),
    });
    let limits = &spec.limits;
    if !limits.notional_min.is_zero() {
        let quote = &reference.assets[spec.quote.index()];
        object["min_notional"] = json!(quote.format(limits.notional_min));
    }
    if limits.open_orders_max != OPEN_ORDERS_PER_ACCOUNT_MAX {
        object["max_open_orders"] = json!(limits.open_orders_max);
    }
    if let Some(band) = &limits.band {
        object["price_band_ppm"] = json!(band.width_ppm);
        object["price_band_interval_ms"] = json!(band.interval_ms);
    }
    if limits.status != MarketStatus::Open {
        object["first_status"] = json!(limits.status.name());
    }
    object
}

/// What a market is like at present; `None` if the node does not tell of it.
pub(super) fn market_state(
    reference: &Reference,
    sequence: SequenceNumber,
    market: MarketId,
    states: &[MarketState],
) -> Option<Value> {
    let spec = reference.markets.get(market.index())?;
    let state = states.iter().find(|state| state.market == market)?;
    let mut object = json!({
        "status": "accepted",
        "sequence": sequence.get(),
        "market": spec.symbol.as_str(),
        "market_status": state.status.name(),
    });
    if let Some(last) = state.last {
        object["last"] = json!(spec.format_price(last));
    }
    if let Some(indicative) = &state.indicative {
        object["indicative"] = self::indicative(spec, indicative);
    }
    Some(object)
}

pub(in super::super) fn indicative(spec: &MarketSpec, indicative: &IndicativePrice) -> Value {
    let mut object = json!({
        "price": spec.format_price(indicative.price),
        "quantity": spec.format_volume(indicative.volume),
    });
    if indicative.surplus != 0 {
        let side = if indicative.surplus > 0 {
            Side::Bid
        } else {
            Side::Ask
        };
        object["surplus"] = json!({
            "side": side.name(),
            "quantity": spec.format_volume(indicative.surplus.unsigned_abs()),
        });
    }
    object
}

#[cfg(test)]
mod tests;
