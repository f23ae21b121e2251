//! What the public is told: one line per step, and beside it all that it tells.

use matching::{Best, BookEvent, Depth, ShownLevel, ShownOrder, Traded};
use types::limits::QUANTITY_LOTS_MAX;
use types::{BaseLots, OrderId, Side, Ticks};

#[test]
fn orders_come_shrink_and_go() {
    check(&[
        ("add bid 1 5@100", "+1 5@100; bid 5@100 x1; best bid 5@100"),
        // Behind the best: nobody who reads the best is told.
        ("add bid 2 7@99", "+2 7@99; bid 7@99 x1"),
        ("add bid 3 2@100", "+3 2@100; bid 7@100 x2; best bid 7@100"),
        ("add ask 4 9@101", "+4 9@101; ask 9@101 x1; best ask 9@101"),
        ("snapshot", "bid 7@100 x2 7@99 x1: 1 3 2; ask 9@101 x1: 4"),
        ("shrink 1 3", "~1 3@100; bid 5@100 x2; best bid 5@100"),
        ("shrink 2 6", "~2 6@99; bid 6@99 x1"),
        // It keeps its place.
        ("snapshot", "bid 5@100 x2 6@99 x1: 1 3 2; ask 9@101 x1: 4"),
        // Only hidden size went.
        ("shrink 1 3", ""),
        ("remove 1", "-1 3@100; bid 2@100 x1; best bid 2@100"),
        ("remove 3", "-3 2@100; bid 0@100 x0; best bid 6@99"),
        ("remove 3", "no such order"),
        ("remove 2", "-2 6@99; bid 0@99 x0; best bid none"),
        ("snapshot", "bid: ; ask 9@101 x1: 4"),
    ]);
}

#[test]
fn a_trade_is_told_before_what_it_does() {
    check(&[
        ("add ask 1 5@100", "+1 5@100; ask 5@100 x1; best ask 5@100"),
        (
            "add ask 2 5@100",
            "+2 5@100; ask 10@100 x2; best ask 10@100",
        ),
        ("trade bid 1 2@100", "bid takes 2@100 of 1"),
        ("shrink 1 3", "~1 3@100; ask 8@100 x2; best ask 8@100"),
        ("trade bid 1 3@100", "bid takes 3@100 of 1"),
        ("remove 1", "-1 3@100; ask 5@100 x1; best ask 5@100"),
    ]);
}

#[test]
fn an_iceberg_that_shows_its_next_part_waits_anew() {
    check(&[
        ("add bid 1 4@100", "+1 4@100; bid 4@100 x1; best bid 4@100"),
        (
            "add bid 2 6@100",
            "+2 6@100; bid 10@100 x2; best bid 10@100",
        ),
        // As much as before: who reads totals is told nothing.
        ("refresh 1 4", "-1 4@100; +1 4@100"),
        ("snapshot", "bid 10@100 x2: 2 1; ask: "),
        (
            "refresh 2 1",
            "-2 6@100; +2 1@100; bid 5@100 x2; best bid 5@100",
        ),
        ("snapshot", "bid 5@100 x2: 1 2; ask: "),
        // An id that left may come back, at another price, at the back.
        ("remove 1", "-1 4@100; bid 1@100 x1; best bid 1@100"),
        ("add bid 1 4@99", "+1 4@99; bid 4@99 x1"),
        ("snapshot", "bid 1@100 x1 4@99 x1: 2 1; ask: "),
    ]);
}

#[test]
fn both_sides_are_read_best_first() {
    check(&[
        ("add bid 1 1@1", "+1 1@1; bid 1@1 x1; best bid 1@1"),
        ("add bid 2 1@3", "+2 1@3; bid 1@3 x1; best bid 1@3"),
        ("add bid 3 1@2", "+3 1@2; bid 1@2 x1"),
        (
            "add ask 4 1@4294967294",
            "+4 1@4294967294; ask 1@4294967294 x1; best ask 1@4294967294",
        ),
        ("add ask 5 1@5", "+5 1@5; ask 1@5 x1; best ask 1@5"),
        ("add ask 6 1@9", "+6 1@9; ask 1@9 x1"),
        (
            "snapshot",
            "bid 1@3 x1 1@2 x1 1@1 x1: 2 3 1; ask 1@5 x1 1@9 x1 1@4294967294 x1: 5 6 4",
        ),
    ]);
}

/// A total stays at the highest number while there is more, and comes back exactly.
#[test]
fn a_total_beyond_all_numbers_is_bounded() {
    let mut depth = Depth::new(7);
    let orders = u64::MAX / QUANTITY_LOTS_MAX + 1;
    for id in 1..=orders {
        depth.add(&order(Side::Bid, id, QUANTITY_LOTS_MAX, 7), |_| ());
    }
    let best = |depth: &Depth| depth.best(Side::Bid).map(|best| best.quantity.get());
    assert_eq!(best(&depth), Some(u64::MAX));
    depth.remove(OrderId::new(1), |_| ());
    assert_eq!(best(&depth), Some((orders - 1) * QUANTITY_LOTS_MAX));
}

#[test]
fn what_cannot_happen_is_refused() {
    type Act = fn(&mut Depth);
    let acts: &[(&str, Act)] = &[
        ("an id twice", |depth| {
            depth.add(&order(Side::Ask, 1, 1, 101), |_| ());
        }),
        ("an order of nothing", |depth| {
            depth.add(&order(Side::Bid, 2, 0, 100), |_| ());
        }),
        ("to grow in place", |depth| {
            depth.shrink(OrderId::new(1), BaseLots::new(6), |_| ());
        }),
        ("to shrink to nothing", |depth| {
            depth.shrink(OrderId::new(1), BaseLots::ZERO, |_| ());
        }),
        ("to shrink who is not there", |depth| {
            depth.shrink(OrderId::new(2), BaseLots::new(1), |_| ());
        }),
        ("to show nothing next", |depth| {
            depth.refresh(OrderId::new(1), BaseLots::ZERO, |_| ());
        }),
        ("a trade of hidden size", |depth| {
            depth.trade(&traded(Side::Ask, 1, 6, 100), |_| ());
        }),
        ("a trade at another price", |depth| {
            depth.trade(&traded(Side::Ask, 1, 5, 99), |_| ());
        }),
    ];
    for (what, act) in acts {
        let mut depth = Depth::new(7);
        depth.add(&order(Side::Bid, 1, 5, 100), |_| ());
        let result = std::panic::catch_unwind(move || act(&mut depth));
        assert!(result.is_err(), "{what}");
    }
}

/// Runs the steps and compares all that each tells.
fn check(steps: &[(&str, &str)]) {
    let mut depth = Depth::new(7);
    for (number, (step, expected)) in steps.iter().enumerate() {
        let words: Vec<&str> = step.split_whitespace().collect();
        assert_eq!(run(&mut depth, &words), *expected, "step {number}: {step}");
    }
}

fn run(depth: &mut Depth, words: &[&str]) -> String {
    let mut told = Vec::new();
    let sink = |event: &BookEvent| told.push(text(event));
    match *words {
        ["add", side, id, size] => {
            let (shown, price) = sizes(size);
            depth.add(&order(side_of(side), number(id), shown, price), sink);
        }
        ["trade", side, id, size] => {
            let (quantity, price) = sizes(size);
            depth.trade(&traded(side_of(side), number(id), quantity, price), sink);
        }
        ["shrink", id, shown] => {
            depth.shrink(OrderId::new(number(id)), BaseLots::new(number(shown)), sink);
        }
        ["refresh", id, shown] => {
            depth.refresh(OrderId::new(number(id)), BaseLots::new(number(shown)), sink);
        }
        ["remove", id] => {
            if depth.remove(OrderId::new(number(id)), sink).is_none() {
                return "no such order".to_owned();
            }
        }
        ["snapshot"] => return snapshot(depth),
        _ => panic!("no such step: {words:?}"),
    }
    told.join("; ")
}

fn text(event: &BookEvent) -> String {
    let sized = |order: &ShownOrder| format!("{} {}@{}", order.order_id, order.shown, order.price);
    match event {
        BookEvent::Traded(traded) => {
            let (side, maker) = (traded.taker_side.name(), traded.maker);
            format!(
                "{side} takes {}@{} of {maker}",
                traded.quantity, traded.price
            )
        }
        BookEvent::Added(order) => format!("+{}", sized(order)),
        BookEvent::Shrunk(order) => format!("~{}", sized(order)),
        BookEvent::Removed(order) => format!("-{}", sized(order)),
        BookEvent::LevelChanged { side, level } => format!("{} {}", side.name(), totals(level)),
        BookEvent::BestChanged { side, best } => match best {
            Some(Best { price, quantity }) => format!("best {} {quantity}@{price}", side.name()),
            None => format!("best {} none", side.name()),
        },
        BookEvent::StatusChanged(_) | BookEvent::Indicated(_) => {
            unreachable!("a book has no status")
        }
    }
}

fn snapshot(depth: &Depth) -> String {
    let snapshot = depth.snapshot();
    let sides = Side::BOTH.map(|side| {
        let levels = snapshot.levels[side as usize].iter();
        let levels = levels.map(|level| format!(" {}", totals(level)));
        let orders = snapshot.orders[side as usize].iter();
        let orders: Vec<String> = orders.map(|order| order.order_id.to_string()).collect();
        let levels: String = levels.collect();
        format!("{}{levels}: {}", side.name(), orders.join(" "))
    });
    sides.join("; ")
}

fn totals(level: &ShownLevel) -> String {
    format!("{}@{} x{}", level.quantity, level.price, level.orders)
}

fn order(side: Side, id: u64, shown: u64, price: u64) -> ShownOrder {
    ShownOrder {
        order_id: OrderId::new(id),
        side,
        price: Ticks::new(price),
        shown: BaseLots::new(shown),
    }
}

fn traded(taker_side: Side, maker: u64, quantity: u64, price: u64) -> Traded {
    Traded {
        maker: OrderId::new(maker),
        taker_side,
        price: Ticks::new(price),
        quantity: BaseLots::new(quantity),
        in_auction: false,
    }
}

fn side_of(word: &str) -> Side {
    let mut sides = Side::BOTH.into_iter();
    sides.find(|side| side.name() == word).expect("a side")
}

fn sizes(word: &str) -> (u64, u64) {
    let (quantity, price) = word.split_once('@').expect("a size");
    (number(quantity), number(price))
}

fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}
