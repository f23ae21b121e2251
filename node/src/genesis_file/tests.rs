//! Good files, bad ones with their lines, and files that this writes itself.

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
    let none = format!("{genesis}\n[faucet]\nfrom = \"dev-1\"\ncooldown_s = 1\namounts = {{}}\n");
    assert_eq!(super::parse(&none).unwrap_err().line, first);
    let real = text.replacen("network = 1", "network = 7", 1);
    assert!(super::parse(&real).is_err());
    let real = format!("{GOOD}\n[faucet]\n{good}");
    let first = GOOD.lines().count() + 2;
    assert_eq!(super::parse(&real).unwrap_err().line, first);
}

#[test]
fn a_key_that_anybody_can_sign_for_is_refused() {
    let error = parse(&GOOD.replace(&"02".repeat(32), &"00".repeat(32))).unwrap_err();
    assert!(error.to_string().contains("anybody can sign"), "{error}");
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
