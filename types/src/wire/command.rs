//! One command as a 32-byte slot.
//!
//! Layout, by offset: 0 operation u8, 1 side u8, 2 kind u8, 3 time in force u8, 4 market u16,
//! 6 asset u16, 8 a u64, 16 b u64, 24 c u64. Fields that an operation does not use are zero; a slot
//! that has anything else there is malformed, so each command has exactly one encoding.
//!
//! | operation | side | kind | tif | market | asset | a | b | c |
//! |---|---|---|---|---|---|---|---|---|
//! | 1 place | 0 bid, 1 ask | 0 limit, 1 post-only | 0 GTC, 1 IOC, 2 FOK | market | | price in ticks | quantity in lots | client order id |
//! | 2 cancel | | | | | | order id | | |
//! | 3 cancel by label | | | | market | | | | client order id |
//! | 4 cancel all | 0, 1, or 255 both | | | market, or 65535 all | | | | |
//! | 5 transfer | | | | | asset | receiving account | amount, low half | amount, high half |

use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::command::{CancelScope, CancelTarget, OrderKind, Place, TimeInForce, Transfer};
use crate::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, MarketId, OrderId, Side, Ticks,
};

/// One command on the wire.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Slot {
    operation: u8,
    side: u8,
    kind: u8,
    time_in_force: u8,
    market: U16,
    asset: U16,
    a: U64,
    b: U64,
    c: U64,
}

/// Size of [`Slot`].
pub const SLOT_LENGTH: usize = 32;
const _: () = assert!(size_of::<Slot>() == SLOT_LENGTH);

const PLACE: u8 = 1;
const CANCEL: u8 = 2;
const CANCEL_CLIENT: u8 = 3;
const CANCEL_ALL: u8 = 4;
const TRANSFER: u8 = 5;

const KIND_LIMIT: u8 = 0;
const KIND_POST_ONLY: u8 = 1;
const BOTH_SIDES: u8 = 255;
const ALL_MARKETS: u16 = u16::MAX;

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

    /// The command, or `None` if no command encodes to these bytes.
    pub fn command(&self) -> Option<Command> {
        let command = match self.operation {
            PLACE => Command::Place(Place {
                market: MarketId::new(self.market.get()),
                side: side(self.side)?,
                kind: self.order_kind()?,
                price: Ticks::new(self.a.get()),
                quantity: BaseLots::new(self.b.get()),
                client_order_id: ClientOrderId::new(self.c.get()),
            }),
            CANCEL => Command::Cancel(CancelTarget::Order(OrderId::new(self.a.get()))),
            CANCEL_CLIENT => Command::Cancel(CancelTarget::Client {
                market: MarketId::new(self.market.get()),
                client_order_id: ClientOrderId::new(self.c.get()),
            }),
            CANCEL_ALL => Command::CancelAll(CancelScope {
                market: match self.market.get() {
                    ALL_MARKETS => None,
                    market => Some(MarketId::new(market)),
                },
                side: match self.side {
                    BOTH_SIDES => None,
                    one => Some(side(one)?),
                },
            }),
            TRANSFER => Command::Transfer(Transfer {
                to: AccountId::new(u32::try_from(self.a.get()).ok()?),
                asset: AssetId::new(self.asset.get()),
                amount: Atoms::new(
                    u128::from(self.b.get()) | u128::from(self.c.get()) << u64::BITS,
                ),
            }),
            _ => return None,
        };
        // One encoding per command: whatever the operation does not use must be zero.
        (Self::from(&command) == *self).then_some(command)
    }

    fn order_kind(&self) -> Option<OrderKind> {
        let time_in_force = match self.time_in_force {
            0 => TimeInForce::Gtc,
            1 => TimeInForce::Ioc,
            2 => TimeInForce::Fok,
            _ => return None,
        };
        match self.kind {
            KIND_LIMIT => Some(OrderKind::Limit(time_in_force)),
            KIND_POST_ONLY => Some(OrderKind::PostOnly),
            _ => None,
        }
    }
}

const fn side(code: u8) -> Option<Side> {
    match code {
        0 => Some(Side::Bid),
        1 => Some(Side::Ask),
        _ => None,
    }
}

impl From<&Command> for Slot {
    fn from(command: &Command) -> Self {
        match command {
            Command::Place(place) => {
                let (kind, time_in_force) = match place.kind {
                    OrderKind::Limit(time_in_force) => (KIND_LIMIT, time_in_force as u8),
                    OrderKind::PostOnly => (KIND_POST_ONLY, 0),
                };
                Self {
                    operation: PLACE,
                    side: place.side as u8,
                    kind,
                    time_in_force,
                    market: U16::new(place.market.get()),
                    a: U64::new(place.price.get()),
                    b: U64::new(place.quantity.get()),
                    c: U64::new(place.client_order_id.get()),
                    ..Self::EMPTY
                }
            }
            Command::Cancel(CancelTarget::Order(order_id)) => Self {
                operation: CANCEL,
                a: U64::new(order_id.get()),
                ..Self::EMPTY
            },
            Command::Cancel(CancelTarget::Client {
                market,
                client_order_id,
            }) => Self {
                operation: CANCEL_CLIENT,
                market: U16::new(market.get()),
                c: U64::new(client_order_id.get()),
                ..Self::EMPTY
            },
            Command::CancelAll(scope) => Self {
                operation: CANCEL_ALL,
                side: scope.side.map_or(BOTH_SIDES, |side| side as u8),
                market: U16::new(scope.market.map_or(ALL_MARKETS, MarketId::get)),
                ..Self::EMPTY
            },
            Command::Transfer(transfer) => Self {
                operation: TRANSFER,
                asset: U16::new(transfer.asset.get()),
                a: U64::new(u64::from(transfer.to.get())),
                b: U64::new(transfer.amount.get() as u64),
                c: U64::new((transfer.amount.get() >> u64::BITS) as u64),
                ..Self::EMPTY
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands() -> Vec<Command> {
        let place = |kind| {
            Command::Place(Place {
                market: MarketId::new(1),
                side: Side::Ask,
                kind,
                price: Ticks::new(u64::MAX),
                quantity: BaseLots::new(2),
                client_order_id: ClientOrderId::new(3),
            })
        };
        let scope = |market, side| Command::CancelAll(CancelScope { market, side });
        vec![
            place(OrderKind::Limit(TimeInForce::Gtc)),
            place(OrderKind::Limit(TimeInForce::Ioc)),
            place(OrderKind::Limit(TimeInForce::Fok)),
            place(OrderKind::PostOnly),
            Command::Cancel(CancelTarget::Order(OrderId::new(u64::MAX))),
            Command::Cancel(CancelTarget::Client {
                market: MarketId::new(9),
                client_order_id: ClientOrderId::new(8),
            }),
            scope(None, None),
            scope(Some(MarketId::new(4)), Some(Side::Bid)),
            scope(Some(MarketId::new(4)), Some(Side::Ask)),
            Command::Transfer(Transfer {
                to: AccountId::new(u32::MAX),
                asset: AssetId::new(5),
                amount: Atoms::new(u128::MAX - 6),
            }),
        ]
    }

    #[test]
    fn every_command_has_exactly_one_slot() {
        for command in commands() {
            assert_eq!(Slot::from(&command).command(), Some(command));
        }
    }

    /// Whatever a flipped bit makes of a slot, it is either malformed or another command whose own
    /// encoding is the flipped slot.
    #[test]
    fn no_two_slots_mean_the_same() {
        for command in commands() {
            let valid = Slot::from(&command);
            for bit in 0..SLOT_LENGTH * 8 {
                let mut flipped = valid;
                flipped.as_mut_bytes()[bit / 8] ^= 1 << (bit % 8);
                if let Some(other) = flipped.command() {
                    assert_ne!(other, command, "bit {bit}");
                    assert_eq!(Slot::from(&other), flipped, "bit {bit}");
                }
            }
        }
    }
}
