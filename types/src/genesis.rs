//! Assets, markets, fees and accounts at the start of a network.
//!
//! A [`Genesis`] that exists is legal; text formats (TOML) are parsed elsewhere and become one here
//! through checked constructors. Its hash is over a canonical encoding, not over text, and is part
//! of every signed digest: two networks that differ in one fee do not accept each other's frames.

use crate::auth::{PublicKey, SigningKey};
use crate::command::MarketStatus;
use crate::decimal::{self, DecimalError};
use crate::limits::{
    ACCOUNTS_MAX, ASSETS_MAX, ATOMS_MAX, BAND_INTERVAL_MS_MAX, BAND_PPM_MAX, MARKETS_MAX,
    OPEN_ORDERS_PER_ACCOUNT_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX,
};
use crate::outcome::Digest;
use crate::wallet::WalletKey;
use crate::{
    AccountId, AssetId, Atoms, BaseLots, FeeRate, GroupId, LotFactors, MarketId, NetworkId, Symbol,
    Ticks,
};

const GENESIS_CONTEXT: &str = "keel 2026-11-23 genesis";

/// Decimals of an asset, at most.
pub const DECIMALS_MAX: u8 = 18;

/// An EVM address: the owner of an account.
pub type OwnerAddress = [u8; 20];

/// An asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetSpec {
    /// Its name.
    pub symbol: Symbol,
    /// One unit is 10^decimals atoms.
    pub decimals: u8,
}

impl AssetSpec {
    /// Decimal text to atoms.
    pub fn parse(&self, text: &str) -> Result<Atoms, DecimalError> {
        match decimal::parse(text, self.decimals)? {
            units if units <= ATOMS_MAX => Ok(Atoms::new(units)),
            _ => Err(DecimalError::TooLarge),
        }
    }

    /// Atoms to decimal text.
    pub fn format(&self, amount: Atoms) -> String {
        decimal::format(amount.get(), self.decimals)
    }
}

/// A decimal step: `units` x 10^-`decimals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many.
    pub units: u64,
    /// Of which size.
    pub decimals: u8,
}

impl Step {
    /// From decimal text such as "0.01", with no more decimals than needed.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let decimals = text
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.trim_end_matches('0').len());
        let decimals = u8::try_from(decimals).map_err(|_| DecimalError::TooFine)?;
        let units = decimal::parse(text, decimals)?;
        let units = u64::try_from(units).map_err(|_| DecimalError::TooLarge)?;
        Ok(Self { units, decimals })
    }
}

/// A market: one book for a base and a quote asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketSpec {
    /// Its name.
    pub symbol: Symbol,
    /// The asset that is traded.
    pub base: AssetId,
    /// The asset that prices it.
    pub quote: AssetId,
    /// The smallest price step, in quote per base.
    pub tick: Step,
    /// The smallest size step, in base.
    pub lot: Step,
    /// What a lot and a tick-lot are in atoms; follows from the steps and the assets' decimals.
    pub factors: LotFactors,
    /// Charged to the maker; a rebate if negative.
    pub maker_fee: FeeRate,
    /// Charged to the taker.
    pub taker_fee: FeeRate,
    /// What its orders must keep to, beyond the limits of the protocol.
    pub limits: MarketLimits,
}

/// What the orders of a market must keep to, and what may happen in it at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketLimits {
    /// The least price times size of an order, in quote atoms.
    pub notional_min: Atoms,
    /// Open orders of one account in this market.
    pub open_orders_max: u32,
    /// How far prices may go; `None`: as far as they like.
    pub band: Option<PriceBand>,
    /// The market's first status.
    pub status: MarketStatus,
}

impl MarketLimits {
    /// An open market without limits of its own.
    pub const NONE: Self = Self {
        notional_min: Atoms::ZERO,
        open_orders_max: OPEN_ORDERS_PER_ACCOUNT_MAX,
        band: None,
        status: MarketStatus::Open,
    };
}

impl Default for MarketLimits {
    fn default() -> Self {
        Self::NONE
    }
}

/// How far from a reference a price may be in the direction in which it trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceBand {
    /// How far, in parts per million of the reference.
    pub width_ppm: u32,
    /// How long a reference holds, in milliseconds of logged time.
    pub interval_ms: u64,
}

/// Why a genesis is impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The messages say it.
pub enum GenesisError {
    #[error("network id 0 is no network")]
    NoNetwork,
    #[error("more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
    #[error("{what} {symbol} is listed twice")]
    Duplicate { what: &'static str, symbol: String },
    #[error("asset {symbol} has {decimals} decimals; at most {DECIMALS_MAX} are possible")]
    Decimals { symbol: String, decimals: u8 },
    #[error("market {symbol}: base and quote are the same asset")]
    SameAsset { symbol: String },
    #[error("market {symbol}: there is no asset number {asset}")]
    NoAsset { symbol: String, asset: u16 },
    #[error("market {symbol}: tick and lot must be above zero")]
    ZeroStep { symbol: String },
    #[error("market {symbol}: lot is not a whole number of base atoms, or is beyond 2^40 of them")]
    Lot { symbol: String },
    #[error(
        "market {symbol}: tick x lot is not a whole number of quote atoms, or is beyond 2^40 of \
         them; give the quote asset more decimals, or the market larger steps"
    )]
    Tick { symbol: String },
    #[error("market {symbol}: the taker fee must not be negative")]
    TakerRebate { symbol: String },
    #[error("market {symbol}: the maker rebate is larger than the taker fee that pays for it")]
    Rebate { symbol: String },
    #[error(
        "market {symbol}: an account may have 1 to {OPEN_ORDERS_PER_ACCOUNT_MAX} open orders there"
    )]
    OpenOrders { symbol: String },
    #[error(
        "market {symbol}: a price band is 1 to {BAND_PPM_MAX} ppm wide and holds for 0 to \
         {BAND_INTERVAL_MS_MAX} ms"
    )]
    Band { symbol: String },
    #[error("account {account}: there is no asset number {asset}")]
    UnknownBalance { account: usize, asset: u16 },
    #[error("account {account}: two balances of one asset")]
    Balance { account: usize },
    #[error("the supply of asset {symbol} is 2^95 atoms or more")]
    Supply { symbol: String },
    #[error("account {account}: key {key} is registered already")]
    DuplicateKey { account: usize, key: PublicKey },
    #[error("account {account}: anybody can sign for key {key}: it is a point of small order")]
    WeakKey { account: usize, key: PublicKey },
}

impl MarketSpec {
    /// Checks the steps against the assets' decimals and derives the factors.
    pub fn new(
        symbol: Symbol,
        (base, base_spec): (AssetId, &AssetSpec),
        (quote, quote_spec): (AssetId, &AssetSpec),
        (tick, lot): (Step, Step),
        (maker_fee, taker_fee): (FeeRate, FeeRate),
        limits: MarketLimits,
    ) -> Result<Self, GenesisError> {
        let name = || symbol.to_string();
        if base == quote {
            return Err(GenesisError::SameAsset { symbol: name() });
        }
        if tick.units == 0 || lot.units == 0 {
            return Err(GenesisError::ZeroStep { symbol: name() });
        }
        let lot_decimals = u32::from(lot.decimals);
        let base_atoms_per_lot = scaled(u128::from(lot.units), base_spec.decimals, lot_decimals)
            .ok_or_else(|| GenesisError::Lot { symbol: name() })?;
        let step_decimals = u32::from(tick.decimals) + lot_decimals;
        let step_units = u128::from(tick.units) * u128::from(lot.units);
        let quote_atoms_per_tick_lot = scaled(step_units, quote_spec.decimals, step_decimals)
            .ok_or_else(|| GenesisError::Tick { symbol: name() })?;
        let factors = LotFactors::new(base_atoms_per_lot, quote_atoms_per_tick_lot)
            .ok_or_else(|| GenesisError::Tick { symbol: name() })?;
        if taker_fee.is_rebate() {
            return Err(GenesisError::TakerRebate { symbol: name() });
        }
        if maker_fee.get() + taker_fee.get() < 0 {
            return Err(GenesisError::Rebate { symbol: name() });
        }
        if !(1..=OPEN_ORDERS_PER_ACCOUNT_MAX).contains(&limits.open_orders_max) {
            return Err(GenesisError::OpenOrders { symbol: name() });
        }
        if let Some(band) = limits.band
            && !((1..=BAND_PPM_MAX).contains(&band.width_ppm)
                && band.interval_ms <= BAND_INTERVAL_MS_MAX)
        {
            return Err(GenesisError::Band { symbol: name() });
        }
        Ok(Self {
            symbol,
            base,
            quote,
            tick,
            lot,
            factors,
            maker_fee,
            taker_fee,
            limits,
        })
    }

    /// Decimal text to ticks.
    pub fn parse_price(&self, text: &str) -> Result<Ticks, DecimalError> {
        let ticks = decimal::parse_steps(text, self.tick.decimals, u128::from(self.tick.units))?;
        match u64::try_from(ticks) {
            Ok(ticks) if ticks <= PRICE_TICKS_MAX => Ok(Ticks::new(ticks)),
            _ => Err(DecimalError::TooLarge),
        }
    }

    /// Decimal text to lots.
    pub fn parse_quantity(&self, text: &str) -> Result<BaseLots, DecimalError> {
        let lots = decimal::parse_steps(text, self.lot.decimals, u128::from(self.lot.units))?;
        match u64::try_from(lots) {
            Ok(lots) if lots <= QUANTITY_LOTS_MAX => Ok(BaseLots::new(lots)),
            _ => Err(DecimalError::TooLarge),
        }
    }

    /// Ticks to decimal text.
    pub fn format_price(&self, price: Ticks) -> String {
        let units = u128::from(price.get()) * u128::from(self.tick.units);
        decimal::format(units, self.tick.decimals)
    }

    /// Lots to decimal text.
    pub fn format_quantity(&self, quantity: BaseLots) -> String {
        self.format_volume(u128::from(quantity.get()))
    }

    /// The lots of many orders to decimal text.
    pub fn format_volume(&self, lots: u128) -> String {
        let units = lots.checked_mul(u128::from(self.lot.units));
        let units = units.expect("no book holds so many lots");
        decimal::format(units, self.lot.decimals)
    }
}

/// `units` x 10^(`decimals` - `unit_decimals`), if that is a whole number that fits.
fn scaled(units: u128, decimals: u8, unit_decimals: u32) -> Option<u64> {
    let decimals = u32::from(decimals);
    let scaled = if decimals >= unit_decimals {
        units.checked_mul(10u128.checked_pow(decimals - unit_decimals)?)?
    } else {
        let divisor = 10u128.checked_pow(unit_decimals - decimals)?;
        units.is_multiple_of(divisor).then(|| units / divisor)?
    };
    u64::try_from(scaled).ok()
}

/// An account that exists from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisAccount {
    /// Who may withdraw.
    pub owner: OwnerAddress,
    /// Accounts of one group do not trade with each other, if their orders say so.
    pub group: GroupId,
    /// Whether it may open and close markets.
    pub operator: bool,
    /// The session keys that may trade.
    pub keys: Vec<PublicKey>,
    /// What it has.
    pub balances: Vec<(AssetId, Atoms)>,
}

/// The start of a network. Ids are positions in these lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    network: NetworkId,
    assets: Vec<AssetSpec>,
    markets: Vec<MarketSpec>,
    accounts: Vec<GenesisAccount>,
}

impl Genesis {
    /// Checks what spans several entries.
    pub fn new(
        network: NetworkId,
        assets: Vec<AssetSpec>,
        markets: Vec<MarketSpec>,
        accounts: Vec<GenesisAccount>,
    ) -> Result<Self, GenesisError> {
        if network.get() == 0 {
            return Err(GenesisError::NoNetwork);
        }
        for (what, count, limit) in [
            ("assets", assets.len(), ASSETS_MAX),
            ("markets", markets.len(), MARKETS_MAX),
            ("accounts", accounts.len(), ACCOUNTS_MAX),
        ] {
            if count > limit {
                return Err(GenesisError::TooMany { what, limit });
            }
        }
        check_assets(&assets)?;
        check_markets(&assets, &markets)?;
        check_accounts(&assets, &accounts)?;
        Ok(Self {
            network,
            assets,
            markets,
            accounts,
        })
    }

    /// Which network.
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// The assets, by id.
    pub fn assets(&self) -> &[AssetSpec] {
        &self.assets
    }

    /// The markets, by id.
    pub fn markets(&self) -> &[MarketSpec] {
        &self.markets
    }

    /// The accounts, by id.
    pub fn accounts(&self) -> &[GenesisAccount] {
        &self.accounts
    }

    /// An asset by id.
    pub fn asset(&self, id: AssetId) -> Option<&AssetSpec> {
        self.assets.get(id.index())
    }

    /// A market by id.
    pub fn market(&self, id: MarketId) -> Option<&MarketSpec> {
        self.markets.get(id.index())
    }

    /// A market by name.
    pub fn market_named(&self, symbol: &str) -> Option<(MarketId, &MarketSpec)> {
        find(&self.markets, |market| market.symbol.as_str() == symbol)
            .map(|(index, market)| (MarketId::new(index), market))
    }

    /// An asset by name.
    pub fn asset_named(&self, symbol: &str) -> Option<(AssetId, &AssetSpec)> {
        find(&self.assets, |asset| asset.symbol.as_str() == symbol)
            .map(|(index, asset)| (AssetId::new(index), asset))
    }

    /// BLAKE3 over the canonical encoding: all fields in order, integers little-endian, each list
    /// preceded by its length as u64.
    pub fn hash(&self) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key(GENESIS_CONTEXT);
        hasher.update(&self.network.get().to_le_bytes());
        hasher.update(&(self.assets.len() as u64).to_le_bytes());
        for asset in &self.assets {
            hasher.update(&asset.symbol.padded());
            hasher.update(&[asset.decimals]);
        }
        hasher.update(&(self.markets.len() as u64).to_le_bytes());
        for market in &self.markets {
            hasher.update(&market.symbol.padded());
            hasher.update(&market.base.get().to_le_bytes());
            hasher.update(&market.quote.get().to_le_bytes());
            for step in [market.tick, market.lot] {
                hasher.update(&step.units.to_le_bytes());
                hasher.update(&[step.decimals]);
            }
            hasher.update(&market.maker_fee.get().to_le_bytes());
            hasher.update(&market.taker_fee.get().to_le_bytes());
            let limits = &market.limits;
            hasher.update(&limits.notional_min.get().to_le_bytes());
            hasher.update(&limits.open_orders_max.to_le_bytes());
            hasher.update(&limits.band.map_or(0, |band| band.width_ppm).to_le_bytes());
            hasher.update(&limits.band.map_or(0, |band| band.interval_ms).to_le_bytes());
            hasher.update(&[limits.status as u8]);
        }
        hasher.update(&(self.accounts.len() as u64).to_le_bytes());
        for account in &self.accounts {
            hasher.update(&account.owner);
            hasher.update(&account.group.get().to_le_bytes());
            hasher.update(&[u8::from(account.operator)]);
            hasher.update(&(account.keys.len() as u64).to_le_bytes());
            for key in &account.keys {
                hasher.update(key.as_bytes());
            }
            hasher.update(&(account.balances.len() as u64).to_le_bytes());
            for (asset, amount) in &account.balances {
                hasher.update(&asset.get().to_le_bytes());
                hasher.update(&amount.get().to_le_bytes());
            }
        }
        Digest::new(*hasher.finalize().as_bytes())
    }
}

fn find<T>(items: &[T], matches: impl Fn(&T) -> bool) -> Option<(u16, &T)> {
    let index = items.iter().position(matches)?;
    Some((u16::try_from(index).ok()?, &items[index]))
}

fn check_assets(assets: &[AssetSpec]) -> Result<(), GenesisError> {
    for (index, asset) in assets.iter().enumerate() {
        if asset.decimals > DECIMALS_MAX {
            return Err(GenesisError::Decimals {
                symbol: asset.symbol.to_string(),
                decimals: asset.decimals,
            });
        }
        if assets[..index].iter().any(|a| a.symbol == asset.symbol) {
            return Err(GenesisError::Duplicate {
                what: "asset",
                symbol: asset.symbol.to_string(),
            });
        }
    }
    Ok(())
}

/// Builds every market again from its own steps, so that a spec with foreign factors is refused.
fn check_markets(assets: &[AssetSpec], markets: &[MarketSpec]) -> Result<(), GenesisError> {
    for (index, market) in markets.iter().enumerate() {
        let asset = |id: AssetId| {
            let spec = assets.get(id.index());
            spec.map(|spec| (id, spec)).ok_or(GenesisError::NoAsset {
                symbol: market.symbol.to_string(),
                asset: id.get(),
            })
        };
        let rebuilt = MarketSpec::new(
            market.symbol,
            asset(market.base)?,
            asset(market.quote)?,
            (market.tick, market.lot),
            (market.maker_fee, market.taker_fee),
            market.limits,
        )?;
        if rebuilt != *market {
            return Err(GenesisError::Tick {
                symbol: market.symbol.to_string(),
            });
        }
        if markets[..index].iter().any(|m| m.symbol == market.symbol) {
            return Err(GenesisError::Duplicate {
                what: "market",
                symbol: market.symbol.to_string(),
            });
        }
    }
    Ok(())
}

fn check_accounts(assets: &[AssetSpec], accounts: &[GenesisAccount]) -> Result<(), GenesisError> {
    let mut keys = std::collections::BTreeSet::new();
    let mut supply = vec![Atoms::ZERO; assets.len()];
    for (account, spec) in accounts.iter().enumerate() {
        for key in &spec.keys {
            if key.is_weak() {
                return Err(GenesisError::WeakKey { account, key: *key });
            }
            if !keys.insert(*key) {
                return Err(GenesisError::DuplicateKey { account, key: *key });
            }
        }
        for (index, (asset, amount)) in spec.balances.iter().enumerate() {
            if asset.index() >= assets.len() {
                return Err(GenesisError::UnknownBalance {
                    account,
                    asset: asset.get(),
                });
            }
            let twice = spec.balances[..index].iter().any(|(a, _)| a == asset);
            if twice {
                return Err(GenesisError::Balance { account });
            }
            let total = supply[asset.index()].checked_add(*amount);
            supply[asset.index()] = match total {
                Some(total) if total <= Atoms::MAX => total,
                _ => {
                    let symbol = assets[asset.index()].symbol.to_string();
                    return Err(GenesisError::Supply { symbol });
                }
            };
        }
    }
    Ok(())
}

/// Funded accounts of the development genesis. The account behind them is its operator.
pub const DEVELOPMENT_ACCOUNTS: u32 = 64;

/// The name of a development account, which is also the name of its key.
pub fn development_name(account: AccountId) -> String {
    if account.get() == DEVELOPMENT_ACCOUNTS {
        "dev-operator".to_owned()
    } else {
        format!("dev-{account}")
    }
}

/// The names of all development accounts, in the order of their ids.
pub fn development_names() -> impl Iterator<Item = String> {
    (0..=DEVELOPMENT_ACCOUNTS).map(|account| development_name(AccountId::new(account)))
}

/// The development genesis: assets BTC, ETH, USD; markets BTC-USD and ETH-USD; funded accounts
/// `dev-0` .. `dev-63` and the operator `dev-operator`, all with published keys and wallets.
pub fn development() -> Genesis {
    let symbol = |text| Symbol::new(text).expect("development symbols are legal");
    let asset = |text, decimals| AssetSpec {
        symbol: symbol(text),
        decimals,
    };
    let assets = vec![asset("BTC", 8), asset("ETH", 8), asset("USD", 8)];
    let step = |units, decimals| Step { units, decimals };
    let rate = |ppm| FeeRate::new(ppm).expect("development fees are legal");
    let market = |text, base: u16, tick, lot| {
        let side = |id: u16| (AssetId::new(id), &assets[usize::from(id)]);
        let fees = (rate(100), rate(300));
        let limits = MarketLimits::NONE;
        MarketSpec::new(symbol(text), side(base), side(2), (tick, lot), fees, limits)
            .expect("development markets are legal")
    };
    let markets = vec![
        market("BTC-USD", 0, step(1, 2), step(1, 6)),
        market("ETH-USD", 1, step(1, 2), step(1, 5)),
    ];
    let accounts = (0..=DEVELOPMENT_ACCOUNTS)
        .map(|account| development_account(AccountId::new(account)))
        .collect();
    Genesis::new(NetworkId::DEVELOPMENT, assets, markets, accounts)
        .expect("the development genesis is legal")
}

/// Ten million BTC, a hundred million ETH and a trillion USD: enough for any load. The operator has
/// nothing.
fn development_account(account: AccountId) -> GenesisAccount {
    let name = development_name(account);
    let key = SigningKey::development(&name).public();
    let owner = WalletKey::development(&name).address();
    let units = |asset, units: u128| (AssetId::new(asset), Atoms::new(units * 100_000_000));
    let operator = account.get() == DEVELOPMENT_ACCOUNTS;
    let funds = vec![
        units(0, 10_000_000),
        units(1, 100_000_000),
        units(2, 1_000_000_000_000),
    ];
    GenesisAccount {
        owner,
        group: GroupId::new(account.get()),
        operator,
        keys: vec![key],
        balances: if operator { Vec::new() } else { funds },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset(symbol: &str, decimals: u8) -> AssetSpec {
        AssetSpec {
            symbol: Symbol::new(symbol).unwrap(),
            decimals,
        }
    }

    fn market(tick: &str, lot: &str, fees: (i32, i32)) -> Result<MarketSpec, GenesisError> {
        MarketSpec::new(
            Symbol::new("A-B").unwrap(),
            (AssetId::new(0), &asset("A", 8)),
            (AssetId::new(1), &asset("B", 6)),
            (Step::parse(tick).unwrap(), Step::parse(lot).unwrap()),
            (FeeRate::new(fees.0).unwrap(), FeeRate::new(fees.1).unwrap()),
            MarketLimits::NONE,
        )
    }

    #[test]
    fn steps_must_be_whole_atoms() {
        let symbol = || "A-B".to_owned();
        for (tick, lot, expected) in [
            ("0.01", "0.0001", Ok((10_000, 1))),
            ("5", "1", Ok((100_000_000, 5_000_000))),
            (
                "0.01",
                "0.00001",
                Err(GenesisError::Tick { symbol: symbol() }),
            ),
            (
                "100",
                "0.000000001",
                Err(GenesisError::Lot { symbol: symbol() }),
            ),
            ("0", "1", Err(GenesisError::ZeroStep { symbol: symbol() })),
            ("1", "0", Err(GenesisError::ZeroStep { symbol: symbol() })),
        ] {
            let factors = market(tick, lot, (0, 0)).map(|m| {
                let factors = m.factors;
                (
                    factors.base_atoms_per_lot(),
                    factors.quote_atoms_per_tick_lot(),
                )
            });
            assert_eq!(factors, expected, "tick {tick} lot {lot}");
        }
    }

    #[test]
    fn rebates_are_paid_by_takers() {
        assert!(market("1", "1", (-100, 100)).is_ok());
        assert!(matches!(
            market("1", "1", (-101, 100)),
            Err(GenesisError::Rebate { .. })
        ));
        assert!(matches!(
            market("1", "1", (100, -1)),
            Err(GenesisError::TakerRebate { .. })
        ));
    }

    #[test]
    fn prices_and_sizes_are_text_outside() {
        let genesis = development();
        let (_, market) = genesis.market_named("BTC-USD").unwrap();
        assert_eq!(market.parse_price("100.5"), Ok(Ticks::new(10_050)));
        assert_eq!(market.parse_quantity("0.25"), Ok(BaseLots::new(250_000)));
        assert_eq!(market.format_price(Ticks::new(10_050)), "100.5");
        assert_eq!(market.format_quantity(BaseLots::new(250_000)), "0.25");
        assert_eq!(market.parse_price("100.505"), Err(DecimalError::TooFine));
    }

    #[test]
    fn the_hash_sees_every_part() {
        let genesis = development();
        let mut other = genesis.clone();
        other.accounts[63].balances[2].1 += Atoms::new(1);
        assert_ne!(genesis.hash(), other.hash());
        let mut other = genesis.clone();
        other.markets[1].maker_fee = FeeRate::ZERO;
        assert_ne!(genesis.hash(), other.hash());
        assert_eq!(genesis.hash(), development().hash());
    }
}
