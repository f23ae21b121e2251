//! How markets, assets, addresses and numbers are called in the dialect.

use serde_json::{Value as Json, json};
use types::action::size_decimals;
use types::decimal::{bytes_from_hex, to_hex};
use types::genesis::{Genesis, MarketSpec, OwnerAddress};
use types::{AssetId, MarketId, Ticks};

/// `0x` and 40 digits.
pub(super) fn address_text(address: &OwnerAddress) -> String {
    format!("0x{}", to_hex(address))
}

/// The other way, whatever the case of the digits.
pub(super) fn parse_address(text: &str) -> Option<OwnerAddress> {
    bytes_from_hex(text.strip_prefix("0x")?)
}

/// The names of a genesis' markets.
#[derive(Debug)]
pub(super) struct Names {
    coins: Vec<String>,
    spot_meta: Json,
}

impl Names {
    pub(super) fn new(genesis: &Genesis) -> Self {
        let symbol = |asset: AssetId| genesis.assets()[asset.index()].symbol;
        let coin =
            |market: &MarketSpec| format!("{}/{}", symbol(market.base), symbol(market.quote));
        let coins: Vec<String> = genesis.markets().iter().map(coin).collect();
        let spot_meta = spot_meta(genesis, &coins);
        Self { coins, spot_meta }
    }

    /// What a market is called: `BTC/USD`.
    pub(super) fn coin(&self, market: MarketId) -> &str {
        &self.coins[market.index()]
    }

    /// The market of this name, or of this number behind `@`.
    pub(super) fn market(&self, coin: &str) -> Option<MarketId> {
        let index = match coin.strip_prefix('@') {
            Some(index) => index.parse().ok().filter(|it| *it < self.coins.len())?,
            None => self.coins.iter().position(|it| it == coin)?,
        };
        u16::try_from(index).ok().map(MarketId::new)
    }

    /// All tokens and markets.
    pub(super) const fn spot_meta(&self) -> &Json {
        &self.spot_meta
    }
}

fn spot_meta(genesis: &Genesis, coins: &[String]) -> Json {
    let token = |(index, asset): (usize, &types::genesis::AssetSpec)| {
        let markets = genesis.markets().iter();
        let traded = markets.filter(|market| market.base.index() == index);
        let decimals = traded.map(size_decimals).min();
        let name = asset.symbol.as_str();
        json!({
            "name": name,
            "szDecimals": decimals.unwrap_or(asset.decimals.min(2)),
            "weiDecimals": asset.decimals,
            "index": index,
            "tokenId": token_id(name),
            "isCanonical": true,
            "evmContract": null,
            "fullName": null,
            "deployerTradingFeeShare": "0.0",
        })
    };
    let market = |(index, market): (usize, &MarketSpec)| {
        json!({
            "name": coins[index],
            "tokens": [market.base.get(), market.quote.get()],
            "index": index,
            "isCanonical": true,
        })
    };
    let tokens: Vec<Json> = genesis.assets().iter().enumerate().map(token).collect();
    let universe: Vec<Json> = genesis.markets().iter().enumerate().map(market).collect();
    json!({ "tokens": tokens, "universe": universe })
}

/// A token's id: of its name, for there is no other chain that it is on.
fn token_id(name: &str) -> String {
    let hash = blake3::hash(name.as_bytes());
    format!("0x{}", to_hex(&hash.as_bytes()[..16]))
}

/// A price between two ticks, to one decimal more than a tick has.
pub(super) fn middle(market: &MarketSpec, bid: Ticks, ask: Ticks) -> String {
    let units = u128::from(bid.get() + ask.get()) * u128::from(market.tick.units);
    types::decimal::format(units * 5, market.tick.decimals + 1)
}

/// The price of `notional` tick-lots over `lots`, rounded down to four decimals more than a tick has.
pub(super) fn average(market: &MarketSpec, tick_lots: u128, lots: u128) -> String {
    let (lots, units) = (lots.max(1), u128::from(market.tick.units));
    let finer = tick_lots.checked_mul(units * 10_000);
    match finer {
        Some(finer) => types::decimal::format(finer / lots, market.tick.decimals + 4),
        // Of what fills so much nobody sees the last digits.
        None => types::decimal::format(tick_lots / lots * units, market.tick.decimals),
    }
}
