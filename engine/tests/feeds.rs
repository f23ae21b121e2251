//! Feeds over random streams: every follower of the same blocks comes to the same positions, also one
//! that began at a state in between, and no event is left out of a chain.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

mod common;

use std::collections::BTreeMap;

use common::{cut, poor_genesis, random_frames, run};
use engine::State;
use engine::feeds::{Feeds, Positions, book_lines};
use engine::market_data::MarketData;
use types::MarketId;
use types::outcome::{BlockOutcome, Event};
use types::wire::ended::EndedReport;
use types::wire::feed::{Channel, FeedEvents, FeedId, FeedPosition, Records};

const COMMANDS: usize = 5_000;

/// Every message of a run, and where all feeds stood after each block.
type Told = Vec<(FeedId, FeedPosition, Vec<u8>)>;

fn fresh(state: &State) -> Feeds {
    let markets = u16::try_from(state.markets().count()).unwrap();
    Feeds::new(MarketData::new(markets, 3), Positions::default())
}

/// What a node that starts from a checkpoint of this state has.
fn restored(state: &State, positions: &Positions) -> Feeds {
    let mut bytes = Vec::new();
    positions.encode(&mut bytes);
    let accounts = state.ledger().account_count();
    let markets = u32::try_from(state.markets().count()).unwrap();
    let positions = Positions::decode(&bytes, markets, accounts).unwrap();
    Feeds::new(MarketData::of(state, 4), positions)
}

fn follow(feeds: &mut Feeds, outcome: &BlockOutcome) -> Told {
    let mut told = Vec::new();
    feeds.follow(outcome, |feed, position, message| {
        told.push((feed, position, message.to_vec()));
    });
    told
}

fn assert_same_books(state: &State, left: &Feeds, right: &Feeds) {
    for (market, _, _) in state.market_states() {
        for channel in Channel::PUBLIC {
            let feed = FeedId::Market(channel, market);
            let marks = [left, right].map(|feeds| feeds.mark(feed, &mut Vec::new()));
            assert_eq!(marks[0], marks[1], "{feed:?}");
        }
    }
}

#[test]
fn who_begins_in_between_goes_on_exactly() {
    let genesis = poor_genesis();
    for seed in 0..6 {
        println!("seed {seed}");
        let frames = random_frames(&genesis, seed, COMMANDS);
        let mut state = State::from_genesis(&genesis, seed);
        let blocks = cut(&state, &frames, 10, seed);
        let mut first = fresh(&state);
        let mut later: Vec<Feeds> = Vec::new();
        let mut height = 0;
        run(&mut state, &blocks, |state, outcome| {
            let told = follow(&mut first, outcome);
            for feeds in &mut later {
                assert_eq!(follow(feeds, outcome), told);
            }
            height += 1;
            if height % 10 == 7 && later.len() < 5 {
                later.push(restored(state, first.positions()));
            }
            if height % 5 == 0 {
                for feeds in &later {
                    assert_eq!(feeds.positions(), first.positions());
                    assert_same_books(state, feeds, &first);
                }
            }
        });
        assert!(later.len() > 2, "nobody began in between");
    }
}

/// Reads the messages as a client does, and counts what the outcomes say.
#[test]
fn chains_leave_nothing_out() {
    let genesis = poor_genesis();
    for seed in 10..13 {
        println!("seed {seed}");
        let frames = random_frames(&genesis, seed, COMMANDS);
        let mut state = State::from_genesis(&genesis, seed);
        let blocks = cut(&state, &frames, 10, seed);
        let mut feeds = fresh(&state);
        let mut known: BTreeMap<FeedId, FeedPosition> = BTreeMap::new();
        let (mut fills, mut ended) = (0, 0);
        run(&mut state, &blocks, |_, outcome| {
            for (feed, position, message) in follow(&mut feeds, outcome) {
                let events = FeedEvents::parse(&message).unwrap();
                let before = known.entry(feed).or_default();
                assert_eq!(events.feed, feed);
                assert_eq!(events.sequence, before.sequence + 1);
                assert_eq!(events.hash_after(&before.hash), events.hash);
                *before = FeedPosition {
                    sequence: events.last(),
                    hash: events.hash,
                };
                assert_eq!(*before, position);
            }
            for record in &outcome.events {
                let event = record.event();
                fills += usize::from(matches!(event, Event::Fill(_)));
                ended += usize::from(EndedReport::of_event(&event).is_some());
            }
        });
        assert!(fills > 100 && ended > 10, "{fills} {ended}");
        let count = |channel| {
            let feeds = known.iter().filter(|(feed, _)| feed.channel() == channel);
            feeds.map(|(_, position)| position.sequence).sum::<u64>()
        };
        assert_eq!(count(Channel::Account), (2 * fills + ended) as u64);
        assert!(count(Channel::Trades) >= fills as u64);
        let all: Vec<_> = feeds.positions().iter().collect();
        let known: Vec<_> = known.into_iter().collect();
        assert_eq!(all.len(), known.len());
        for (feed, position) in known {
            assert!(all.contains(&(feed, position)), "{feed:?}");
        }
    }
}

/// A block whose events fill several messages is chained like any other.
#[test]
fn long_blocks_are_cut_into_messages() {
    let genesis = poor_genesis();
    let frames = random_frames(&genesis, 3, COMMANDS);
    let mut state = State::from_genesis(&genesis, 3);
    let blocks = cut(&state, &frames, 0, 3);
    let mut feeds = fresh(&state);
    let mut most = 0;
    run(&mut state, &blocks, |_, outcome| {
        let told = follow(&mut feeds, outcome);
        let l3 = FeedId::Market(Channel::L3, MarketId::new(0));
        most = most.max(told.iter().filter(|(feed, _, _)| *feed == l3).count());
        for (_, _, message) in told {
            let events = FeedEvents::parse(&message).unwrap();
            assert!(!matches!(events.records, Records::L3(events) if events.len() > 682));
        }
    });
    assert!(most > 1, "no block was long");
}

/// Else the first test proves nothing.
#[test]
fn a_changed_book_is_found_out() {
    let genesis = poor_genesis();
    let frames = random_frames(&genesis, 4, 200);
    let mut state = State::from_genesis(&genesis, 4);
    let blocks = cut(&state, &frames, 5, 4);
    let mut feeds = fresh(&state);
    run(&mut state, &blocks, |_, outcome| {
        drop(follow(&mut feeds, outcome))
    });
    let l3 = FeedId::Market(Channel::L3, MarketId::new(0));
    let mut lines = Vec::new();
    let good = feeds.mark(l3, &mut lines);
    assert!(!lines.is_empty());
    let depth = feeds.data().depth(MarketId::new(0)).unwrap();
    let mut other = depth.clone();
    let order = other.orders(types::Side::Bid).next().unwrap();
    other.remove(order.order_id, |_| ());
    let mut changed = Vec::new();
    book_lines(Channel::L3, &other, &mut changed);
    assert_ne!(lines, changed);
    let mut hasher = types::wire::feed::BookHasher::new(Channel::L3);
    hasher.update(&changed);
    assert_ne!(hasher.finish(), good.book_hash);
}
