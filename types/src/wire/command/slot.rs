//! One slot at a time: what its fields mean, in both directions.

use zerocopy::little_endian::{U16, U32, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{LEVELS_PER_SLOT, SLOT_LENGTH};
use crate::command::{
    ApproveAgent, Cancel, CancelScope, Crossing, Immediate, MarketStatus, OrderKind, OrderTarget,
    Place, PriceRange, ProtectionLimits, QuoteLevel, QuoteSet, Replace, Resting, SelfTrade, Send,
    SetMarketStatus, SetProtection, StopLeg, TimeInForce, Transfer, Withdraw,
};
use crate::genesis::OwnerAddress;
use crate::inbox::{InboxEntry, InboxKind};
use crate::keys::SessionPolicy;
use crate::limits::{PRICE_TICKS_MAX, QUOTE_LEVELS_MAX};
use crate::wire::{side, trigger};
use crate::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, KeyId, LogTime, MarketId, OrderId,
    Ticks,
};

/// The first slot of a command, or, before that is known, any slot.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub(in crate::wire) struct Slot {
    pub(super) operation: u8,
    side: u8,
    kind: u8,
    time_in_force: u8,
    market: U16,
    asset: U16,
    a: U64,
    b: U64,
    c: U64,
}

/// The second slot of a place that says more than one slot can.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub(super) struct PlaceTail {
    expires_at: U64,
    display: U64,
    trigger_price: U32,
    stop_trigger: U32,
    stop_limit: U32,
    trigger_condition: u8,
    self_trade: u8,
    stop_self_trade: u8,
    flags: u8,
}

/// The second slot of a protection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub(super) struct ProtectionTail {
    notional: U128,
    reserved: U128,
}

/// The second slot of what names an address.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub(super) struct AddressTail {
    address: OwnerAddress,
    account: U32,
    reserved: U64,
}

const _: () = assert!(size_of::<AddressTail>() == SLOT_LENGTH);
const _: () = assert!(size_of::<Slot>() == SLOT_LENGTH);
const _: () = assert!(size_of::<PlaceTail>() == SLOT_LENGTH);
const _: () = assert!(size_of::<ProtectionTail>() == SLOT_LENGTH);
// The highest legal price and the one above it can be said in 32 bits.
const _: () = assert!(PRICE_TICKS_MAX < u32::MAX as u64);
const _: () = assert!(QUOTE_LEVELS_MAX <= u8::MAX as usize);

const PLACE: u8 = 1;
const CANCEL: u8 = 2;
const CANCEL_CLIENT: u8 = 3;
const CANCEL_ALL: u8 = 4;
const TRANSFER: u8 = 5;
pub(super) const PLACE_EXTENDED: u8 = 6;
const REPLACE: u8 = 7;
pub(super) const QUOTE_SET: u8 = 8;
pub(super) const SET_PROTECTION: u8 = 9;
const SET_MARKET_STATUS: u8 = 10;
const SET_SESSION_POLICY: u8 = 11;
const SET_TIMER: u8 = 12;
const REVOKE_KEY: u8 = 13;
pub(super) const REGISTER: u8 = 14;
pub(super) const REVOKE: u8 = 15;
const SET_TIMER_AT: u8 = 16;
pub(super) const SEND: u8 = 17;
const WITHDRAW: u8 = 18;
const OPEN_SUB_ACCOUNT: u8 = 19;
pub(super) const APPROVE_AGENT: u8 = 20;
pub(super) const INBOX: u8 = 21;

const KIND_LIMIT: u8 = 0;
const KIND_POST_ONLY: u8 = 1;
const KIND_POST_ONLY_SLIDING: u8 = 2;
const KIND_MARKET: u8 = 3;
const RESTS: u8 = 0;
const IMMEDIATE_OR_CANCEL: u8 = 1;
const FILL_OR_KILL: u8 = 2;
const BY_ID: u8 = 0;
const BY_LABEL: u8 = 1;
const BOTH_SIDES: u8 = 255;
const ALL_MARKETS: u16 = u16::MAX;
/// There is a stop beside the order.
const HAS_STOP: u8 = 1;
/// The order is protected.
const PROTECTED: u8 = 1 << 1;
/// A session policy takes orders off that have no expiry.
const GOOD_TILL_CANCELLED: u8 = 1;
/// A session policy takes all orders of the account off.
const WHOLE_ACCOUNT: u8 = 1 << 1;

/// Whether an order says more than one slot can.
pub(super) const fn is_extended(place: &Place) -> bool {
    let plain = match place.kind.resting() {
        Some(resting) => resting.is_plain(),
        None => true,
    };
    !plain || place.trigger.is_some() || !matches!(place.self_trade, SelfTrade::Allow)
}

/// Decoding. What a command does not use is not looked at.
impl Slot {
    /// A command of one slot.
    pub(super) fn command(&self) -> Option<Command<'static>> {
        Some(match self.operation {
            PLACE => Command::Place(self.place(Resting::PLAIN)?),
            CANCEL => Command::Cancel(Cancel::Order(OrderId::new(self.a.get()))),
            CANCEL_CLIENT => Command::Cancel(Cancel::Client {
                market: MarketId::new(self.market.get()),
                client_order_id: ClientOrderId::new(self.c.get()),
                remember_until: LogTime::new(self.a.get()),
            }),
            CANCEL_ALL => Command::CancelAll(self.cancel_scope()?),
            TRANSFER => Command::Transfer(Transfer {
                to: AccountId::new(u32::try_from(self.a.get()).ok()?),
                asset: AssetId::new(self.asset.get()),
                amount: self.amount(),
            }),
            SET_TIMER_AT => Command::SetTimerAt(LogTime::new(self.a.get())),
            WITHDRAW => Command::Withdraw(Withdraw {
                asset: AssetId::new(self.asset.get()),
                amount: self.amount(),
            }),
            OPEN_SUB_ACCOUNT => Command::OpenSubAccount,
            REPLACE => Command::Replace(self.replace()?),
            SET_MARKET_STATUS => Command::SetMarketStatus(SetMarketStatus {
                market: MarketId::new(self.market.get()),
                status: MarketStatus::from_code(self.kind)?,
            }),
            SET_SESSION_POLICY => Command::SetSessionPolicy(SessionPolicy {
                silence_ns: self.a.get(),
                good_till_cancelled: self.kind & GOOD_TILL_CANCELLED != 0,
                whole_account: self.kind & WHOLE_ACCOUNT != 0,
            }),
            SET_TIMER => Command::SetTimer(self.a.get()),
            REVOKE_KEY => Command::RevokeKey(KeyId::new(u32::try_from(self.a.get()).ok()?)),
            _ => return None,
        })
    }

    /// A command that names an address in the slot behind this one.
    #[cold]
    #[inline(never)]
    pub(super) fn of_address(&self, tail: &AddressTail) -> Option<Command<'static>> {
        let asset = AssetId::new(self.asset.get());
        Some(match self.operation {
            SEND => Command::Send(Send {
                to: tail.address,
                asset,
                amount: self.amount(),
            }),
            APPROVE_AGENT => Command::ApproveAgent(ApproveAgent {
                agent: tail.address,
                name: self.amount().get().to_le_bytes(),
                expires_at: LogTime::new(self.a.get()),
            }),
            INBOX => Command::Inbox(InboxEntry {
                index: self.a.get(),
                kind: InboxKind::from_code(self.kind)?,
                owner: tail.address,
                account: AccountId::new(tail.account.get()),
                asset,
                amount: self.amount(),
            }),
            _ => return None,
        })
    }

    /// The number of 128 bits in `b` and `c`.
    const fn amount(&self) -> Atoms {
        Atoms::new(self.b.get() as u128 | (self.c.get() as u128) << u64::BITS)
    }

    fn place(&self, resting: Resting) -> Option<Place> {
        Some(Place {
            market: MarketId::new(self.market.get()),
            side: side(self.side)?,
            kind: self.order_kind(resting)?,
            price: Ticks::new(self.a.get()),
            quantity: BaseLots::new(self.b.get()),
            client_order_id: ClientOrderId::new(self.c.get()),
            self_trade: SelfTrade::Allow,
            trigger: None,
        })
    }

    fn order_kind(&self, resting: Resting) -> Option<OrderKind> {
        let immediate = match self.time_in_force {
            RESTS => None,
            IMMEDIATE_OR_CANCEL => Some(Immediate::OrCancel),
            FILL_OR_KILL => Some(Immediate::OrKill),
            _ => return None,
        };
        Some(match (self.kind, immediate) {
            (KIND_LIMIT, None) => OrderKind::Limit(TimeInForce::Rest(resting)),
            (KIND_LIMIT, Some(how)) => OrderKind::Limit(TimeInForce::Immediate(how)),
            (KIND_POST_ONLY, None) => OrderKind::PostOnly(Crossing::Reject, resting),
            (KIND_POST_ONLY_SLIDING, None) => OrderKind::PostOnly(Crossing::Slide, resting),
            (KIND_MARKET, Some(how)) => OrderKind::Market(how),
            _ => return None,
        })
    }

    pub(super) fn extended_place(&self, tail: &PlaceTail) -> Option<Place> {
        let price = |ticks: U32| Ticks::new(ticks.get().into());
        let stop = StopLeg {
            trigger: price(tail.stop_trigger),
            limit: price(tail.stop_limit),
            self_trade: SelfTrade::from_code(tail.stop_self_trade)?,
        };
        let resting = Resting {
            expires_at: LogTime::new(tail.expires_at.get()),
            display: BaseLots::new(tail.display.get()),
            stop: (tail.flags & HAS_STOP != 0).then_some(stop),
            protected: tail.flags & PROTECTED != 0,
        };
        Some(Place {
            self_trade: SelfTrade::from_code(tail.self_trade)?,
            trigger: trigger(tail.trigger_condition, price(tail.trigger_price))?,
            ..self.place(resting)?
        })
    }

    pub(super) fn protection(&self, tail: &ProtectionTail) -> SetProtection {
        SetProtection {
            market: MarketId::new(self.market.get()),
            group: self.kind,
            limits: ProtectionLimits {
                window_ns: self.a.get(),
                fills: self.b.get(),
                lots: BaseLots::new(self.c.get()),
                notional: Atoms::new(tail.notional.get()),
            },
        }
    }

    fn cancel_scope(&self) -> Option<CancelScope> {
        Some(CancelScope {
            market: match self.market.get() {
                ALL_MARKETS => None,
                market => Some(MarketId::new(market)),
            },
            side: match self.side {
                BOTH_SIDES => None,
                one => Some(side(one)?),
            },
            prices: PriceRange::new(Ticks::new(self.a.get()), Ticks::new(self.b.get())),
        })
    }

    fn replace(&self) -> Option<Replace> {
        let target = match self.kind {
            BY_ID => OrderTarget::Order(OrderId::new(self.a.get())),
            BY_LABEL => OrderTarget::Client {
                market: MarketId::new(self.market.get()),
                client_order_id: ClientOrderId::new(self.a.get()),
            },
            _ => return None,
        };
        Some(Replace {
            target,
            price: Ticks::new(self.b.get()),
            quantity: BaseLots::new(self.c.get()),
            may_take: match self.side {
                0 => false,
                1 => true,
                _ => return None,
            },
            self_trade: SelfTrade::from_code(self.time_in_force)?,
        })
    }

    /// A quote set whose levels are in the slots behind this one, and what follows them.
    pub(super) fn quote_set<'a>(&self, behind: &'a [Self]) -> Option<(QuoteSet<'a>, &'a [Self])> {
        let (bids, asks) = (usize::from(self.side), usize::from(self.kind));
        if bids > QUOTE_LEVELS_MAX || asks > QUOTE_LEVELS_MAX {
            return None;
        }
        let (own, behind) = behind.split_at_checked((bids + asks).div_ceil(LEVELS_PER_SLOT))?;
        let levels = <[QuoteLevel]>::ref_from_bytes(own.as_bytes()).expect("two fill a slot");
        let (bids, levels) = levels.split_at(bids);
        let set = QuoteSet {
            market: MarketId::new(self.market.get()),
            number: self.a.get(),
            bids,
            asks: &levels[..asks],
        };
        Some((set, behind))
    }
}

/// Encoding.
impl Slot {
    const EMPTY: Self = Self {
        operation: 0,
        side: 0,
        kind: 0,
        time_in_force: 0,
        market: U16::ZERO,
        asset: U16::ZERO,
        a: U64::ZERO,
        b: U64::ZERO,
        c: U64::ZERO,
    };

    /// The first slot of a command, which for most is all of it.
    pub(super) fn first_of(command: &Command<'_>) -> Self {
        match command {
            Command::Place(place) => Self::of_place(place),
            Command::Replace(replace) => Self::of_replace(replace),
            Command::QuoteSet(set) => Self::of_quote_set(set),
            Command::Cancel(cancel) => Self::of_cancel(*cancel),
            Command::CancelAll(scope) => Self {
                operation: CANCEL_ALL,
                side: scope.side.map_or(BOTH_SIDES, |side| side as u8),
                market: U16::new(scope.market.map_or(ALL_MARKETS, MarketId::get)),
                a: U64::new(scope.prices.map_or(0, |prices| prices.low().get())),
                b: U64::new(scope.prices.map_or(0, |prices| prices.high().get())),
                ..Self::EMPTY
            },
            Command::Transfer(transfer) => Self {
                operation: TRANSFER,
                asset: U16::new(transfer.asset.get()),
                a: U64::new(u64::from(transfer.to.get())),
                ..Self::of_amount(transfer.amount.get())
            },
            Command::SetTimerAt(_)
            | Command::Send(_)
            | Command::Withdraw(_)
            | Command::OpenSubAccount
            | Command::ApproveAgent(_)
            | Command::Inbox(_) => Self::of_owners(command),
            Command::SetProtection(protection) => Self {
                operation: SET_PROTECTION,
                kind: protection.group,
                market: U16::new(protection.market.get()),
                a: U64::new(protection.limits.window_ns),
                b: U64::new(protection.limits.fills),
                c: U64::new(protection.limits.lots.get()),
                ..Self::EMPTY
            },
            Command::SetMarketStatus(set) => Self {
                operation: SET_MARKET_STATUS,
                kind: set.status as u8,
                market: U16::new(set.market.get()),
                ..Self::EMPTY
            },
            Command::SetSessionPolicy(policy) => Self {
                operation: SET_SESSION_POLICY,
                kind: flag(policy.good_till_cancelled, GOOD_TILL_CANCELLED)
                    | flag(policy.whole_account, WHOLE_ACCOUNT),
                a: U64::new(policy.silence_ns),
                ..Self::EMPTY
            },
            Command::SetTimer(after_ns) => Self {
                operation: SET_TIMER,
                a: U64::new(*after_ns),
                ..Self::EMPTY
            },
            Command::RevokeKey(key) => Self {
                operation: REVOKE_KEY,
                a: U64::new(key.get().into()),
                ..Self::EMPTY
            },
            Command::Register(_) => Self {
                operation: REGISTER,
                ..Self::EMPTY
            },
            Command::Revoke(_) => Self {
                operation: REVOKE,
                ..Self::EMPTY
            },
        }
    }

    /// The first slot of what owners do, and of what a chain says: seldom, so out of the way of orders.
    #[cold]
    #[inline(never)]
    fn of_owners(command: &Command<'_>) -> Self {
        match command {
            Command::SetTimerAt(time) => Self {
                operation: SET_TIMER_AT,
                a: U64::new(time.get()),
                ..Self::EMPTY
            },
            Command::Send(send) => Self {
                operation: SEND,
                asset: U16::new(send.asset.get()),
                ..Self::of_amount(send.amount.get())
            },
            Command::Withdraw(withdraw) => Self {
                operation: WITHDRAW,
                asset: U16::new(withdraw.asset.get()),
                ..Self::of_amount(withdraw.amount.get())
            },
            Command::OpenSubAccount => Self {
                operation: OPEN_SUB_ACCOUNT,
                ..Self::EMPTY
            },
            Command::ApproveAgent(approval) => Self {
                operation: APPROVE_AGENT,
                a: U64::new(approval.expires_at.get()),
                ..Self::of_amount(u128::from_le_bytes(approval.name))
            },
            Command::Inbox(entry) => Self {
                operation: INBOX,
                kind: entry.kind as u8,
                asset: U16::new(entry.asset.get()),
                a: U64::new(entry.index),
                ..Self::of_amount(entry.amount.get())
            },
            _ => unreachable!("of traders"),
        }
    }

    /// A number of 128 bits in `b` and `c`, and nothing else.
    const fn of_amount(amount: u128) -> Self {
        Self {
            b: U64::new(amount as u64),
            c: U64::new((amount >> u64::BITS) as u64),
            ..Self::EMPTY
        }
    }

    fn of_place(place: &Place) -> Self {
        let (kind, time_in_force) = match place.kind {
            OrderKind::Limit(TimeInForce::Rest(_)) => (KIND_LIMIT, RESTS),
            OrderKind::Limit(TimeInForce::Immediate(how)) => (KIND_LIMIT, immediate_code(how)),
            OrderKind::PostOnly(Crossing::Reject, _) => (KIND_POST_ONLY, RESTS),
            OrderKind::PostOnly(Crossing::Slide, _) => (KIND_POST_ONLY_SLIDING, RESTS),
            OrderKind::Market(how) => (KIND_MARKET, immediate_code(how)),
        };
        let extended = is_extended(place);
        Self {
            operation: if extended { PLACE_EXTENDED } else { PLACE },
            side: place.side as u8,
            kind,
            time_in_force,
            market: U16::new(place.market.get()),
            asset: U16::ZERO,
            a: U64::new(place.price.get()),
            b: U64::new(place.quantity.get()),
            c: U64::new(place.client_order_id.get()),
        }
    }

    fn of_cancel(cancel: Cancel) -> Self {
        match cancel {
            Cancel::Order(order_id) => Self {
                operation: CANCEL,
                a: U64::new(order_id.get()),
                ..Self::EMPTY
            },
            Cancel::Client {
                market,
                client_order_id,
                remember_until,
            } => Self {
                operation: CANCEL_CLIENT,
                market: U16::new(market.get()),
                a: U64::new(remember_until.get()),
                c: U64::new(client_order_id.get()),
                ..Self::EMPTY
            },
        }
    }

    fn of_replace(replace: &Replace) -> Self {
        let (kind, market, order) = match replace.target {
            OrderTarget::Order(order_id) => (BY_ID, 0, order_id.get()),
            OrderTarget::Client {
                market,
                client_order_id,
            } => (BY_LABEL, market.get(), client_order_id.get()),
        };
        Self {
            operation: REPLACE,
            side: u8::from(replace.may_take),
            kind,
            time_in_force: replace.self_trade as u8,
            market: U16::new(market),
            a: U64::new(order),
            b: U64::new(replace.price.get()),
            c: U64::new(replace.quantity.get()),
            ..Self::EMPTY
        }
    }

    fn of_quote_set(set: &QuoteSet<'_>) -> Self {
        let count = |levels: &[QuoteLevel]| {
            assert!(levels.len() <= QUOTE_LEVELS_MAX, "too many quotes a side");
            levels.len() as u8
        };
        Self {
            operation: QUOTE_SET,
            side: count(set.bids),
            kind: count(set.asks),
            market: U16::new(set.market.get()),
            a: U64::new(set.number),
            ..Self::EMPTY
        }
    }
}

impl From<&Place> for PlaceTail {
    /// Panics on a trigger or stop price beyond 32 bits: the highest legal one is far below.
    fn from(place: &Place) -> Self {
        let resting = place.kind.resting().unwrap_or(Resting::PLAIN);
        let price = |ticks: Ticks| {
            U32::new(u32::try_from(ticks.get()).expect("trigger prices have 32 bits"))
        };
        let (condition, trigger_price) = match place.trigger {
            Some(trigger) => (trigger.condition as u8, trigger.price),
            None => (0, Ticks::ZERO),
        };
        let (has_stop, stop) = match resting.stop {
            Some(stop) => (HAS_STOP, stop),
            None => (0, NO_STOP),
        };
        Self {
            expires_at: U64::new(resting.expires_at.get()),
            display: U64::new(resting.display.get()),
            trigger_price: price(trigger_price),
            stop_trigger: price(stop.trigger),
            stop_limit: price(stop.limit),
            trigger_condition: condition,
            self_trade: place.self_trade as u8,
            stop_self_trade: stop.self_trade as u8,
            flags: has_stop | if resting.protected { PROTECTED } else { 0 },
        }
    }
}

/// What the fields of a stop hold where there is none.
const NO_STOP: StopLeg = StopLeg {
    trigger: Ticks::ZERO,
    limit: Ticks::ZERO,
    self_trade: SelfTrade::Allow,
};

impl From<&SetProtection> for ProtectionTail {
    fn from(protection: &SetProtection) -> Self {
        Self {
            notional: U128::new(protection.limits.notional.get()),
            reserved: U128::ZERO,
        }
    }
}

impl AddressTail {
    /// The second slot of a command that names an address.
    pub(super) const fn of(command: &Command<'_>) -> Option<Self> {
        let (address, account) = match command {
            Command::Send(send) => (send.to, 0),
            Command::ApproveAgent(approval) => (approval.agent, 0),
            Command::Inbox(entry) => (entry.owner, entry.account.get()),
            _ => return None,
        };
        Some(Self {
            address,
            account: U32::new(account),
            reserved: U64::ZERO,
        })
    }
}

const fn flag(is_set: bool, flag: u8) -> u8 {
    if is_set { flag } else { 0 }
}

const fn immediate_code(how: Immediate) -> u8 {
    match how {
        Immediate::OrCancel => IMMEDIATE_OR_CANCEL,
        Immediate::OrKill => FILL_OR_KILL,
    }
}
