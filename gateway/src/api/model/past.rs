//! What happened before the node started, as a history tells it: candles, trades and fills, of each as much
//! as the model keeps.
//!
//! It is gathered before the API starts, oldest first, and the model takes it with its first image,
//! which says whose the accounts are. What it holds must have happened before that image, and what
//! comes after it is told block by block; so nothing is counted twice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use types::genesis::Genesis;
use types::outcome::{Digest, Fill};
use types::{AccountId, MarketId};

use super::account::HISTORY_MAX;
use super::{Candle, Candles, OwnFill, TRADES_MAX, TradeNumbers, TradedAt, push_bounded};

/// What was before.
#[derive(Debug)]
pub struct Past {
    genesis: Arc<Genesis>,
    pub(super) markets: Vec<PastMarket>,
    pub(super) fills: BTreeMap<AccountId, VecDeque<OwnFill>>,
    numbers: TradeNumbers,
}

/// Of one market.
#[derive(Debug, Default)]
pub(super) struct PastMarket {
    pub(super) candles: Candles,
    pub(super) trades: VecDeque<(Fill, TradedAt)>,
}

/// A trade, as a history tells it.
#[derive(Clone, Copy, Debug)]
pub struct PastTrade {
    /// What it did, but for what was left of the orders: that does not matter any more.
    pub fill: Fill,
    /// Logged time in milliseconds.
    pub time: u64,
    /// Hash of the record in the journal that it is in.
    pub record: Digest,
}

impl Past {
    /// Nothing, so far.
    pub fn new(genesis: Arc<Genesis>) -> Self {
        let markets = genesis.markets().iter();
        Self {
            markets: markets.map(|_| PastMarket::default()).collect(),
            genesis,
            fills: BTreeMap::new(),
            numbers: TradeNumbers::default(),
        }
    }

    /// The next candle of a minute. Panics if there is no such market.
    pub fn candle(&mut self, market: MarketId, minute: &Candle) {
        self.markets[market.index()].candles.add(minute);
    }

    /// The next trade; a command's trades come together. Candles tell of it, too. Panics if there is no
    /// such market.
    pub fn trade(&mut self, trade: &PastTrade) {
        let fill = &trade.fill;
        let at = TradedAt {
            number: self.numbers.next(fill.sequence),
            time: trade.time,
            record: trade.record,
        };
        let spec = &self.genesis.markets()[fill.market.index()];
        for is_taker in [false, true] {
            let (account, own) = OwnFill::of(spec, fill, is_taker, &at);
            push_bounded(self.fills.entry(account).or_default(), own, HISTORY_MAX);
        }
        let trades = &mut self.markets[fill.market.index()].trades;
        push_bounded(trades, (*fill, at), TRADES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use types::genesis::development;
    use types::outcome::Party;
    use types::{Atoms, BaseLots, ClientOrderId, OrderId, SequenceNumber, Side, Ticks};

    use super::super::super::ports::{AccountRow, Image, Update};
    use super::super::Model;
    use super::*;

    fn party(account: u32) -> Party {
        Party {
            account: AccountId::new(account),
            order_id: OrderId::new(account.into()),
            client_order_id: ClientOrderId::new(0),
        }
    }

    #[test]
    fn the_first_image_brings_the_past_and_no_other() {
        let genesis = Arc::new(development());
        let mut past = Past::new(Arc::clone(&genesis));
        // One more than is kept of a market, and of the taker.
        for sequence in 0..=(TRADES_MAX as u64) {
            past.trade(&PastTrade {
                fill: Fill {
                    sequence: SequenceNumber::new(sequence / 2),
                    market: MarketId::new(0),
                    taker_side: Side::Ask,
                    price: Ticks::new(5),
                    quantity: BaseLots::new(1),
                    maker: party((sequence % 2) as u32),
                    taker: party(2),
                    maker_remaining: BaseLots::ZERO,
                    maker_refreshed: false,
                    auction: None,
                    maker_fee: -1,
                    taker_fee: Atoms::new(2),
                },
                time: sequence,
                record: Digest::ZERO,
            });
        }
        let image = Image {
            accounts: (0..3)
                .map(|account| AccountRow {
                    account: AccountId::new(account),
                    owner: [account as u8; 20],
                })
                .collect(),
            ..Image::default()
        };
        let image = Update::Image(Box::new(image));
        let mut model = Model::new(genesis, Some(past));
        model.apply(&image);
        let trades = model.market(MarketId::new(0)).trades.clone();
        let numbers: Vec<u64> = trades.iter().map(|it| it.number).collect();
        // The very first is forgotten; a command's second trade has the next number.
        assert_eq!(numbers.len(), TRADES_MAX);
        assert_eq!(numbers[..3], [1, 1 << 14, 1 << 14 | 1]);
        // The taker sold to the maker.
        assert_eq!(trades[0].parties, [[1; 20], [2; 20]]);
        let fills = |model: &Model, account| model.account(AccountId::new(account)).fills.clone();
        assert_eq!(fills(&model, 0).len(), TRADES_MAX / 2 + 1);
        assert_eq!(fills(&model, 2).len(), HISTORY_MAX);
        let spec = &model.genesis().markets()[0];
        let last = fills(&model, 2).back().unwrap().clone();
        assert_eq!(
            (last.fee, last.fee_asset, last.side),
            (2, spec.quote, Side::Ask)
        );
        let last = fills(&model, 0).back().unwrap().clone();
        assert_eq!(
            (last.fee, last.fee_asset, last.side),
            (-1, spec.quote, Side::Bid)
        );
        // After a gap the model keeps what it has.
        model.apply(&image);
        assert_eq!(model.market(MarketId::new(0)).trades, trades);
        assert_eq!(fills(&model, 2).len(), HISTORY_MAX);
    }
}
