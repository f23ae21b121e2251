//! `Ended` reports what happened to the account's open orders without a trade, and not because a
//! command of the account said so: they expired, met an order of their own group, were set off by a
//! trade and then did not fill, or were pulled by the account's protection. What a cancel, a replace or a quote set does to the orders that it
//! is about is in the ack.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Kind, Prefix, read_list, side, write_list};
use crate::RejectReason;
use crate::limits::MESSAGE_LENGTH_MAX;
use crate::outcome::{Done, DoneReason, Event, Party, Reduced, Triggered};
use crate::{AccountId, BaseLots, ClientOrderId, MarketId, OrderId, SequenceNumber, Side, Ticks};

/// One change of one of the account's open orders, 56 bytes. By offset: 0 order id u64, 8 client
/// order id u64, 16 sequence u64 (of the command or tick that did it), 24 price u64, 32 lots u64
/// (taken off the order without a trade; 0 if triggered), 40 remaining u64 (what of it goes on; 0:
/// the order has ended), 48 market u16, 50 side u8, 51 reason u8 (see [`DoneReason`]; 0: the
/// order was triggered and enters the book as a taker), 52 reserved u32.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct EndedReport {
    order_id: U64,
    client_order_id: U64,
    sequence: U64,
    price: U64,
    lots: U64,
    remaining: U64,
    market: U16,
    side: u8,
    reason: u8,
    reserved: U32,
}

const _: () = assert!(size_of::<EndedReport>() == 56);

/// The reason of an order that was triggered.
const TRIGGERED: u8 = 0;

/// Whether the ack of the owner's own command leaves an end untold. It tells what filled at once, so
/// for an order that never came to rest only an end that its kind does not imply is news.
fn is_news(done: &Done) -> bool {
    match done.reason {
        DoneReason::Cancelled | DoneReason::Replaced => false,
        DoneReason::SelfTrade
        | DoneReason::FillLimit
        | DoneReason::Expired
        | DoneReason::Protection
        | DoneReason::Disconnected
        | DoneReason::Timer
        | DoneReason::DailyLoss
        | DoneReason::KeyRevoked
        | DoneReason::Forced => true,
        DoneReason::Unfilled => done.owner.order_id.sequence() < done.sequence,
    }
}

impl From<&Done> for EndedReport {
    fn from(done: &Done) -> Self {
        Self {
            sequence: U64::new(done.sequence.get()),
            price: U64::new(done.price.get()),
            lots: U64::new(done.remaining.get()),
            remaining: U64::ZERO,
            market: U16::new(done.market.get()),
            side: done.side as u8,
            reason: done.reason as u8,
            ..Self::of(&done.owner)
        }
    }
}

impl From<&Reduced> for EndedReport {
    fn from(reduced: &Reduced) -> Self {
        Self {
            sequence: U64::new(reduced.sequence.get()),
            price: U64::new(reduced.price.get()),
            lots: U64::new(reduced.by.get()),
            remaining: U64::new(reduced.remaining.get()),
            market: U16::new(reduced.market.get()),
            side: reduced.side as u8,
            reason: reduced.reason as u8,
            ..Self::of(&reduced.owner)
        }
    }
}

impl From<&Triggered> for EndedReport {
    fn from(triggered: &Triggered) -> Self {
        Self {
            sequence: U64::new(triggered.sequence.get()),
            price: U64::new(triggered.price.get()),
            lots: U64::ZERO,
            remaining: U64::new(triggered.quantity.get()),
            market: U16::new(triggered.market.get()),
            side: triggered.side as u8,
            reason: TRIGGERED,
            ..Self::of(&triggered.owner)
        }
    }
}

impl EndedReport {
    /// How many fit one message.
    pub const PER_MESSAGE_MAX: usize =
        (MESSAGE_LENGTH_MAX - size_of::<Prefix>()) / size_of::<Self>();

    /// Whom an event has to be reported to, and how; `None`: it is a fill, or an account learns of
    /// it from the ack of its own command.
    pub fn of_event(event: &Event) -> Option<(AccountId, Self)> {
        match event {
            Event::Done(done) if is_news(done) => Some((done.owner.account, Self::from(done))),
            Event::Reduced(reduced) if reduced.reason != DoneReason::Replaced => {
                Some((reduced.owner.account, Self::from(reduced)))
            }
            Event::Triggered(triggered) => Some((triggered.owner.account, Self::from(triggered))),
            _ => None,
        }
    }

    /// Appends one or more messages with these reports to `out`; none for no reports.
    pub fn encode(reports: &[Self], out: &mut Vec<u8>) {
        for chunk in reports.chunks(Self::PER_MESSAGE_MAX) {
            write_list(out, Kind::Ended, chunk, |prefix| prefix);
        }
    }

    /// Reads one whole message. There is none without reports.
    pub fn parse_all(bytes: &[u8]) -> Result<&[Self], RejectReason> {
        let (_, reports): (Prefix, &[Self]) = read_list(bytes, Kind::Ended)?;
        if !reports.is_empty() && reports.iter().all(Self::is_well_formed) {
            Ok(reports)
        } else {
            Err(RejectReason::Malformed)
        }
    }

    /// Which order.
    pub const fn order_id(&self) -> OrderId {
        OrderId::new(self.order_id.get())
    }

    /// Its label.
    pub const fn client_order_id(&self) -> ClientOrderId {
        ClientOrderId::new(self.client_order_id.get())
    }

    /// The command or tick that did it.
    pub const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence.get())
    }

    /// The order's price.
    pub const fn price(&self) -> Ticks {
        Ticks::new(self.price.get())
    }

    /// What was taken off the order without a trade.
    pub const fn lots(&self) -> BaseLots {
        BaseLots::new(self.lots.get())
    }

    /// What of the order goes on; zero: it has ended.
    pub const fn remaining(&self) -> BaseLots {
        BaseLots::new(self.remaining.get())
    }

    /// Where.
    pub const fn market(&self) -> MarketId {
        MarketId::new(self.market.get())
    }

    /// On which side.
    pub const fn side(&self) -> Side {
        if self.side == Side::Bid as u8 {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    /// Why it ended or shrank; `None`: it was triggered and enters the book as a taker.
    pub const fn reason(&self) -> Option<DoneReason> {
        DoneReason::from_code(self.reason)
    }

    /// The stable name of what happened, as machines see it: `triggered`, or that of the reason.
    pub const fn reason_name(&self) -> &'static str {
        match self.reason() {
            Some(reason) => reason.name(),
            None => "triggered",
        }
    }

    /// Only the owner's part.
    const fn of(owner: &Party) -> Self {
        Self {
            order_id: U64::new(owner.order_id.get()),
            client_order_id: U64::new(owner.client_order_id.get()),
            sequence: U64::ZERO,
            price: U64::ZERO,
            lots: U64::ZERO,
            remaining: U64::ZERO,
            market: U16::ZERO,
            side: 0,
            reason: TRIGGERED,
            reserved: U32::ZERO,
        }
    }

    pub(crate) fn is_well_formed(&self) -> bool {
        let reason = match self.reason {
            TRIGGERED => self.lots == 0,
            code => DoneReason::from_code(code).is_some(),
        };
        reason && side(self.side).is_some() && self.reserved == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKET: MarketId = MarketId::new(1);
    const COMMAND: SequenceNumber = SequenceNumber::new(9);

    fn owner(placed_at: u64) -> Party {
        Party {
            account: AccountId::new(4),
            order_id: OrderId::new_at(SequenceNumber::new(placed_at), MARKET, 0),
            client_order_id: ClientOrderId::new(5),
        }
    }

    fn done(placed_at: u64, reason: DoneReason) -> Event {
        Event::Done(Done {
            sequence: COMMAND,
            market: MARKET,
            side: Side::Ask,
            reason,
            price: Ticks::new(6),
            remaining: BaseLots::new(7),
            owner: owner(placed_at),
            held: true,
        })
    }

    fn reduced(reason: DoneReason) -> Event {
        Event::Reduced(Reduced {
            sequence: COMMAND,
            market: MARKET,
            side: Side::Bid,
            reason,
            price: Ticks::new(6),
            by: BaseLots::new(7),
            remaining: BaseLots::new(8),
            owner: owner(3),
        })
    }

    /// What is reported: name, lots and what goes on.
    fn check(event: &Event, expected: Option<(&str, u64, u64)>) {
        let reported = EndedReport::of_event(event).map(|(account, report)| {
            assert_eq!(account, AccountId::new(4));
            assert_eq!(report.sequence(), COMMAND);
            assert_eq!((report.market(), report.price()), (MARKET, Ticks::new(6)));
            (
                report.reason_name(),
                report.lots().get(),
                report.remaining().get(),
            )
        });
        assert_eq!(reported, expected, "{event:?}");
    }

    #[test]
    fn an_account_is_told_what_its_command_did_not_say() {
        check(&done(3, DoneReason::Expired), Some(("expired", 7, 0)));
        check(&done(3, DoneReason::SelfTrade), Some(("self_trade", 7, 0)));
        check(&done(3, DoneReason::Unfilled), Some(("unfilled", 7, 0)));
        check(&done(3, DoneReason::FillLimit), Some(("fill_limit", 7, 0)));
        check(&done(3, DoneReason::Cancelled), None);
        check(&done(3, DoneReason::Replaced), None);
        let protection = done(3, DoneReason::Protection);
        check(&protection, Some(("protection", 7, 0)));
        check(&done(9, DoneReason::SelfTrade), Some(("self_trade", 7, 0)));
        check(&done(9, DoneReason::FillLimit), Some(("fill_limit", 7, 0)));
        check(&done(9, DoneReason::Unfilled), None);
        check(&reduced(DoneReason::SelfTrade), Some(("self_trade", 7, 8)));
        check(&reduced(DoneReason::Replaced), None);
        let triggered = Event::Triggered(Triggered {
            sequence: COMMAND,
            market: MARKET,
            side: Side::Bid,
            price: Ticks::new(6),
            quantity: BaseLots::new(7),
            owner: owner(3),
        });
        check(&triggered, Some(("triggered", 0, 7)));
    }
}
