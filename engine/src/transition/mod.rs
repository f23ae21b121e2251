//! What every command means: the only place where a command changes state.
//!
//! `docs/ORDERS.md` says the same in words. Each command is checked flat and in the order of the
//! reject numbers, then decided, then applied; a rejected command has no effect at all. Funds are
//! held by the same integer products that settlement moves, so that an accepted order can never
//! fail to settle:
//!
//! - A bid needs price x size of quote, an ask its size of base, free, at the moment of entry.
//! - What fills at once is paid from free at the maker's price (never worse than the limit).
//! - What rests or is armed is held at the limit. Both products are exact and linear in the size,
//!   so partial fills and cancels release exactly what the remainder no longer needs.
//! - An order with a stop beside it is held at the worse of both prices, and each fill at the better
//!   one releases the difference.
//! - Fees are taken from what a fill brings in, never from what was held.
//!
//! | file | means |
//! |---|---|
//! | `place` | a new order: every reason to refuse it |
//! | `enter` | an order meets the book, rests or ends, and sets off armed orders |
//! | `replace` | an open order changes |
//! | `quote_set` | all quotes of an account in a market change at once |
//! | `cancel` | orders are taken off |
//! | `tick` | logged time takes orders off, and moves what hangs on it |
//! | `status` | markets open and close, one or all of them |
//! | `uncross` | an auction ends: orders that rest trade with each other |
//! | `protect` | accounts limit their quotes; quotes are pulled |
//! | `permit` | what keys may do, and what they have done |
//! | `absence` | keys come and go; orders are taken off when nobody is there |
//! | `limits` | what a market demands of orders beyond the protocol: size, status, band |
//! | `transfer` | funds move |
//! | `edge` | accounts are opened, funds come in and leave |
//! | `agent` | other wallets may trade for an account |
//! | `events` | what is told of all that |

mod absence;
mod agent;
mod cancel;
mod edge;
mod enter;
mod events;
mod limits;
mod permit;
mod place;
mod protect;
mod quote_set;
mod replace;
mod status;
mod tick;
mod transfer;
mod uncross;

use types::command::StopLeg;
use types::genesis::MarketSpec;
use types::outcome::{BlockOutcome, EventRecord, Receipt};
use types::planted::{Bug, is_planted, wall_clock};
use types::{
    AccountId, AssetId, Atoms, BaseLots, Command, KeyId, LogTime, RejectReason, SequenceNumber,
    Side, Ticks,
};

use crate::view::StateView;
use crate::watch::Author;

pub(crate) use status::phase;
pub(crate) use tick::tick;

/// Who asks, when, and at which position of the total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The account that signed.
    pub account: AccountId,
    /// With which key.
    pub key: KeyId,
    /// The command's position.
    pub sequence: SequenceNumber,
    /// Logged time.
    pub now: LogTime,
}

impl Context {
    /// Whether logged time has reached an expiry; zero is none. An order whose time is over is as
    /// good as gone, even if a tick had no room for it.
    fn is_over(&self, expires_at: LogTime) -> bool {
        let now = match is_planted(Bug::WallClock) {
            true => wall_clock(),
            false => self.now,
        };
        expires_at != LogTime::ZERO && expires_at <= now
    }
}

/// Executes one command: changes `view`, appends events and exactly one receipt to `outcome`.
pub fn apply<V: StateView>(
    view: &mut V,
    context: Context,
    command: &Command<'_>,
    outcome: &mut BlockOutcome,
) {
    let events = &mut outcome.events;
    let told = events.len();
    let watched = view.watches();
    let result = match permit::check(view, context, command) {
        Ok(()) => execute(view, context, command, events),
        Err(reason) => Err(reason),
    };
    if let Some(market) = command.market()
        && market.get() < view.market_count()
        && view.protections(market).has_tripped()
    {
        protect::pull_groups(view, market, context.sequence, events);
    }
    if (watched || view.watches()) && told < events.len() {
        permit::follow(view, author(view, context), told, events);
    }
    outcome.receipts.push(match result {
        Ok(accepted) => Receipt::accepted(context.sequence, accepted.affected, accepted.lots),
        Err(reason) => Receipt::rejected(context.sequence, reason),
    });
}

/// No session of a key is heard any more.
pub(crate) fn silence<V: StateView>(
    view: &mut V,
    key: KeyId,
    (sequence, now): (SequenceNumber, LogTime),
    events: &mut Vec<EventRecord>,
) {
    let told = events.len();
    absence::silence(view, key, (sequence, now), events);
    permit::follow(view, nobody(sequence, now), told, events);
}

/// Who is told of the events of a command.
fn author<V: StateView>(view: &V, context: Context) -> Author {
    Author {
        key: context.key,
        sequence: context.sequence,
        now: context.now,
        is_watched: view.is_watched(context.key),
        is_budgeted: view
            .key_status(context.key)
            .is_some_and(|status| status.grant.is_budgeted()),
    }
}

/// What happens by itself places no orders.
const fn nobody(sequence: SequenceNumber, now: LogTime) -> Author {
    Author {
        key: KeyId::WALLET,
        sequence,
        now,
        is_watched: false,
        is_budgeted: false,
    }
}

fn execute<V: StateView>(
    view: &mut V,
    context: Context,
    command: &Command<'_>,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    match command {
        Command::Place(order) => place::place(view, context, order, events),
        Command::Replace(replace) => replace::replace(view, context, replace, events),
        Command::QuoteSet(set) => quote_set::quote_set(view, context, set, events),
        Command::Cancel(cancel) => cancel::cancel(view, context, *cancel, events),
        Command::CancelAll(scope) => cancel::cancel_all(view, context, *scope, events),
        Command::Transfer(movement) => transfer::transfer(view, context, movement, events),
        Command::SetProtection(set) => protect::set_protection(view, context, set),
        Command::SetMarketStatus(set) => status::set_status(view, context, set, events),
        Command::SetSessionPolicy(policy) => absence::set_policy(view, context, *policy, events),
        Command::SetTimer(after_ns) => absence::set_timer(view, context, *after_ns),
        Command::SetTimerAt(time) => absence::set_timer_at(view, context, *time),
        Command::Send(send) => edge::send(view, context, send, events),
        Command::Withdraw(withdraw) => edge::withdraw(view, context, *withdraw, events),
        Command::OpenSubAccount => edge::open_sub_account(view, context, events),
        Command::ApproveAgent(approval) => agent::approve(view, context, approval, events),
        Command::Inbox(entry) => edge::inbox(view, context, entry, events),
        Command::RevokeKey(key) => absence::revoke(view, context, Some(*key), events),
        Command::Register(registration) => absence::register(view, context, registration, events),
        Command::Revoke(revocation) => {
            let key = view.ledger_mut().key_by_public(&revocation.key());
            absence::revoke(view, context, key, events)
        }
    }
}

/// What the receipt of an accepted command says.
#[derive(Clone, Copy, Debug, Default)]
struct Accepted {
    affected: u32,
    lots: BaseLots,
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

/// What is held of an order of this size at rest or armed, with its stop: the asset and the exact
/// amount, at the worse of both prices.
pub(crate) fn held(
    spec: &MarketSpec,
    side: Side,
    (price, stop): (Ticks, Option<StopLeg>),
    quantity: BaseLots,
) -> (AssetId, Atoms) {
    let price = match (side, stop) {
        (Side::Bid, Some(stop)) => price.max(stop.limit),
        _ => price,
    };
    needed(spec, side, price, quantity)
}
