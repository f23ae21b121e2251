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
mod tests {
    use super::*;

    const GOOD: &str = r#"network = 7

[[asset]]
symbol = "BTC"
decimals = 8

[[asset]]
symbol = "USD"
decimals = 6

[[market]]
symbol = "BTC-USD"
base = "BTC"
quote = "USD"
tick = "0.01"
lot = "0.0001"

[[account]]
owner = "0x0101010101010101010101010101010101010101"
keys = ["0202020202020202020202020202020202020202020202020202020202020202"]
balances = { BTC = "10", USD = "0.5" }
"#;

    fn parse(text: &str) -> Result<Genesis, GenesisFileError> {
        super::parse(text).map(|network| Arc::unwrap_or_clone(network.genesis))
    }

    fn format(genesis: &Genesis) -> String {
        super::format(&Network {
            genesis: Arc::new(genesis.clone()),
            faucet: None,
        })
    }

    #[test]
    fn a_good_file_is_a_genesis() {
        let genesis = parse(GOOD).unwrap();
        assert_eq!(genesis.network(), NetworkId::new(7));
        assert_eq!(genesis.accounts()[0].balances[1].1, Atoms::new(500_000));
        assert_eq!(parse(&format(&genesis)), Ok(genesis));
        let development = genesis::development();
        assert_eq!(parse(&format(&development)), Ok(development));
    }

    #[test]
    fn accounts_are_read_one_by_one_where_nothing_stands_behind_them() {
        let good = parse_in_parts(GOOD).map(|network| Arc::unwrap_or_clone(network.genesis));
        assert_eq!(good, parse(GOOD).ok());
        assert_eq!(parse_whole(GOOD), super::parse(GOOD));

        let account = "\n[[account]]\nowner = \"0x0101010101010101010101010101010101010101\"\n";
        let behind = [
            "[account.balances]\nBTC = \"1\"\n",
            "[[asset]]\nsymbol = \"ETH\"\ndecimals = 8\n",
        ];
        for behind in behind {
            let text = format!("{GOOD}{account}{behind}");
            assert_eq!(parse_in_parts(&text), None, "{text}");
            assert_eq!(super::parse(&text), parse_whole(&text));
            assert!(parse_whole(&text).is_ok(), "{text}");
        }
        let wrong = format!("{GOOD}{account}group = -1\n");
        assert_eq!(parse_in_parts(&wrong), None);
        assert!(super::parse(&wrong).is_err());
    }

    #[test]
    fn a_bad_file_is_refused_with_the_line() {
        for (from, to, line) in [
            ("network = 7", "network = 0", 1),
            ("network = 7", "network = 7\nchain = 1", 2),
            ("decimals = 8", "decimals = 8\nname = 1", 6),
            ("decimals = 8", "decimals = 19", 5),
            ("symbol = \"USD\"", "symbol = \"usd\"", 8),
            ("symbol = \"USD\"", "symbol = \"BTC\"", 8),
            ("base = \"BTC\"", "base = \"DOG\"", 13),
            ("base = \"BTC\"", "base = \"USD\"", 11),
            ("tick = \"0.01\"", "tick = \"0.001\"", 11),
            ("tick = \"0.01\"", "tick = \"-1\"", 15),
            ("lot = \"0.0001\"", "lot = \"0\"", 11),
            ("lot = \"0.0001\"", "lot = \"1\"\ntaker_fee_ppm = -1", 11),
            (
                "lot = \"0.0001\"",
                "lot = \"1\"\ntaker_fee_ppm = 200000",
                17,
            ),
            ("lot = \"0.0001\"", "lot = \"1\"\nmin_notional = 5", 17),
            (
                "lot = \"0.0001\"",
                "lot = \"1\"\nmin_notional = \"0.0000001\"",
                17,
            ),
            ("lot = \"0.0001\"", "lot = \"1\"\nmax_open_orders = 0", 17),
            (
                "lot = \"0.0001\"",
                "lot = \"1\"\nmax_open_orders = 131073",
                17,
            ),
            ("lot = \"0.0001\"", "lot = \"1\"\nprice_band_ppm = 1", 17),
            (
                "lot = \"0.0001\"",
                "lot = \"1\"\nprice_band_interval_ms = 1",
                17,
            ),
            (
                "lot = \"0.0001\"",
                "lot = \"1\"\nprice_band_interval_ms = 1\nprice_band_ppm = 0",
                18,
            ),
            (
                "lot = \"0.0001\"",
                "lot = \"1\"\nprice_band_interval_ms = 86400001\nprice_band_ppm = 1",
                18,
            ),
            ("lot = \"0.0001\"", "lot = \"1\"\nstatus = \"closed\"", 17),
            ("owner = \"0x01", "owner = \"01", 19),
            ("keys = ", "operator = 1\nkeys = ", 20),
            ("keys = ", "group = -1\nkeys = ", 20),
            ("keys = ", "group = 4294967296\nkeys = ", 20),
            ("0202\"]", "02\"]", 20),
            ("USD = \"0.5\"", "EUR = \"0.5\"", 21),
            ("USD = \"0.5\"", "USD = \"0.0000001\"", 21),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD);
            let error = parse(&text).unwrap_err();
            assert_eq!(error.line, line, "{to}: {error}");
        }
    }

    #[test]
    fn an_account_is_in_its_own_group_unless_it_names_another() {
        let account = |owner: &str, group: &str| {
            let owner = owner.repeat(20);
            format!("\n[[account]]\nowner = \"0x{owner}\"\n{group}\n")
        };
        let text = [GOOD, &account("03", ""), &account("04", "group = 0")].concat();
        let genesis = parse(&text).unwrap();
        let groups = genesis.accounts().iter().map(|account| account.group.get());
        assert_eq!(groups.collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(parse(&format(&genesis)), Ok(genesis));
    }

    #[test]
    fn a_market_has_limits_and_an_account_may_be_an_operator() {
        let limits = "min_notional = \"2.5\"\nmax_open_orders = 100\nprice_band_ppm = 50000\n\
             price_band_interval_ms = 0\nstatus = \"post_only\"\n";
        let text = GOOD
            .replacen("[[account]]", &format!("{limits}\n[[account]]"), 1)
            .replacen("keys = ", "operator = true\nkeys = ", 1);
        let genesis = parse(&text).unwrap();
        let expected = MarketLimits {
            notional_min: Atoms::new(2_500_000),
            open_orders_max: 100,
            band: Some(PriceBand {
                width_ppm: 50_000,
                interval_ms: 0,
            }),
            status: MarketStatus::PostOnly,
        };
        assert_eq!(genesis.markets()[0].limits, expected);
        assert!(genesis.accounts()[0].operator);
        let written = format(&genesis);
        assert!(written.contains(limits), "{written}");
        assert_eq!(parse(&written), Ok(genesis));

        // What is as everywhere is not said.
        let plain = format(&parse(GOOD).unwrap());
        for name in ["min_", "max_", "band", "status", "operator"] {
            assert!(!plain.contains(name), "{name} in {plain}");
        }
    }

    /// A faucet behind the last line of the file, and the line of what is wrong.
    #[test]
    fn only_a_development_network_has_a_faucet() {
        let development = Network::development();
        let text = super::format(&development);
        assert_eq!(super::parse(&text), Ok(development));
        let (genesis, good) = text.split_once("\n[faucet]\n").unwrap();
        let first = genesis.lines().count() + 2;
        for (from, to, line) in [
            ("", "", None),
            ("dev-63", "dev-operator", None),
            ("dev-63", "dev-64", Some(1)),
            ("dev-63", &"02".repeat(32), Some(1)),
            ("3600", "0", Some(2)),
            ("3600", "-1", Some(2)),
            ("BTC", "DOG", Some(3)),
            ("100000", "0.000000001", Some(3)),
            ("\"100000\"", "\"0\"", Some(3)),
            ("amounts", "x = 1\namounts", Some(3)),
        ] {
            let text = format!("{genesis}\n[faucet]\n{}", good.replacen(from, to, 1));
            let found = super::parse(&text).map_err(|error| error.line);
            let expected = line.map(|line| first + line);
            assert_eq!(found.err(), expected, "{to:?}");
        }
        let none =
            format!("{genesis}\n[faucet]\nfrom = \"dev-1\"\ncooldown_s = 1\namounts = {{}}\n");
        assert_eq!(super::parse(&none).unwrap_err().line, first);
        let real = text.replacen("network = 1", "network = 7", 1);
        assert!(super::parse(&real).is_err());
        let real = format!("{GOOD}\n[faucet]\n{good}");
        let first = GOOD.lines().count() + 2;
        assert_eq!(super::parse(&real).unwrap_err().line, first);
    }

    #[test]
    fn published_keys_are_for_the_development_network() {
        let with_key = |network: &str, key: &str| {
            GOOD.replacen("network = 7", network, 1)
                .replacen(&"02".repeat(32), key, 1)
        };
        let public = SigningKey::development("dev-3").public().to_string();
        for key in ["dev-3", "dev-operator", &public] {
            assert!(parse(&with_key("network = 1", key)).is_ok());
            assert_eq!(parse(&with_key("network = 7", key)).unwrap_err().line, 20);
        }
    }
}
