//! Ledger and books of one network, at one point of the total order.

use ledger::Ledger;
use matching::Book;
use types::auth::FrameKey;
use types::genesis::{Genesis, MarketSpec};
use types::outcome::Digest;
use types::{Height, LogTime, MarketId, SequenceNumber, Side};

use crate::view::{MarketView, StateView};

const STATE_CONTEXT: &str = "keel 2026-11-23 engine state";

/// Everything that commands may change.
#[derive(Debug)]
pub struct State {
    ledger: Ledger,
    markets: Vec<Market>,
    position: Position,
    frame_key: FrameKey,
}

#[derive(Debug)]
struct Market {
    spec: MarketSpec,
    book: Book,
}

/// How far the total order has been executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last executed block.
    pub height: Height,
    /// The last executed command.
    pub sequence: SequenceNumber,
    /// Logged time.
    pub time: LogTime,
    /// Hash of the last block's outcome, chained.
    pub outcome_hash: Digest,
}

impl State {
    /// The state before the first command. `hash_seed` keeps strangers from aiming at the books'
    /// hash tables; nothing that leaves the engine depends on it.
    pub fn from_genesis(genesis: &Genesis, hash_seed: u64) -> Self {
        let market = |spec: &MarketSpec| Market {
            spec: *spec,
            book: Book::new(hash_seed),
        };
        Self {
            ledger: Ledger::from_genesis(genesis),
            markets: genesis.markets().iter().map(market).collect(),
            position: Position {
                height: Height::ZERO,
                sequence: SequenceNumber::ZERO,
                time: LogTime::ZERO,
                outcome_hash: Digest::ZERO,
            },
            frame_key: FrameKey::new(genesis.network(), genesis.hash()),
        }
    }

    /// The accounts.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) const fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// How far the total order has been executed.
    pub const fn position(&self) -> &Position {
        &self.position
    }

    pub(crate) const fn position_mut(&mut self) -> &mut Position {
        &mut self.position
    }

    /// The key that frames of this network are digested with.
    pub const fn frame_key(&self) -> &FrameKey {
        &self.frame_key
    }

    /// A market's grid and its book.
    pub fn book(&self, market: MarketId) -> Option<(&MarketSpec, &Book)> {
        let market = self.markets.get(market.index())?;
        Some((&market.spec, &market.book))
    }

    /// All markets, by id.
    pub fn books(&self) -> impl Iterator<Item = (MarketId, &MarketSpec, &Book)> {
        self.markets.iter().zip(0..).map(|(market, id)| {
            let id = MarketId::new(id);
            (id, &market.spec, &market.book)
        })
    }

    /// A digest of everything that commands may change except where blocks were cut: two states
    /// with the same digest answer every later command alike.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key(STATE_CONTEXT);
        hasher.update(self.ledger.state_hash().as_bytes());
        hasher.update(&self.position.sequence.get().to_le_bytes());
        hasher.update(&self.position.time.get().to_le_bytes());
        for (market, _, book) in self.books() {
            hasher.update(&market.get().to_le_bytes());
            for side in Side::BOTH {
                for order in book.orders(side) {
                    hasher.update(&order.order_id.get().to_le_bytes());
                    hasher.update(&order.account.get().to_le_bytes());
                    hasher.update(&order.client_order_id.get().to_le_bytes());
                    hasher.update(&order.price.get().to_le_bytes());
                    hasher.update(&order.remaining.get().to_le_bytes());
                }
                // No order has id zero: it ends a side.
                hasher.update(&[0; 8]);
            }
        }
        Digest::new(*hasher.finalize().as_bytes())
    }

    /// Checks what must hold between any two commands, at a cost linear in the state: books are
    /// sound, balances conserved, and held funds are exactly what open orders need.
    pub fn assert_invariants(&self) {
        let assets = usize::from(self.ledger.asset_count());
        let accounts = self.ledger.account_count();
        let mut held = vec![types::Atoms::ZERO; accounts as usize * assets];
        let mut open = vec![0u32; accounts as usize];
        for (_, spec, book) in self.books() {
            book.assert_invariants();
            for order in Side::BOTH.into_iter().flat_map(|side| book.orders(side)) {
                let (asset, amount) =
                    crate::transition::needed(spec, order.side, order.price, order.remaining);
                held[order.account.index() * assets + asset.index()] += amount;
                open[order.account.index()] += 1;
            }
        }
        for account in (0..accounts).map(types::AccountId::new) {
            assert_eq!(self.ledger.open_orders(account), open[account.index()]);
            for asset in 0..self.ledger.asset_count() {
                let asset = types::AssetId::new(asset);
                assert_eq!(
                    self.ledger.balance(account, asset).held,
                    held[account.index() * assets + asset.index()],
                    "held of account {account}, asset {asset}"
                );
            }
        }
        if let Err(error) = self.ledger.check_conservation() {
            panic!("{error}");
        }
    }
}

impl StateView for State {
    type Funds = Ledger;

    fn funds(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn market(&mut self, market: MarketId) -> Option<MarketView<'_, Ledger>> {
        let Market { spec, book } = self.markets.get_mut(market.index())?;
        Some(MarketView {
            spec,
            book,
            funds: &mut self.ledger,
        })
    }

    fn market_count(&self) -> u16 {
        u16::try_from(self.markets.len()).expect("limited by the genesis")
    }
}
