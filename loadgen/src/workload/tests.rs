//! The workload is deterministic, keeps its mix, its bounds and the grid.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use types::genesis::{Genesis, development};
use types::limits::SLOTS_PER_FRAME_MAX;
use types::wire::command::{encode_command, slots_needed};

use super::*;

const CLIENTS: u32 = 4;

fn development_plan(spread: Spread, seed: u64) -> Arc<WorkloadPlan> {
    plan_of(Scenario::of(spread), seed)
}

fn plan_of(scenario: Scenario, seed: u64) -> Arc<WorkloadPlan> {
    WorkloadPlan::new(Reference::of(&development()), scenario, CLIENTS, seed).unwrap()
}

fn client(plan: &Arc<WorkloadPlan>, client: u32) -> Workload {
    let genesis = development();
    let free = &genesis.accounts()[client as usize].balances;
    Workload::new(plan, client, free, 0).unwrap()
}

/// The next command, of workloads that send no quote sets.
fn next_command(workload: &mut Workload) -> Command<'static> {
    match workload.next(&mut Vec::new()) {
        Planned::Command(command) => command,
        Planned::Quotes { .. } => panic!("quotes are not in the mix"),
    }
}

fn commands_hash(seed: u64, client_number: u32) -> u64 {
    let plan = development_plan(Spread::Zipf, seed);
    let mut workload = client(&plan, client_number);
    let mut hasher = DefaultHasher::new();
    let mut bytes = Vec::new();
    for _ in 0..100_000 {
        bytes.clear();
        encode_command(&next_command(&mut workload), &mut bytes);
        bytes.hash(&mut hasher);
    }
    hasher.finish()
}

#[test]
fn the_seed_decides_everything() {
    assert_eq!(commands_hash(1, 0), commands_hash(1, 0));
    assert_ne!(commands_hash(1, 0), commands_hash(2, 0));
    assert_ne!(commands_hash(1, 0), commands_hash(1, 1));
}

/// Frames of any size cut the same stream, whoever else asks in between.
#[test]
fn frames_and_other_clients_change_nothing() {
    let plan = development_plan(Spread::Uniform, 9);
    let (mut alone, mut framed, mut other) = (client(&plan, 0), client(&plan, 0), client(&plan, 1));
    let mut frame = Frame::new();
    for size in (1..64).cycle().take(500) {
        framed.fill_frame(&mut frame, size);
        next_command(&mut other);
        assert_eq!(frame.len(), size);
        frame.with(|commands| {
            for command in commands {
                assert_eq!(next_command(&mut alone), *command);
            }
        });
    }
}

#[test]
fn the_mix_is_as_stated() {
    let plan = development_plan(Spread::Uniform, 5);
    let mut workload = client(&plan, 2);
    let count = 200_000;
    let (mut rests, mut post_only, mut cancels, mut crosses) = (0, 0, 0, 0);
    for _ in 0..count {
        match next_command(&mut workload) {
            Command::Place(place) => match place.kind {
                OrderKind::GTC => rests += 1,
                OrderKind::POST_ONLY => post_only += 1,
                _ => crosses += 1,
            },
            Command::Cancel(_) => cancels += 1,
            other => panic!("{other:?} is not in the mix"),
        }
    }
    let percent = |part: i32| f64::from(part) * 100.0 / f64::from(count);
    // At its number of resting orders a client cancels as many as it places.
    for (name, part, expected) in [
        ("rest", rests + post_only, 45.5),
        ("cancel", cancels, 44.5),
        ("cross", crosses, 10.0),
        ("post-only", post_only, 45.5 / 16.0),
    ] {
        let part = percent(part);
        assert!((part - expected).abs() < 1.0, "{name}: {part} %");
    }
}

/// A client's first commands, before its books are full, have the nominal shares.
#[test]
fn a_fresh_client_builds_its_book_up() {
    let plan = development_plan(Spread::Hot, 5);
    let mut workload = client(&plan, 0);
    let cancels = (0..10_000)
        .filter(|_| matches!(next_command(&mut workload), Command::Cancel(_)))
        .count();
    assert!((4_000..4_400).contains(&cancels), "{cancels} cancels");
    assert!((400..800).contains(&workload.resting()));
}

#[test]
fn orders_are_legal_and_books_bounded() {
    for spread in Spread::ALL {
        let plan = development_plan(spread, 77);
        let mut workload = client(&plan, 3);
        let mut resting = vec![BTreeSet::new(); 2];
        let mut labels = BTreeSet::new();
        for _ in 0..300_000 {
            match next_command(&mut workload) {
                Command::Place(place) => {
                    let away = place.price.get().abs_diff(mid::MID_HOME.get());
                    assert!(away <= mid::MID_STRAY_MAX as u64 + 1 + DISTANCE_MAX);
                    assert!(!place.quantity.is_zero() && place.quantity <= QUANTITY_MAX);
                    assert!(labels.insert(place.client_order_id), "labels are unique");
                    if place.kind.resting().is_some() {
                        resting[place.market.index()].insert(place.client_order_id);
                    }
                }
                Command::Cancel(Cancel::Client {
                    market,
                    client_order_id,
                    remember_until: LogTime::ZERO,
                }) => assert!(resting[market.index()].remove(&client_order_id)),
                other => panic!("{other:?} is not in the mix"),
            }
            assert!(resting.iter().all(|open| open.len() <= plan.resting_max()));
        }
        let open: usize = resting.iter().map(BTreeSet::len).sum();
        assert_eq!(open, workload.resting(), "{spread}");
    }
}

#[test]
fn a_crossing_order_reaches_at_most_five_ticks_through_the_mid() {
    let plan = development_plan(Spread::Hot, 13);
    let mut workload = client(&plan, 1);
    for made in 0..50_000 {
        let mid = plan.mids[0].at(made).get();
        let Command::Place(place) = next_command(&mut workload) else {
            continue;
        };
        let price = place.price.get();
        let (towards, away) = match place.side {
            Side::Bid => (price.saturating_sub(mid), mid.saturating_sub(price)),
            Side::Ask => (mid.saturating_sub(price), price.saturating_sub(mid)),
        };
        if place.kind.resting().is_some() {
            assert!(towards == 0 && (1..=DISTANCE_MAX + 1).contains(&away));
        } else {
            assert!(away == 0 && (1..=CROSS_TICKS_MAX).contains(&towards));
        }
    }
}

#[test]
fn distances_are_pareto_like_and_capped() {
    let median = pareto_distance(1 << 15);
    assert!(median.abs_diff(DISTANCE_SCALE) <= 1, "{median}");
    assert_eq!(pareto_distance((1 << 16) - 1), 0);
    assert_eq!(pareto_distance(0), DISTANCE_MAX);
}

#[test]
fn a_workload_that_cannot_be_is_refused() {
    let genesis = development();
    let reference = Reference::of(&genesis);
    let plan = |reference, clients| {
        WorkloadPlan::new(reference, Scenario::of(Spread::Uniform), clients, 1).map(|_| ())
    };
    let empty = Reference::default();
    assert_eq!(plan(empty, 1), Err(WorkloadError::NoMarket));
    assert_eq!(plan(reference, 0), Err(WorkloadError::NoClient));

    let plan = development_plan(Spread::Uniform, 1);
    let mut free = genesis.accounts()[0].balances.clone();
    free[1].1 = Atoms::new(1_000);
    let refused = Workload::new(&plan, 7, &free, 0).map(|_| ());
    let symbol = |text| types::Symbol::new(text).unwrap();
    let (market, asset) = (symbol("ETH-USD"), symbol("ETH"));
    assert_eq!(
        refused,
        Err(WorkloadError::Funds {
            client: 7,
            market,
            asset
        })
    );
    // Where nobody trades ETH, nobody needs any.
    let hot = development_plan(Spread::Hot, 1);
    assert!(Workload::new(&hot, 7, &free, 0).is_ok());
}

/// The worst case of every client stays within its funds, however small they are.
#[test]
fn the_worst_case_is_funded() {
    let genesis: Genesis = development();
    let plan = development_plan(Spread::Uniform, 1);
    let (btc, usd) = (AssetId::new(0), AssetId::new(2));
    let eth = AssetId::new(1);
    for units in [1u128 << 50, 1 << 56, 1 << 70] {
        let free = [btc, eth, usd].map(|asset| (asset, Atoms::new(units)));
        let workload = Workload::new(&plan, 0, &free, 0).unwrap();
        let worst: u128 = (0..2)
            .map(|market| {
                let factors = genesis.markets()[market].factors;
                let quantity = workload.markets[market].quantity_max;
                factors.notional(highest_price(), quantity).get() * plan.resting_max() as u128
            })
            .sum();
        assert!(worst <= units, "{units}");
    }
}

/// Quote sets and replaces come in their shares, with levels that a book takes, and frames of them fit.
#[test]
fn other_mixes_are_as_stated() {
    let text = "name = 'makers'\nquote_levels = 3\nmarket_count = 1\n\
                [mix]\nplace = 3\ncancel = 2\nreplace = 2\nquote_set = 2\ncross = 1\n";
    let scenario = Scenario::parse(text).unwrap();
    let (plan, size) = (plan_of(scenario.clone(), 21), scenario.frame_max());
    let mut workload = client(&plan, 1);
    let mut frame = Frame::new();
    let (mut sets, mut replaces, mut last, mut bytes) = (0, 0, 0, Vec::new());
    let frames = 2_000;
    for _ in 0..frames {
        workload.fill_frame(&mut frame, size);
        frame.with(|commands| {
            let slots: usize = commands.iter().map(slots_needed).sum();
            assert!(slots <= SLOTS_PER_FRAME_MAX);
            for command in commands {
                assert_eq!(command.market(), Some(MarketId::new(0)));
                bytes.clear();
                encode_command(command, &mut bytes);
                match command {
                    Command::QuoteSet(set) => {
                        sets += 1;
                        assert!(last < set.number);
                        last = set.number;
                        assert_eq!((set.bids.len(), set.asks.len()), (3, 3));
                        assert!(set.bids.is_sorted_by(|a, b| b.price() < a.price()));
                        assert!(set.asks.is_sorted_by(|a, b| a.price() < b.price()));
                        assert!(set.bids[0].price() < set.asks[0].price());
                    }
                    Command::Replace(replace) => {
                        replaces += 1;
                        assert!(!replace.may_take && !replace.quantity.is_zero());
                    }
                    _ => (),
                }
            }
        });
    }
    for (name, part) in [("quote set", sets), ("replace", replaces)] {
        let percent = f64::from(part) * 100.0 / (frames * size) as f64;
        assert!((percent - 20.0).abs() < 1.0, "{name}: {percent} %");
    }
    let many = Scenario {
        market_count: Some(3),
        ..scenario
    };
    let refused = WorkloadPlan::new(Reference::of(&development()), many, 1, 1).map(|_| ());
    assert_eq!(
        refused,
        Err(WorkloadError::TooFewMarkets { asked: 3, there: 2 })
    );
}
