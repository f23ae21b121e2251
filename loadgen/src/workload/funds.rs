//! How large orders may be so that an account's funds cover the worst case.

use types::wire::query::Reference;
use types::{AssetId, Atoms, BaseLots, Symbol, Ticks};

/// Why there can be no workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// The network lists no market.
    #[error("the network has no market to trade on; list one in its genesis")]
    NoMarket,
    /// A scenario for a larger network.
    #[error("the scenario needs {asked} markets, the network has {there}")]
    TooFewMarkets {
        /// What it needs.
        asked: usize,
        /// What there is.
        there: usize,
    },
    /// A run of nobody.
    #[error("a run needs at least one client")]
    NoClient,
    /// An account cannot pay for one lot per resting order.
    #[error(
        "client {client} has too little {asset} to quote on {market}: its funds do not cover one \
         lot per resting order; use fewer markets or fund the account"
    )]
    Funds {
        /// Which client.
        client: u32,
        /// Where it should have traded.
        market: Symbol,
        /// What it lacks.
        asset: Symbol,
    },
}

/// For each of the first `markets` markets the largest size with which `resting` orders at
/// `price`, all on one side, take at most half of what there is for that market. The other half
/// is for orders on their way and for positions that build up. The error names market and asset.
pub(super) fn quantities_max(
    reference: &Reference,
    markets: usize,
    resting: usize,
    price: Ticks,
    free: &[(AssetId, Atoms)],
) -> Result<Vec<BaseLots>, (Symbol, Symbol)> {
    let used = &reference.markets[..markets];
    let budget = |asset: AssetId| {
        let free = free.iter().find(|(id, _)| *id == asset);
        let free = free.map_or(0, |(_, amount)| amount.get());
        let sharing = used
            .iter()
            .filter(|market| market.base == asset || market.quote == asset)
            .count();
        free / (2 * sharing * resting) as u128
    };
    used.iter()
        .map(|market| {
            let one = BaseLots::new(1);
            let base = budget(market.base) / market.factors.base(one).get();
            let quote = budget(market.quote) / market.factors.notional(price, one).get();
            let (lots, scarce) = if base < quote {
                (base, market.base)
            } else {
                (quote, market.quote)
            };
            if lots == 0 {
                return Err((market.symbol, reference.assets[scarce.index()].symbol));
            }
            Ok(BaseLots::new(u64::try_from(lots).unwrap_or(u64::MAX)))
        })
        .collect()
}
