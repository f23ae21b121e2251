//! The streams of the matching bench are what they say, and everybody makes the same trades of them.

use benches::Size;
use benches::matching::{
    Action, Engine, Keel, Mix, Naming, Plan, Reference, Room, Stream, Tally, plain_order,
    plain_taker, recorded,
};
use matching::{Meeting, NaiveBook, Unguarded};
use types::{AccountId, GroupId, OrderId};

#[test]
fn a_plan_is_one_stream_on_every_machine() {
    // Changes only with the generator: on purpose, and then older figures cannot be compared.
    let expected = [
        ("tx_1s_1k", 0xb65a_142f_c6e8_a755),
        ("xc_1s_1k", 0x12ff_2d41_6a4b_27b5),
        ("tx_1s_100k", 0xe498_2809_29b0_f7c4),
        ("xc_1s_100k", 0xbbad_ac1c_f46f_ea0e),
        ("tx_100s_100k", 0x8ee5_f212_0ea6_75ce),
        ("xc_100s_100k", 0x9fce_6fa2_5dca_65bc),
    ];
    let found = Plan::all(Size::Smoke).map(|plan| (plan.name, plan.stream().hash()));
    assert_eq!(found, expected, "{found:#018x?}");
    for plan in Plan::all(Size::Smoke) {
        let other = Plan {
            seed: plan.seed + 1,
            ..plan
        };
        assert_ne!(plan.stream().hash(), other.stream().hash());
    }
}

#[test]
fn mixes_have_their_shares() {
    // Place, immediate, cancel, move; in thousandths.
    check_shares(Mix::Typical, [477, 100, 423, 0]);
    check_shares(Mix::Moves, [91, 30, 59, 820]);
}

fn check_shares(mix: Mix, expected: [usize; 4]) {
    for plan in Plan::all(Size::Smoke)
        .into_iter()
        .filter(|plan| plan.mix == mix)
    {
        // Books of a few orders are empty now and then, and then nothing can be taken or cancelled.
        let plan = Plan {
            ops: 200_000,
            resting: 200 * u32::from(plan.symbols),
            ..plan
        };
        let stream = plan.stream();
        let ops = stream.measured(Naming::Kept);
        for (action, expected) in Action::ALL.into_iter().zip(expected) {
            let found = ops.iter().filter(|op| op.action == action).count();
            let found = (found * 1_000).div_ceil(ops.len());
            let name = plan.name;
            assert!(
                found.abs_diff(expected) <= 8,
                "{name}: {action:?} {found}, not {expected}"
            );
        }
    }
}

#[test]
fn books_stay_as_full_as_planned() {
    for plan in Plan::all(Size::Smoke) {
        let stream = Plan {
            ops: 50_000,
            ..plan
        }
        .stream();
        let peak: u32 = stream.room.orders.iter().sum();
        let name = plan.name;
        assert!(
            plan.resting * 9 / 10 <= stream.resting,
            "{name}: {}",
            stream.resting
        );
        assert!(peak <= plan.resting * 2, "{name}: {peak}");
    }
}

#[test]
fn everybody_makes_the_same_trades() {
    for plan in Plan::all(Size::Smoke) {
        for seed in 0..4 {
            let plan = Plan { seed, ..plan };
            check_trades(&plan.stream(), &format!("{} with seed {seed}", plan.name));
        }
    }
}

#[test]
fn the_recording_makes_the_same_trades() {
    let path = recorded::path();
    if !path.is_file() {
        eprintln!("no recording: `cargo xtask fetch-data` gets it");
        return;
    }
    let stream = recorded::stream(&path, 20_000).unwrap();
    check_trades(&stream, recorded::NAME);
}

fn check_trades(stream: &Stream, name: &str) {
    assert!(
        stream.expected.trades > 0,
        "{name}: a stream without trades tests nothing"
    );
    let naive = trades::<Naive>(stream);
    assert_eq!(trades::<Reference>(stream), naive, "{name}: reference");
    assert_eq!(trades::<Keel>(stream), naive, "{name}: keel");
    assert_eq!(naive, stream.expected, "{name}: the stream itself");
}

fn trades<E: Engine>(stream: &Stream) -> Tally {
    let mut engine = E::with_room(&stream.room);
    for &op in stream.filling(E::NAMING) {
        engine.apply(op, &mut Tally::default());
    }
    let mut tally = Tally::default();
    for &op in stream.measured(E::NAMING) {
        engine.apply(op, &mut tally);
    }
    tally
}

/// The oracle of crate `matching`, one per symbol.
struct Naive {
    books: Vec<(NaiveBook, u64)>,
}

impl Engine for Naive {
    const NAME: &'static str = "naive";
    const NAMING: Naming = Naming::Renewed;

    fn with_room(room: &Room) -> Self {
        let books = room.orders.iter().map(|_| (NaiveBook::new(), 0));
        Self {
            books: books.collect(),
        }
    }

    fn apply(&mut self, op: benches::matching::Op, tally: &mut Tally) {
        let (book, entered) = &mut self.books[usize::from(op.symbol)];
        if !op.action.enters() || op.action == Action::Move {
            book.cancel(OrderId::new(u64::from(op.id) + 1));
        }
        if !op.action.enters() {
            return;
        }
        *entered += 1;
        let (price, wanted) = (op.price.into(), op.quantity.into());
        let taker = plain_taker(op.side, price, wanted);
        let taken = book.take(
            &taker,
            |account| GroupId::new(account.get()),
            &mut Unguarded,
            |meeting| {
                if let Meeting::Fill {
                    maker, quantity, ..
                } = meeting
                {
                    tally.add(maker.price.get(), quantity.get());
                }
            },
        );
        let remaining = taken.remaining.get();
        if op.action != Action::Immediate && remaining > 0 {
            let owner = (OrderId::new(*entered), AccountId::new(0));
            book.rest(&plain_order(owner, op.side, price, remaining));
        }
    }
}
