//! Genesis as a TOML file: parsed strictly, refused with the line.
//!
//! ```toml
//! network = 7
//!
//! [[asset]]
//! symbol = "BTC"
//! decimals = 8
//!
//! [[market]]
//! symbol = "BTC-USD"
//! base = "BTC"
//! quote = "USD"
//! tick = "0.01"
//! lot = "0.000001"
//! maker_fee_ppm = 100
//! taker_fee_ppm = 300
//! min_notional = "5"            # the least price x size of an order, in units of the quote asset
//! max_open_orders = 1000        # of one account in this market
//! price_band_ppm = 50000        # how far prices may go from a reference, ...
//! price_band_interval_ms = 1000 # ... and how long it holds; both or neither
//! status = "auction"            # at first: open (default), post_only, auction, cancel_only, halted
//!
//! [[account]]
//! owner = "0x0101010101010101010101010101010101010101"
//! group = 0                     # shared by accounts that one trader owns; by default the
//!                               # account's number, counted from 0
//! operator = true               # may set the status of markets; by default not
//! keys = ["dev-0"]              # 64 hex digits, or on network 1 a development name
//! balances = { BTC = "10", USD = "1000000" }
//!
//! [faucet]                      # of network 1 only: what `POST /faucet` of the trader API pays
//! from = "dev-63"               # the published wallet that pays; it owns an account
//! cooldown_s = 3600             # between two payments to one address
//! amounts = { BTC = "1" }
//! ```
//!
//! The faucet is no part of the genesis and its hash: it pays by ordinary signed actions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gateway::api::FaucetSpec;
use serde::Deserialize;
use toml::Spanned;
use types::auth::{PublicKey, SigningKey};
use types::command::MarketStatus;
use types::decimal::to_hex;
use types::genesis::{
    self, AssetSpec, DECIMALS_MAX, Genesis, GenesisAccount, GenesisError, MarketLimits, MarketSpec,
    OwnerAddress, PriceBand, Step,
};
use types::wallet::WalletKey;
use types::{AssetId, Atoms, FeeRate, GroupId, NetworkId, Symbol};

/// All that such a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    /// Shared: of a million accounts it is hundreds of megabytes.
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) faucet: Option<FaucetSpec>,
}

impl Network {
    /// The development network, with a faucet.
    pub(crate) fn development() -> Self {
        let units = |asset, units: u128| (AssetId::new(asset), Atoms::new(units * 100_000_000));
        Self {
            genesis: Arc::new(genesis::development()),
            faucet: Some(FaucetSpec {
                from: "dev-63".to_owned(),
                amounts: vec![units(0, 1), units(1, 10), units(2, 100_000)],
                cooldown: Duration::from_secs(3_600),
            }),
        }
    }
}

/// Why a genesis file is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("genesis line {line}: {reason}")]
pub(crate) struct GenesisFileError {
    line: usize,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    network: Spanned<u32>,
    #[serde(default)]
    asset: Vec<Spanned<Asset>>,
    #[serde(default)]
    market: Vec<Spanned<Market>>,
    #[serde(default)]
    account: Vec<Spanned<Account>>,
    #[serde(default)]
    faucet: Option<Spanned<FaucetFields>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asset {
    symbol: Spanned<String>,
    decimals: Spanned<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Market {
    symbol: Spanned<String>,
    base: Spanned<String>,
    quote: Spanned<String>,
    tick: Spanned<String>,
    lot: Spanned<String>,
    #[serde(default)]
    maker_fee_ppm: Option<Spanned<i32>>,
    #[serde(default)]
    taker_fee_ppm: Option<Spanned<i32>>,
    #[serde(default)]
    min_notional: Option<Spanned<String>>,
    #[serde(default)]
    max_open_orders: Option<Spanned<u32>>,
    #[serde(default)]
    price_band_ppm: Option<Spanned<u32>>,
    #[serde(default)]
    price_band_interval_ms: Option<Spanned<u64>>,
    #[serde(default)]
    status: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    owner: Spanned<String>,
    #[serde(default)]
    group: Option<u32>,
    #[serde(default)]
    operator: bool,
    #[serde(default)]
    keys: Vec<Spanned<String>>,
    #[serde(default)]
    balances: BTreeMap<String, Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaucetFields {
    from: Spanned<String>,
    cooldown_s: Spanned<u32>,
    amounts: BTreeMap<String, Spanned<String>>,
}

/// Parses and checks a genesis file.
pub(crate) fn parse(text: &str) -> Result<Network, GenesisFileError> {
    match parse_in_parts(text) {
        Some(network) => Ok(network),
        None => parse_whole(text),
    }
}

/// How each account begins in a file of many.
const ACCOUNT_HEADER: &str = "\n[[account]]\n";

/// Reads the accounts one by one: as one document a million of them takes gigabytes. `None` where that
/// cannot be done, be it that something else stands behind the accounts or that something is wrong,
/// which the whole then names with its line.
fn parse_in_parts(text: &str) -> Option<Network> {
    let mut parts = text.split(ACCOUNT_HEADER);
    let file: File = toml::from_str(parts.next()?).ok()?;
    if !file.account.is_empty() || file.faucet.is_some() {
        return None;
    }
    let lines = Lines { text };
    let (network, assets, markets) = lines.head(&file).ok()?;
    let mut accounts = Vec::new();
    for (part, number) in parts.zip(0..) {
        let account: Account = toml::from_str(part).ok()?;
        let own = GroupId::new(number);
        accounts.push(lines.account(network, &assets, own, &account).ok()?);
    }
    let genesis = Genesis::new(network, assets, markets, accounts).ok()?;
    Some(Network {
        faucet: None,
        genesis: Arc::new(genesis),
    })
}

fn parse_whole(text: &str) -> Result<Network, GenesisFileError> {
    let file: File = toml::from_str(text).map_err(|error| GenesisFileError {
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        reason: error.message().to_owned(),
    })?;
    let lines = Lines { text };
    let (network, assets, markets) = lines.head(&file)?;
    let mut accounts = Vec::new();
    for (account, number) in file.account.iter().zip(0..) {
        let own = GroupId::new(number);
        accounts.push(lines.account(network, &assets, own, account.get_ref())?);
    }
    let genesis = Genesis::new(network, assets, markets, accounts)
        .map_err(|error| lines.whole(&file, &error))?;
    let faucet = file.faucet.as_ref();
    let faucet = faucet.map(|faucet| lines.faucet(&genesis, faucet));
    Ok(Network {
        faucet: faucet.transpose()?,
        genesis: Arc::new(genesis),
    })
}

/// A network as such a file, so that a data directory always holds its own.
pub(crate) fn format(network: &Network) -> String {
    use std::fmt::Write as _;
    let Network { genesis, faucet } = network;
    let mut text = format!("network = {}\n", genesis.network());
    let symbol = |id: AssetId| genesis.assets()[id.index()].symbol;
    for asset in genesis.assets() {
        let (symbol, decimals) = (asset.symbol, asset.decimals);
        let _ = write!(
            text,
            "\n[[asset]]\nsymbol = \"{symbol}\"\ndecimals = {decimals}\n"
        );
    }
    for market in genesis.markets() {
        let step = |step: Step| types::decimal::format(u128::from(step.units), step.decimals);
        let _ = write!(
            text,
            "\n[[market]]\nsymbol = \"{}\"\nbase = \"{}\"\nquote = \"{}\"\ntick = \"{}\"\n\
             lot = \"{}\"\nmaker_fee_ppm = {}\ntaker_fee_ppm = {}\n",
            market.symbol,
            symbol(market.base),
            symbol(market.quote),
            step(market.tick),
            step(market.lot),
            market.maker_fee.get(),
            market.taker_fee.get(),
        );
        format_limits(&mut text, genesis, market);
    }
    for account in genesis.accounts() {
        let keys: Vec<String> = account
            .keys
            .iter()
            .map(|key| format!("\"{key}\""))
            .collect();
        let balances: Vec<String> = account
            .balances
            .iter()
            .map(|(asset, amount)| {
                let spec = &genesis.assets()[asset.index()];
                format!("{} = \"{}\"", spec.symbol, spec.format(*amount))
            })
            .collect();
        let owner = to_hex(&account.owner);
        let _ = write!(
            text,
            "\n[[account]]\nowner = \"0x{owner}\"\ngroup = {}\n{}keys = [{}]\nbalances = {{ {} }}\n",
            account.group,
            if account.operator {
                "operator = true\n"
            } else {
                ""
            },
            keys.join(", "),
            balances.join(", "),
        );
    }
    if let Some(faucet) = faucet {
        format_faucet(&mut text, genesis, faucet);
    }
    text
}

fn format_faucet(text: &mut String, genesis: &Genesis, faucet: &FaucetSpec) {
    use std::fmt::Write as _;
    let amount = |(asset, amount): &(AssetId, Atoms)| {
        let spec = &genesis.assets()[asset.index()];
        format!("{} = \"{}\"", spec.symbol, spec.format(*amount))
    };
    let amounts: Vec<String> = faucet.amounts.iter().map(amount).collect();
    let _ = write!(
        text,
        "\n[faucet]\nfrom = \"{}\"\ncooldown_s = {}\namounts = {{ {} }}\n",
        faucet.from,
        faucet.cooldown.as_secs(),
        amounts.join(", "),
    );
}

/// The limits that a market has, and its first status if it is not open.
fn format_limits(text: &mut String, genesis: &Genesis, market: &MarketSpec) {
    use std::fmt::Write as _;
    let (limits, none) = (&market.limits, MarketLimits::NONE);
    if limits.notional_min != none.notional_min {
        let quote = &genesis.assets()[market.quote.index()];
        let least = quote.format(limits.notional_min);
        let _ = writeln!(text, "min_notional = \"{least}\"");
    }
    if limits.open_orders_max != none.open_orders_max {
        let _ = writeln!(text, "max_open_orders = {}", limits.open_orders_max);
    }
    if let Some(band) = &limits.band {
        let _ = writeln!(text, "price_band_ppm = {}", band.width_ppm);
        let _ = writeln!(text, "price_band_interval_ms = {}", band.interval_ms);
    }
    if limits.status != none.status {
        let _ = writeln!(text, "status = \"{}\"", limits.status.name());
    }
}

/// Turns parts of the file into checked values, naming the line of whatever is wrong.
struct Lines<'a> {
    text: &'a str,
}

impl Lines<'_> {
    fn error<T>(&self, at: &Spanned<T>, reason: impl Into<String>) -> GenesisFileError {
        GenesisFileError {
            line: line_of(self.text, at.span().start),
            reason: reason.into(),
        }
    }

    fn symbol(&self, text: &Spanned<String>) -> Result<Symbol, GenesisFileError> {
        Symbol::new(text.get_ref())
            .ok_or_else(|| self.error(text, "a symbol is 1..=16 of A-Z 0-9 . - _ /"))
    }

    /// All but the accounts.
    fn head(
        &self,
        file: &File,
    ) -> Result<(NetworkId, Vec<AssetSpec>, Vec<MarketSpec>), GenesisFileError> {
        let mut assets = Vec::new();
        for asset in &file.asset {
            let asset = self.asset(&assets, asset.get_ref())?;
            assets.push(asset);
        }
        let mut markets = Vec::new();
        for market in &file.market {
            markets.push(self.market(&assets, market)?);
        }
        Ok((NetworkId::new(*file.network.get_ref()), assets, markets))
    }

    /// Names are checked here and not with the whole, because markets refer to them.
    fn asset(&self, listed: &[AssetSpec], asset: &Asset) -> Result<AssetSpec, GenesisFileError> {
        let decimals = *asset.decimals.get_ref();
        if decimals > DECIMALS_MAX {
            let reason = format!("an asset has at most {DECIMALS_MAX} decimals");
            return Err(self.error(&asset.decimals, reason));
        }
        let symbol = self.symbol(&asset.symbol)?;
        if listed.iter().any(|earlier| earlier.symbol == symbol) {
            return Err(self.error(&asset.symbol, format!("asset {symbol} is listed twice")));
        }
        Ok(AssetSpec { symbol, decimals })
    }

    fn market(
        &self,
        assets: &[AssetSpec],
        spanned: &Spanned<Market>,
    ) -> Result<MarketSpec, GenesisFileError> {
        let market = spanned.get_ref();
        let asset = |name: &Spanned<String>| {
            let index = assets
                .iter()
                .position(|a| a.symbol.as_str() == name.get_ref());
            let index = index
                .ok_or_else(|| self.error(name, format!("there is no asset {}", name.get_ref())))?;
            let id = u16::try_from(index).map_err(|_| self.error(name, "too many assets"))?;
            Ok((AssetId::new(id), &assets[index]))
        };
        let step = |text: &Spanned<String>| {
            Step::parse(text.get_ref()).map_err(|error| self.error(text, error.to_string()))
        };
        let fee = |rate: &Option<Spanned<i32>>| match rate {
            None => Ok(FeeRate::ZERO),
            Some(ppm) => FeeRate::new(*ppm.get_ref())
                .ok_or_else(|| self.error(ppm, "fees are within 10 % (100000 ppm)")),
        };
        let quote = asset(&market.quote)?;
        MarketSpec::new(
            self.symbol(&market.symbol)?,
            asset(&market.base)?,
            quote,
            (step(&market.tick)?, step(&market.lot)?),
            (fee(&market.maker_fee_ppm)?, fee(&market.taker_fee_ppm)?),
            self.limits(quote.1, market)?,
        )
        .map_err(|error| {
            let reason = error.to_string();
            match (&error, &market.max_open_orders, &market.price_band_ppm) {
                (GenesisError::OpenOrders { .. }, Some(at), _)
                | (GenesisError::Band { .. }, _, Some(at)) => self.error(at, reason),
                _ => self.error(spanned, reason),
            }
        })
    }

    fn limits(&self, quote: &AssetSpec, market: &Market) -> Result<MarketLimits, GenesisFileError> {
        let mut limits = MarketLimits::NONE;
        if let Some(text) = &market.min_notional {
            limits.notional_min = quote
                .parse(text.get_ref())
                .map_err(|error| self.error(text, error.to_string()))?;
        }
        if let Some(count) = &market.max_open_orders {
            limits.open_orders_max = *count.get_ref();
        }
        limits.band = match (&market.price_band_ppm, &market.price_band_interval_ms) {
            (None, None) => None,
            (Some(width), Some(interval)) => Some(PriceBand {
                width_ppm: *width.get_ref(),
                interval_ms: *interval.get_ref(),
            }),
            (Some(width), None) => {
                return Err(self.error(width, "a band has a price_band_interval_ms too"));
            }
            (None, Some(interval)) => {
                return Err(self.error(interval, "a band has a price_band_ppm too"));
            }
        };
        if let Some(text) = &market.status {
            let mut known = MarketStatus::ALL.into_iter();
            limits.status = known
                .find(|status| status.name() == text.get_ref())
                .ok_or_else(|| {
                    self.error(text, format!("no status is called {}", text.get_ref()))
                })?;
        }
        Ok(limits)
    }

    fn account(
        &self,
        network: NetworkId,
        assets: &[AssetSpec],
        own_group: GroupId,
        account: &Account,
    ) -> Result<GenesisAccount, GenesisFileError> {
        let keys = account
            .keys
            .iter()
            .map(|key| self.key(network, key))
            .collect::<Result<Vec<_>, _>>()?;
        let mut balances = Vec::new();
        for (name, amount) in &account.balances {
            balances.push(self.balance(assets, name, amount)?);
        }
        balances.sort_unstable_by_key(|(asset, _)| *asset);
        Ok(GenesisAccount {
            owner: self.owner(&account.owner)?,
            group: account.group.map_or(own_group, GroupId::new),
            operator: account.operator,
            keys,
            balances,
        })
    }

    fn balance(
        &self,
        assets: &[AssetSpec],
        name: &str,
        amount: &Spanned<String>,
    ) -> Result<(AssetId, Atoms), GenesisFileError> {
        let found = assets
            .iter()
            .zip(0..)
            .find(|(a, _)| a.symbol.as_str() == name);
        let (spec, id) =
            found.ok_or_else(|| self.error(amount, format!("there is no asset {name}")))?;
        let atoms = spec
            .parse(amount.get_ref())
            .map_err(|error| self.error(amount, error.to_string()))?;
        Ok((AssetId::new(id), atoms))
    }

    fn faucet(
        &self,
        genesis: &Genesis,
        faucet: &Spanned<FaucetFields>,
    ) -> Result<FaucetSpec, GenesisFileError> {
        if genesis.network() != NetworkId::DEVELOPMENT {
            return Err(self.error(faucet, "only network 1, for development, has a faucet"));
        }
        let FaucetFields {
            from,
            cooldown_s,
            amounts,
        } = faucet.get_ref();
        let name = from.get_ref();
        let is_published = genesis::development_names().any(|it| it == *name);
        let owner = WalletKey::development(name).address();
        if !is_published || genesis.accounts().iter().all(|it| it.owner != owner) {
            let reason = "a faucet is a development wallet, dev-0 to dev-63, that owns an account";
            return Err(self.error(from, reason));
        }
        if *cooldown_s.get_ref() == 0 {
            return Err(self.error(cooldown_s, "a cooldown is at least a second"));
        }
        if !(1..=FAUCET_ASSETS_MAX).contains(&amounts.len()) {
            let reason = format!("a faucet pays 1 to {FAUCET_ASSETS_MAX} assets");
            return Err(self.error(faucet, reason));
        }
        let mut paid = Vec::new();
        for (name, text) in amounts {
            let amount = self.balance(genesis.assets(), name, text)?;
            if amount.1.is_zero() {
                return Err(self.error(text, "an amount is above zero"));
            }
            paid.push(amount);
        }
        paid.sort_unstable_by_key(|(asset, _)| *asset);
        Ok(FaucetSpec {
            from: name.clone(),
            amounts: paid,
            cooldown: Duration::from_secs((*cooldown_s.get_ref()).into()),
        })
    }

    fn owner(&self, text: &Spanned<String>) -> Result<OwnerAddress, GenesisFileError> {
        text.get_ref()
            .strip_prefix("0x")
            .and_then(types::decimal::bytes_from_hex)
            .ok_or_else(|| self.error(text, "an owner is 0x and 40 hexadecimal digits"))
    }

    fn key(
        &self,
        network: NetworkId,
        text: &Spanned<String>,
    ) -> Result<PublicKey, GenesisFileError> {
        let development = network == NetworkId::DEVELOPMENT;
        let name = text.get_ref();
        let published = genesis::development_names().find(|published| {
            name == published
                || PublicKey::from_hex(name)
                    .is_some_and(|key| key == SigningKey::development(published).public())
        });
        match published {
            Some(published) if development => Ok(SigningKey::development(&published).public()),
            Some(published) => Err(self.error(
                text,
                format!("the key of {published} is published: only network 1 accepts it"),
            )),
            None => PublicKey::from_hex(name)
                .ok_or_else(|| self.error(text, "a key is 64 hexadecimal digits")),
        }
    }

    /// Errors that span several entries point at the first entry they can name.
    fn whole(&self, file: &File, error: &GenesisError) -> GenesisFileError {
        let reason = error.to_string();
        match error {
            GenesisError::Duplicate { symbol, .. } => {
                let mut names = file.market.iter().map(|market| &market.get_ref().symbol);
                let last = names.rfind(|name| name.get_ref() == symbol);
                last.map(|last| self.error(last, reason.as_str()))
            }
            GenesisError::Balance { account }
            | GenesisError::UnknownBalance { account, .. }
            | GenesisError::DuplicateKey { account, .. } => file
                .account
                .get(*account)
                .map(|entry| self.error(entry, reason.as_str())),
            _ => None,
        }
        .unwrap_or_else(|| self.error(&file.network, reason))
    }
}

/// Each is a payment of its own.
const FAUCET_ASSETS_MAX: usize = 16;

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

#[cfg(test)]
mod tests;
