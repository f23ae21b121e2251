//! What a market is like at present: its status, its last trade, what its auction would come to.

use zerocopy::little_endian::{I128, U16, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::ReplyRecord;
use crate::command::MarketStatus;
use crate::{MarketId, Ticks};

/// A market at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketState {
    /// Which one.
    pub market: MarketId,
    /// What may happen in it.
    pub status: MarketStatus,
    /// The price of its last trade; `None`: there was none.
    pub last: Option<Ticks>,
    /// What its auction would come to, as last published; `None`: nothing would trade, or there is
    /// no auction.
    pub indicative: Option<IndicativePrice>,
}

/// What an auction would come to. A full book of the largest orders passes 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndicativePrice {
    /// The price of all trades.
    pub price: Ticks,
    /// How many lots would trade.
    pub volume: u128,
    /// How many lots would be left over at that price: of bids, or, negative, of asks.
    pub surplus: i128,
}

/// A market's state, 64 bytes. By offset: 0 market u16, 2 status u8, 3 reserved (5), 8 price of the
/// last trade u64 (0: none), 16 indicative price u64 (0: none), 24 reserved (8), 32 indicative
/// volume u128, 48 indicative surplus i128.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct MarketStateRecord {
    market: U16,
    status: u8,
    reserved: [u8; 5],
    last: U64,
    indicative: U64,
    reserved_2: U64,
    volume: U128,
    surplus: I128,
}

const _: () = assert!(size_of::<MarketStateRecord>() == 64);

impl From<&MarketState> for MarketStateRecord {
    fn from(state: &MarketState) -> Self {
        let (indicative, volume, surplus) = match state.indicative {
            Some(indicative) => (
                indicative.price.get(),
                indicative.volume,
                indicative.surplus,
            ),
            None => (0, 0, 0),
        };
        Self {
            market: U16::new(state.market.get()),
            status: state.status as u8,
            reserved: [0; 5],
            last: U64::new(state.last.map_or(0, Ticks::get)),
            indicative: U64::new(indicative),
            reserved_2: U64::ZERO,
            volume: U128::new(volume),
            surplus: I128::new(surplus),
        }
    }
}

impl MarketStateRecord {
    /// The typed view; `None` if no market encodes to this record.
    pub fn state(&self) -> Option<MarketState> {
        let price = |ticks: U64| (ticks.get() > 0).then_some(Ticks::new(ticks.get()));
        let status = MarketStatus::from_code(self.status)?;
        let indicative = price(self.indicative).map(|price| IndicativePrice {
            price,
            volume: self.volume.get(),
            surplus: self.surplus.get(),
        });
        if indicative.is_some() && status != MarketStatus::Auction {
            return None;
        }
        let state = MarketState {
            market: MarketId::new(self.market.get()),
            status,
            last: price(self.last),
            indicative,
        };
        (Self::from(&state) == *self).then_some(state)
    }
}

impl ReplyRecord for MarketStateRecord {
    fn is_well_formed(&self) -> bool {
        self.state().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUCTION: MarketState = MarketState {
        market: MarketId::new(1_023),
        status: MarketStatus::Auction,
        last: Some(Ticks::new(7)),
        indicative: Some(IndicativePrice {
            price: Ticks::new(8),
            volume: u128::MAX,
            surplus: i128::MIN,
        }),
    };

    #[test]
    fn a_state_survives_its_record() {
        let quiet = MarketState {
            last: None,
            indicative: None,
            ..AUCTION
        };
        let others = MarketStatus::ALL.map(|status| MarketState { status, ..quiet });
        for state in [AUCTION, quiet].into_iter().chain(others) {
            assert_eq!(MarketStateRecord::from(&state).state(), Some(state));
        }
    }

    #[test]
    fn what_no_market_is_like_is_no_record() {
        for (at, byte, what) in [
            (2, 5, "no status"),
            (2, 0, "an open market with an indicative price"),
            (3, 1, "reserved bytes"),
            (16, 0, "a volume without a price"),
            (24, 1, "reserved bytes"),
        ] {
            let mut record = MarketStateRecord::from(&AUCTION);
            record.as_mut_bytes()[at] = byte;
            assert_eq!(record.state(), None, "{what}");
        }
    }
}
