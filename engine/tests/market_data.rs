//! Market data over random streams: what is shown is what rests, and whoever joins late and applies
//! only what is told arrives at the same book.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Random, Signer, cut, poor_genesis, random_frames, run};
use engine::State;
use engine::market::MarketState;
use engine::market_data::MarketData;
use matching::{Best, BookEvent, BookSnapshot, ShownLevel, ShownOrder};
use types::block::SequencedFrame;
use types::genesis::Genesis;
use types::outcome::{BlockOutcome, DoneReason, Event, EventRecord};
use types::{Command, LogTime, MarketId, OrderId, SequenceNumber, Side, Ticks};

const COMMANDS: usize = 10_000;

type Frames = Vec<(SequencedFrame, LogTime)>;

#[test]
fn what_is_shown_is_what_rests() {
    let genesis = poor_genesis();
    let mut reached = Reached::default();
    for seed in 0..8 {
        println!("seed {seed}");
        let frames = random_frames(&genesis, seed, COMMANDS);
        follow(&genesis, &frames, (20, seed), None, &mut reached);
    }
    reached.assert_all();
}

#[test]
fn so_it_is_after_every_command() {
    let genesis = poor_genesis();
    let mut reached = Reached::default();
    for seed in 100..104 {
        println!("seed {seed}");
        let frames = one_by_one(&genesis, &random_frames(&genesis, seed, COMMANDS));
        follow(&genesis, &frames, (100, seed), None, &mut reached);
    }
    reached.assert_all();
}

/// A client with a fault is found out, whatever the fault: else the other tests prove nothing.
#[test]
fn a_client_with_a_fault_is_found_out() {
    let genesis = poor_genesis();
    let frames = random_frames(&genesis, 1, COMMANDS);
    for (fault, difference) in [
        (Fault::NewcomersGoToTheFront, "L3 client"),
        (Fault::MissesWhoShrinks, "L3 client"),
        (Fault::KeepsEmptyLevels, "L2 client"),
        (Fault::MissesANewBest, "L1 client"),
    ] {
        let result = std::panic::catch_unwind(|| {
            let mut reached = Reached::default();
            follow(&genesis, &frames, (20, 1), Some(fault), &mut reached);
        });
        let message = result.expect_err("no difference was seen");
        let message = message.downcast_ref::<String>().expect("an assertion");
        assert!(message.contains(difference), "{fault:?}: {message}");
    }
}

/// So is a follower that is not told of an order.
#[test]
fn an_event_that_is_missing_is_found_out() {
    let genesis = poor_genesis();
    let frames = random_frames(&genesis, 2, 100);
    let mut state = State::from_genesis(&genesis, 2);
    let mut data = MarketData::new(market_count(&genesis), 3);
    let blocks = cut(&state, &frames, 0, 2);
    run(&mut state, &blocks[..1], |state, outcome| {
        let mut outcome = outcome.clone();
        let rests = |record: &EventRecord| matches!(record.event(), Event::Rested(_));
        let last = outcome.events.iter().rposition(rests).unwrap();
        outcome.events.truncate(last);
        data.follow(&outcome, |_, _, _| ());
        let result = std::panic::catch_unwind(|| assert_shows(&data, state));
        result.expect_err("no difference was seen");
    });
}

/// Executes the frames, cut into blocks, and compares after each block: the follower with the book,
/// and the clients that have joined so far with the follower. One more joins now and then.
fn follow(
    genesis: &Genesis,
    frames: &[(SequencedFrame, LogTime)],
    (percent, seed): (u64, u64),
    fault: Option<Fault>,
    reached: &mut Reached,
) {
    let mut random = Random::new(seed);
    let mut state = State::from_genesis(genesis, seed);
    let mut data = MarketData::new(market_count(genesis), 4);
    let mut clients = vec![Client::join(&data, fault)];
    let blocks = cut(&state, frames, percent, seed);
    run(&mut state, &blocks, |state, outcome| {
        let mut last = data.sequence();
        data.follow(outcome, |market, sequence, event| {
            assert!(last <= sequence && sequence <= outcome.last_sequence);
            last = sequence;
            for client in &mut clients {
                client.hear(market, sequence, event);
            }
        });
        assert_eq!(data.sequence(), outcome.last_sequence);
        assert_shows(&data, state);
        for client in &clients {
            client.assert_knows(&data);
        }
        reached.count(outcome);
        if clients.len() < 6 && random.chance(2) {
            clients.push(Client::join(&data, fault));
        }
    });
    assert!(clients.len() > 1, "nobody joined on the way");
}

fn market_count(genesis: &Genesis) -> u16 {
    u16::try_from(genesis.markets().len()).expect("markets are limited")
}

/// The same commands, each in a frame of its own.
fn one_by_one(genesis: &Genesis, frames: &[(SequencedFrame, LogTime)]) -> Frames {
    let mut signer = Signer::new(genesis);
    let mut singles = Vec::new();
    for (sequenced, now) in frames {
        let frame = sequenced.frame.frame();
        let account = frame.header().account.get();
        let single = |command: Command<'_>| (signer.frame(account, &[command]), *now);
        singles.extend(frame.commands().map(single));
    }
    singles
}

/// Compares all that is shown with the books themselves.
fn assert_shows(data: &MarketData, state: &State) {
    for (market, _, MarketState { book, .. }) in state.market_states() {
        let depth = data.depth(market).expect("every market is followed");
        assert_eq!(depth.len(), book.len());
        for side in Side::BOTH {
            let orders = book.orders(side).map(|order| ShownOrder {
                order_id: order.order_id,
                side: order.side,
                price: order.price,
                shown: order.shown,
            });
            assert!(depth.orders(side).eq(orders), "L3 and book, {market}");
            let levels = book.levels(side).map(|level| ShownLevel {
                price: level.price,
                quantity: level.quantity,
                orders: level.orders,
            });
            assert!(depth.levels(side).eq(levels), "L2 and book, {market}");
            let best = book.levels(side).next().map(|level| Best {
                price: level.price,
                quantity: level.quantity,
            });
            assert_eq!(depth.best(side), best, "L1 and book, {market}");
        }
    }
}

/// What a deliberately broken client does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NewcomersGoToTheFront,
    MissesWhoShrinks,
    KeepsEmptyLevels,
    MissesANewBest,
}

/// Three readers per market, none of which looks at what another reads.
#[derive(Debug)]
struct Client {
    since: SequenceNumber,
    markets: Vec<Known>,
    fault: Option<Fault>,
}

/// What they know of one market.
#[derive(Debug)]
struct Known {
    best: [Option<Best>; 2],
    levels: [BTreeMap<Ticks, ShownLevel>; 2],
    /// Both sides in one list, in the order of arrival.
    orders: Vec<ShownOrder>,
}

impl Client {
    fn join(data: &MarketData, fault: Option<Fault>) -> Self {
        let depths = (0..).map_while(|market| data.depth(MarketId::new(market)));
        Self {
            since: data.sequence(),
            markets: depths.map(|depth| Known::from(depth.snapshot())).collect(),
            fault,
        }
    }

    fn hear(&mut self, market: MarketId, sequence: SequenceNumber, event: &BookEvent) {
        assert!(self.since < sequence, "only later events");
        let known = &mut self.markets[market.index()];
        match (self.fault, event) {
            (Some(Fault::NewcomersGoToTheFront), BookEvent::Added(order)) => {
                known.orders.insert(0, *order);
            }
            (Some(Fault::MissesWhoShrinks), BookEvent::Shrunk(_)) => {}
            (Some(Fault::KeepsEmptyLevels), BookEvent::LevelChanged { level, .. })
                if level.orders == 0 => {}
            (Some(Fault::MissesANewBest), BookEvent::BestChanged { best: Some(_), .. }) => {}
            _ => known.apply(event),
        }
    }

    fn assert_knows(&self, data: &MarketData) {
        for (market, known) in (0..).map(MarketId::new).zip(&self.markets) {
            let depth = data.depth(market).expect("every market is followed");
            for side in Side::BOTH {
                assert!(
                    known.orders(side).eq(depth.orders(side)),
                    "L3 client, {market}"
                );
                assert!(
                    known.levels(side).eq(depth.levels(side)),
                    "L2 client, {market}"
                );
                let best = known.best[side as usize];
                assert_eq!(best, depth.best(side), "L1 client, {market}");
            }
        }
    }
}

impl From<BookSnapshot> for Known {
    fn from(snapshot: BookSnapshot) -> Self {
        let orders = snapshot.orders.concat();
        let best = snapshot.levels.each_ref().map(|levels| {
            let level = levels.first()?;
            Some(Best {
                price: level.price,
                quantity: level.quantity,
            })
        });
        let by_price = |level: ShownLevel| (level.price, level);
        let levels = snapshot.levels;
        Self {
            best,
            levels: levels.map(|levels| levels.into_iter().map(by_price).collect()),
            orders,
        }
    }
}

impl Known {
    fn apply(&mut self, event: &BookEvent) {
        match event {
            BookEvent::Traded(_) | BookEvent::StatusChanged(_) | BookEvent::Indicated(_) => {}
            BookEvent::Added(order) => self.orders.push(*order),
            BookEvent::Shrunk(order) => {
                let place = self.place(order);
                self.orders[place] = *order;
            }
            BookEvent::Removed(order) => {
                let place = self.place(order);
                let known = self.orders.remove(place);
                assert_eq!(known, *order, "L3 client, as it last was");
            }
            BookEvent::LevelChanged { side, level } => {
                let levels = &mut self.levels[*side as usize];
                match level.orders {
                    0 => levels.remove(&level.price),
                    _ => levels.insert(level.price, *level),
                };
            }
            BookEvent::BestChanged { side, best } => self.best[*side as usize] = *best,
        }
    }

    fn place(&self, order: &ShownOrder) -> usize {
        let mut orders = self.orders.iter();
        let place = orders.position(|other| other.order_id == order.order_id);
        place.expect("whoever changes was added")
    }

    fn levels(&self, side: Side) -> impl Iterator<Item = ShownLevel> {
        let mut levels: Vec<_> = self.levels[side as usize].values().copied().collect();
        if side == Side::Bid {
            levels.reverse();
        }
        levels.into_iter()
    }

    fn orders(&self, side: Side) -> impl Iterator<Item = ShownOrder> {
        let mut orders = self.orders.clone();
        orders.retain(|order| order.side == side);
        // A stable sort: within a price they stand as they arrived.
        match side {
            Side::Bid => orders.sort_by_key(|order| std::cmp::Reverse(order.price)),
            Side::Ask => orders.sort_by_key(|order| order.price),
        }
        orders.into_iter()
    }
}

/// What has happened: a stream that never reaches the rare cases proves nothing about them.
#[derive(Debug, Default)]
struct Reached {
    what: BTreeSet<&'static str>,
    icebergs: BTreeSet<OrderId>,
    armed: BTreeSet<OrderId>,
}

impl Reached {
    fn count(&mut self, outcome: &BlockOutcome) {
        for record in &outcome.events {
            let what = match record.event() {
                Event::Fill(fill) if fill.auction.is_some() => "fill in auction",
                Event::Fill(fill) if fill.maker_refreshed => "iceberg refreshed",
                Event::Fill(fill) if self.icebergs.contains(&fill.maker.order_id) => "iceberg fill",
                Event::Fill(_) => "fill",
                Event::Rested(rested) if rested.resting.display.is_zero() => "rested",
                Event::Rested(rested) => {
                    self.icebergs.insert(rested.owner.order_id);
                    "iceberg rested"
                }
                Event::Armed(armed) => {
                    self.armed.insert(armed.owner.order_id);
                    "armed"
                }
                Event::Triggered(triggered) => {
                    if self.armed.remove(&triggered.owner.order_id) {
                        "triggered"
                    } else {
                        "stop set off"
                    }
                }
                Event::Reduced(reduced) if self.icebergs.contains(&reduced.owner.order_id) => {
                    "iceberg reduced"
                }
                Event::Reduced(reduced) if reduced.reason == DoneReason::SelfTrade => "decremented",
                Event::Reduced(_) => "reduced",
                Event::Done(done) if self.armed.contains(&done.owner.order_id) => "armed ended",
                Event::Done(done) if done.held => done.reason.name(),
                Event::Done(_) => "never rested",
                Event::Transferred(_) => "transferred",
                Event::StatusChanged(_) => "status changed",
                Event::Indicative(_) => "indicative",
                Event::KeyChanged(_) | Event::PolicySet(_) => "of keys",
                Event::AccountOpened(_) | Event::Deposited(_) | Event::Withdrawn(_) => {
                    "of the edge"
                }
            };
            self.what.insert(what);
        }
    }

    fn assert_all(&self) {
        for what in [
            "iceberg refreshed",
            "iceberg fill",
            "fill",
            "rested",
            "iceberg rested",
            "armed",
            "triggered",
            "iceberg reduced",
            "decremented",
            "reduced",
            "armed ended",
            "cancelled",
            "expired",
            "self_trade",
            "replaced",
            "never rested",
            "fill in auction",
            "stop set off",
            "protection",
            "status changed",
            "indicative",
        ] {
            assert!(self.what.contains(what), "never reached: {what}");
        }
    }
}
