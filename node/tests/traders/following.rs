//! What the API shows is what the ledger holds: native clients trade at random, and then every open
//! order, every level and every balance that a trader can read is compared with the state on disk.

use std::collections::BTreeMap;

use client::{Message, Receiver, Sender, connect};
use serde_json::{Value as Json, json};
use types::command::{
    Cancel, Command, OrderKind, OrderTarget, Place, QuoteLevel, QuoteSet, Replace, Resting,
    SelfTrade, TimeInForce, Trigger, TriggerCondition,
};
use types::decimal::to_hex;
use types::wallet::WalletKey;
use types::{BaseLots, ClientOrderId, MarketId, Side, Ticks};

use crate::common::{Node, run, text};
use crate::{API, ask};

const CLIENTS: u64 = 4;
const FRAMES: u64 = 150;
const COMMANDS: u64 = 8;

/// A generator of numbers: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % below
    }
}

/// One of everything that a native client does to its orders.
fn command(
    random: &mut Random,
    labels: u64,
    levels: &mut Vec<[QuoteLevel; 2]>,
) -> Command<'static> {
    let market = MarketId::new(random.next(2) as u16);
    let side = Side::BOTH[random.next(2) as usize];
    let price = Ticks::new(10_000 + random.next(40));
    let quantity = BaseLots::new(1 + random.next(1_000));
    let label = ClientOrderId::new(1 + random.next(labels));
    let place = |kind, trigger| {
        Command::Place(Place {
            market,
            side,
            kind,
            price,
            quantity,
            client_order_id: label,
            self_trade: SelfTrade::CancelMaker,
            trigger,
        })
    };
    match random.next(12) {
        0..=3 => place(OrderKind::GTC, None),
        4 => place(OrderKind::POST_ONLY, None),
        5 => place(OrderKind::IOC, None),
        6 => {
            let resting = Resting {
                display: BaseLots::new(1 + random.next(20)),
                ..Resting::PLAIN
            };
            place(OrderKind::Limit(TimeInForce::Rest(resting)), None)
        }
        7 => {
            let trigger = Trigger {
                condition: TriggerCondition::Stop,
                price: Ticks::new(10_000 + random.next(40)),
            };
            place(OrderKind::GTC, Some(trigger))
        }
        8 => Command::Cancel(Cancel::Client {
            market,
            client_order_id: label,
            remember_until: types::LogTime::ZERO,
        }),
        9 | 10 => Command::Replace(Replace {
            target: OrderTarget::Client {
                market,
                client_order_id: label,
            },
            price,
            quantity,
            may_take: random.next(2) == 0,
            self_trade: SelfTrade::CancelMaker,
        }),
        _ => {
            let low = 9_990 + random.next(20);
            let quote = |price| QuoteLevel::new(Ticks::new(price), quantity);
            levels.push([quote(low), quote(low + 30)]);
            let [bid, ask]: &'static [QuoteLevel; 2] = Box::leak(Box::new(*levels.last().unwrap()));
            Command::QuoteSet(QuoteSet {
                market,
                number: levels.len() as u64,
                bids: std::slice::from_ref(bid),
                asks: std::slice::from_ref(ask),
            })
        }
    }
}

async fn trade(mut sender: Sender, mut receiver: Receiver, seed: u64) {
    let (mut random, mut levels) = (Random(seed), Vec::new());
    for _ in 0..FRAMES {
        let commands: Vec<_> = (0..COMMANDS)
            .map(|_| command(&mut random, 40, &mut levels))
            .collect();
        sender.queue_frame(&commands);
        sender.flush().await.unwrap();
        while !matches!(receiver.next().await.unwrap(), Message::Ack(_)) {}
    }
}

#[test]
fn what_the_api_shows_is_what_the_ledger_holds() {
    let seed = 0x5eed_0040;
    println!("seed {seed:#x}");
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve_with(directory.path(), &API);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut traders = tokio::task::JoinSet::new();
        for client in 0..CLIENTS {
            let (sender, receiver) = connect(&node.options(&format!("dev-{client}")))
                .await
                .unwrap();
            traders.spawn(trade(sender, receiver, seed + client));
        }
        traders.join_all().await;
    });
    // Answers come to native clients first: a trader's answer is behind everything that was released
    // before it was sent, so after this one all of that is shown.
    let last = crate::Signed::new(
        &WalletKey::development("dev-9"),
        r#"{"type":"noop"}"#,
        crate::now_millis(),
        None,
    );
    assert_eq!(last.send(&node)["status"], "ok");
    let shown = Shown::of(&node);
    assert!(node.stop().success());
    let orders = text(&run("dump", directory.path(), &["--orders"]));
    let balances = text(&run("dump", directory.path(), &["--balances"]));
    assert!(orders.lines().count() > 50, "there is something to compare");
    shown.compare(&orders, &balances);
}

/// What traders can read, as the lines that `keel dump` writes.
struct Shown {
    orders: Vec<String>,
    balances: Vec<String>,
    /// By market and side, shown size by price.
    levels: BTreeMap<(String, &'static str), Vec<Json>>,
}

impl Shown {
    fn of(node: &Node) -> Self {
        let mut shown = Self {
            orders: Vec::new(),
            balances: Vec::new(),
            levels: BTreeMap::new(),
        };
        for account in 0..CLIENTS {
            let address = WalletKey::development(&format!("dev-{account}")).address();
            let user = format!("0x{}", to_hex(&address));
            let question = |kind: &str| ask(node, &json!({ "type": kind, "user": user }));
            for order in question("openOrders").as_array().unwrap() {
                let field = |name: &str| order[name].as_str().unwrap().to_owned();
                let side = if order["side"] == "B" { "bid" } else { "ask" };
                shown.orders.push(format!(
                    "{} {account} {} {side} {} {}",
                    order["oid"],
                    field("coin").replace('/', "-"),
                    field("limitPx"),
                    field("sz"),
                ));
            }
            let state = question("spotClearinghouseState");
            for balance in state["balances"].as_array().unwrap() {
                let field = |name: &str| balance[name].as_str().unwrap().to_owned();
                shown.balances.push(format!(
                    "{account} {} {} {}",
                    field("coin"),
                    field("total"),
                    field("hold")
                ));
            }
        }
        for coin in ["BTC/USD", "ETH/USD"] {
            let book = ask(node, &json!({ "type": "l2Book", "coin": coin }));
            for (side, index) in [("bid", 0), ("ask", 1)] {
                let levels = book["levels"][index].as_array().unwrap().clone();
                shown.levels.insert((coin.replace('/', "-"), side), levels);
            }
        }
        shown.orders.sort_unstable();
        shown
    }

    fn compare(&self, orders: &str, balances: &str) {
        let without_label = |line: &str| line.rsplit_once(' ').unwrap().0.to_owned();
        let held: Vec<String> = orders.lines().map(without_label).collect();
        assert_eq!(self.orders, held);
        for line in balances.lines() {
            let [account, asset, free, held] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let Ok(account) = account.parse::<u64>() else {
                continue;
            };
            if account < CLIENTS {
                let total = sum(free, held);
                let line = format!("{account} {asset} {total} {held}");
                assert!(self.balances.contains(&line), "{line}: {:?}", self.balances);
            }
        }
        self.compare_levels(orders);
    }

    /// Prices, best first; sizes are no larger than what is open there, for icebergs hide some.
    fn compare_levels(&self, orders: &str) {
        let mut open: BTreeMap<(String, String), BTreeMap<u64, u64>> = BTreeMap::new();
        for line in orders.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let key = (fields[2].to_owned(), fields[3].to_owned());
            let (price, size) = (hundredths(fields[4]), millionths(fields[5]));
            *open.entry(key).or_default().entry(price).or_default() += size;
        }
        for ((market, side), levels) in &self.levels {
            assert!(!levels.is_empty(), "{market} {side}");
            let open = &open[&(market.clone(), (*side).to_owned())];
            let mut last = None;
            for level in levels {
                let price = hundredths(level["px"].as_str().unwrap());
                let size = millionths(level["sz"].as_str().unwrap());
                assert!(0 < size && size <= open[&price], "{market} {side} {level}");
                let is_worse = last.is_none_or(|last| match *side {
                    "bid" => price < last,
                    _ => last < price,
                });
                assert!(is_worse, "{market} {side} {level}");
                last = Some(price);
            }
        }
    }
}

fn hundredths(text: &str) -> u64 {
    types::decimal::parse(text, 2).unwrap().try_into().unwrap()
}

fn millionths(text: &str) -> u64 {
    types::decimal::parse(text, 6).unwrap().try_into().unwrap()
}

/// Of two amounts of eight decimals.
fn sum(one: &str, other: &str) -> String {
    let units = |text| types::decimal::parse(text, 8).unwrap();
    types::decimal::format(units(one) + units(other), 8)
}
