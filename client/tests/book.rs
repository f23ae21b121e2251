//! The book builder against forgers: whatever is done to a message of events, it is found, and the error
//! names the first event that is wrong.
//!
//! Feeds are made here by the encoders of `types`, from random changes of a small book.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

use bytes::{Bytes, BytesMut};
use client::FeedMessage;
use client::book::{Fault, FeedBook, FeedFault};
use types::wire::feed::{
    AccountEvent, BestRecord, BookHasher, Channel, FeedEvents, FeedId, FeedMark, FeedPosition,
    L1Event, L2Event, L3Action, L3Event, LevelRecord, OrderRecord, TradeEvent, TradeNews,
    begin_events, finish_events, write_conflated, write_snapshot,
};
use types::wire::split_message;
use types::{AccountId, BaseLots, MarketId, OrderId, SequenceNumber, Side, Ticks};
use zerocopy::{FromZeros as _, IntoBytes};

const SEEDS: std::ops::Range<u64> = 0..4;
const MESSAGES: usize = 12;

fn feeds() -> [FeedId; 5] {
    let public = Channel::PUBLIC.map(|channel| FeedId::Market(channel, MarketId::new(1)));
    let [trades, l1, l2, l3] = public;
    [trades, l1, l2, l3, FeedId::Account(AccountId::new(3))]
}

/// A feed's server: the lines of its book, and where it stands.
struct Server {
    feed: FeedId,
    random: Random,
    position: FeedPosition,
    sequence: u64,
    bests: [BestRecord; 2],
    /// As a snapshot has them.
    levels: Vec<LevelRecord>,
    orders: Vec<OrderRecord>,
}

impl Server {
    fn new(feed: FeedId, seed: u64) -> Self {
        Self {
            feed,
            random: Random(seed),
            position: FeedPosition::default(),
            sequence: 1,
            bests: Side::BOTH.map(|side| BestRecord::new(side, None)),
            levels: Vec::new(),
            orders: Vec::new(),
        }
    }

    /// One message of one to four events.
    fn events(&mut self) -> Bytes {
        let mut message = Vec::new();
        begin_events(&mut message);
        let count = 1 + self.random.below(4) as u16;
        for _ in 0..count {
            let event = self.event();
            message.extend_from_slice(&event);
            self.sequence += 1;
        }
        self.position = finish_events(&mut message, self.feed, count, &self.position);
        Bytes::from(message)
    }

    fn event(&mut self) -> Vec<u8> {
        let sequence = SequenceNumber::new(self.sequence);
        match self.feed.channel() {
            Channel::Trades => TradeEvent::new(sequence, &self.trade()).as_bytes().to_vec(),
            Channel::L1 => {
                let side = self.side();
                let best = (self.price(), self.lots());
                let best = BestRecord::new(side, (self.random.below(4) != 0).then_some(best));
                self.bests[side as usize] = best;
                L1Event::new(sequence, best).as_bytes().to_vec()
            }
            Channel::L2 => L2Event::new(sequence, self.level()).as_bytes().to_vec(),
            Channel::L3 => {
                let (action, order) = self.order();
                L3Event::new(sequence, action, order).as_bytes().to_vec()
            }
            Channel::Account => {
                let fill = types::wire::ack::FillReport::new_zeroed();
                AccountEvent::from(&fill).as_bytes().to_vec()
            }
        }
    }

    fn trade(&mut self) -> TradeNews {
        TradeNews::Trade {
            maker: OrderId::new(self.random.below(100)),
            taker_side: self.side(),
            price: self.price(),
            quantity: self.lots(),
            in_auction: self.random.below(2) == 0,
        }
    }

    fn level(&mut self) -> LevelRecord {
        let (side, price) = (self.side(), self.price());
        let is_here = |level: &LevelRecord| (level.side(), level.price()) == (side, price);
        let place = self.levels.iter().position(is_here);
        if let Some(place) = place {
            self.levels.remove(place);
            if self.random.below(2) == 0 {
                return LevelRecord::new(side, price, BaseLots::ZERO, 0);
            }
        }
        // The number of orders makes it differ from what was there.
        let level = LevelRecord::new(side, price, self.lots(), self.sequence as u32);
        self.levels.push(level);
        self.levels
            .sort_by_key(|level| rank(level.side(), level.price()));
        level
    }

    fn order(&mut self) -> (L3Action, OrderRecord) {
        let drawn = self.random.below(3);
        if drawn != 0 && !self.orders.is_empty() {
            let place = self.random.below(self.orders.len() as u64) as usize;
            let order = self.orders[place];
            if drawn == 1 && order.shown().get() > 1 {
                let shown = BaseLots::new(order.shown().get() - 1);
                let less = OrderRecord::new(order.order_id(), order.side(), order.price(), shown);
                self.orders[place] = less;
                return (L3Action::Shrunk, less);
            }
            self.orders.remove(place);
            return (L3Action::Removed, order);
        }
        let id = OrderId::new(self.sequence);
        let order = OrderRecord::new(id, self.side(), self.price(), self.lots());
        self.orders.push(order);
        // Stable: who came later stays behind.
        self.orders
            .sort_by_key(|order| rank(order.side(), order.price()));
        (L3Action::Added, order)
    }

    fn lines(&self) -> Vec<u8> {
        match self.feed.channel() {
            Channel::L1 => self.bests.as_bytes().to_vec(),
            Channel::L2 => self.levels.as_bytes().to_vec(),
            Channel::L3 => self.orders.as_bytes().to_vec(),
            Channel::Trades | Channel::Account => Vec::new(),
        }
    }

    fn mark(&self) -> FeedMark {
        let mut hasher = BookHasher::new(self.feed.channel());
        hasher.update(&self.lines());
        FeedMark {
            feed: self.feed,
            position: self.position,
            book_hash: hasher.finish(),
            sequence: SequenceNumber::new(self.sequence),
        }
    }

    fn snapshot(&self) -> Bytes {
        let mut messages = Vec::new();
        write_snapshot(&self.mark(), &self.lines(), |message| {
            messages.push(message)
        });
        assert_eq!(messages.len(), 1);
        Bytes::from(messages.remove(0))
    }

    fn checkpoint(&self) -> Bytes {
        Bytes::copy_from_slice(&self.mark().checkpoint())
    }

    fn side(&mut self) -> Side {
        Side::BOTH[self.random.below(2) as usize]
    }

    fn price(&mut self) -> Ticks {
        Ticks::new(1 + self.random.below(5))
    }

    fn lots(&mut self) -> BaseLots {
        BaseLots::new(1 + self.random.below(9))
    }
}

fn rank(side: Side, price: Ticks) -> (u8, u64) {
    match side {
        Side::Bid => (0, u64::MAX - price.get()),
        Side::Ask => (1, price.get()),
    }
}

/// A reader that stands where the server does, and the messages that follow.
fn reader_and_messages(feed: FeedId, seed: u64) -> (FeedBook, Vec<Bytes>, FeedMark) {
    let mut server = Server::new(feed, seed);
    for _ in 0..10 {
        server.events();
    }
    let mut book = FeedBook::new(feed, false);
    assert!(take(&mut book, &server.snapshot()).unwrap().is_ok());
    let mut messages: Vec<_> = (0..MESSAGES).map(|_| server.events()).collect();
    messages.push(server.checkpoint());
    (book, messages, server.mark())
}

/// What comes of the bytes of a stream: `None` if they are no message.
fn take(book: &mut FeedBook, bytes: &Bytes) -> Option<Result<(), FeedFault>> {
    let mut buffer = BytesMut::from(&bytes[..]);
    let (kind, message) = split_message(&mut buffer).ok()??;
    let message = FeedMessage::parse(kind, message).ok()?;
    Some(book.apply(&message))
}

/// Reads all of them, from a snapshot on; the first fault.
fn read(feed: FeedId, seed: u64, messages: &[Bytes]) -> Option<FeedFault> {
    let (mut book, _, _) = reader_and_messages(feed, seed);
    messages
        .iter()
        .find_map(|bytes| take(&mut book, bytes)?.err())
}

#[test]
fn what_the_server_says_is_believed() {
    for feed in feeds() {
        for seed in SEEDS {
            println!("{feed:?} seed {seed}");
            let (mut book, messages, mark) = reader_and_messages(feed, seed);
            for message in &messages {
                assert_eq!(take(&mut book, message), Some(Ok(())));
            }
            assert_eq!(book.position(), Some(mark.position));
            assert_eq!(book.book_hash(), mark.book_hash);
            assert_eq!(book.compared(), 2);
        }
    }
}

/// Who comes back without the book checks the chain, and has a book again after the next snapshot.
#[test]
fn a_chain_is_checked_from_a_position_alone() {
    for feed in feeds() {
        for seed in SEEDS {
            println!("{feed:?} seed {seed}");
            let (known, messages, mark) = reader_and_messages(feed, seed);
            let mut book = FeedBook::at(feed, known.position().unwrap());
            let mut late = FeedBook::at(feed, known.position().unwrap());
            let missed = take(&mut late, &messages[1]).unwrap().unwrap_err();
            assert!(matches!(missed.fault, Fault::OutOfOrder { .. }), "{missed}");
            for message in &messages {
                assert_eq!(take(&mut book, message), Some(Ok(())));
            }
            assert_eq!(book.position(), Some(mark.position));
            assert_eq!(book.compared(), u64::from(!feed.channel().has_book()));
            let elsewhere = FeedPosition {
                sequence: mark.position.sequence,
                ..FeedPosition::default()
            };
            let mut forked = FeedBook::at(feed, elsewhere);
            let found = take(&mut forked, messages.last().unwrap()).unwrap();
            assert_eq!(found.unwrap_err().fault, Fault::WrongHash);
        }
    }
}

/// Any byte, any change of it: the message that was changed is the one that is refused.
#[test]
fn every_changed_byte_of_events_is_found_at_once() {
    let mut random = Random(1);
    let mut tried = 0;
    for feed in feeds() {
        for seed in SEEDS {
            let (mut book, messages, _) = reader_and_messages(feed, seed);
            for message in &messages[..MESSAGES] {
                for at in 0..message.len() {
                    let mask = 1 + random.below(255) as u8;
                    let mut forged = message.to_vec();
                    forged[at] ^= mask;
                    let forged = Bytes::from(forged);
                    // A builder that has refused is of no more use: a copy meets the forgery.
                    let mut copy = copy_of(feed, seed, &messages, message);
                    let found = take(&mut copy, &forged);
                    let what = format!("{feed:?} seed {seed} byte {at} mask {mask}");
                    assert!(!matches!(found, Some(Ok(()))), "{what}");
                    tried += 1;
                }
                assert_eq!(take(&mut book, message), Some(Ok(())));
            }
        }
    }
    println!("{tried} forgeries");
    assert!(tried > 20_000);
}

/// A reader that has read all before this message.
fn copy_of(feed: FeedId, seed: u64, messages: &[Bytes], until: &Bytes) -> FeedBook {
    let (mut book, _, _) = reader_and_messages(feed, seed);
    for message in messages
        .iter()
        .take_while(|message| !std::ptr::eq(*message, until))
    {
        assert_eq!(take(&mut book, message), Some(Ok(())));
    }
    book
}

/// Who can make hashes, too, is found out by the next honest message, or by the book.
#[test]
fn events_with_a_hash_of_their_own_are_found_by_the_next_message() {
    for feed in feeds() {
        for seed in SEEDS {
            println!("{feed:?} seed {seed}");
            let (_, mut messages, _) = reader_and_messages(feed, seed);
            let first = FeedEvents::parse(&messages[4]).unwrap();
            let before = FeedEvents::parse(&messages[3]).unwrap();
            let before = FeedPosition {
                sequence: before.last(),
                hash: before.hash,
            };
            let (at, count) = (first.sequence, first.records.len() as u16);
            let next = FeedEvents::parse(&messages[5]).unwrap().sequence;
            let mut forged = messages[4].to_vec();
            // The command that did it: no book can tell.
            let command = if feed.channel() == Channel::Account {
                72
            } else {
                56
            };
            forged[command] ^= 1;
            finish_events(&mut forged, feed, count, &before);
            messages[4] = Bytes::from(forged);
            let fault = read(feed, seed, &messages).expect("it is found");
            assert!(fault.sequence == next || fault.sequence == at, "{fault}");
            assert_eq!(fault.fault, Fault::WrongHash);
        }
    }
}

/// The checks of the builder, one planted mistake each.
#[test]
fn planted_mistakes_are_named() {
    for feed in feeds() {
        let (_, messages, _) = reader_and_messages(feed, 9);
        let sequence = |index: usize| FeedEvents::parse(&messages[index]).unwrap().sequence;
        let check = |messages: Vec<Bytes>, at: u64, fault: Fault| {
            let found = read(feed, 9, &messages);
            let expected = FeedFault {
                feed,
                sequence: at,
                fault,
            };
            assert_eq!(found, Some(expected), "{feed:?}");
        };
        // One is missing; one comes twice; two change places.
        let mut missing = messages.clone();
        missing.remove(3);
        let expected = sequence(3);
        check(missing, sequence(4), Fault::OutOfOrder { expected });
        let mut twice = messages.clone();
        twice.insert(4, messages[3].clone());
        let expected = sequence(4);
        check(twice, sequence(3), Fault::OutOfOrder { expected });
        let mut swapped = messages.clone();
        swapped.swap(3, 4);
        let expected = sequence(3);
        check(swapped, sequence(4), Fault::OutOfOrder { expected });
        // Another server's history has other hashes.
        let (_, others, _) = reader_and_messages(feed, 10);
        if feed.channel() != Channel::Account {
            let found = read(feed, 9, &others).expect("it is found");
            let is_told = matches!(found.fault, Fault::WrongHash | Fault::OutOfOrder { .. });
            assert!(is_told, "{found}");
        }
        // A message of another feed.
        let other = match feed {
            FeedId::Market(channel, _) => FeedId::Market(channel, MarketId::new(2)),
            FeedId::Account(_) => FeedId::Account(AccountId::new(4)),
        };
        let (_, others, _) = reader_and_messages(other, 9);
        check(others, sequence(0), Fault::OtherFeed);
    }
}

/// What a book shows is compared wherever the server says it.
#[test]
fn another_book_is_found_at_the_checkpoint() {
    for feed in feeds().into_iter().filter(|feed| feed.channel().has_book()) {
        let (mut book, messages, mark) = reader_and_messages(feed, 2);
        for message in &messages[..MESSAGES] {
            assert_eq!(take(&mut book, message), Some(Ok(())));
        }
        let mut hasher = BookHasher::new(feed.channel());
        hasher.update(&[1]);
        let other = FeedMark {
            book_hash: hasher.finish(),
            ..mark
        };
        let other = Bytes::copy_from_slice(&other.checkpoint());
        let fault = take(&mut book, &other).unwrap().unwrap_err();
        assert_eq!(fault.fault, Fault::WrongBook);
        // A snapshot whose lines are not those of its hash.
        let mut server = Server::new(feed, 3);
        while server.lines().len() < 48 {
            server.events();
        }
        let mut forged = server.snapshot().to_vec();
        forged[96] ^= 1;
        let found = take(&mut FeedBook::new(feed, false), &Bytes::from(forged));
        let fault = found.map(|found| found.unwrap_err().fault);
        assert!(
            matches!(fault, None | Some(Fault::WrongBook | Fault::Impossible)),
            "{fault:?}"
        );
    }
}

/// Events that hang together and yet cannot happen to this book.
#[test]
fn what_cannot_happen_is_refused() {
    let feed = FeedId::Market(Channel::L3, MarketId::new(1));
    let order = |id, shown| {
        OrderRecord::new(
            OrderId::new(id),
            Side::Bid,
            Ticks::new(5),
            BaseLots::new(shown),
        )
    };
    for (action, order, is_possible) in [
        (L3Action::Added, order(1, 5), false),
        (L3Action::Added, order(2, 5), true),
        (L3Action::Shrunk, order(1, 4), true),
        (L3Action::Shrunk, order(1, 5), false),
        (L3Action::Shrunk, order(2, 4), false),
        (L3Action::Removed, order(1, 5), true),
        (L3Action::Removed, order(1, 4), false),
        (L3Action::Removed, order(2, 5), false),
    ] {
        let mut book = FeedBook::new(feed, true);
        let first = L3Event::new(
            SequenceNumber::new(1),
            L3Action::Added,
            OrderRecord::new(OrderId::new(1), Side::Bid, Ticks::new(5), BaseLots::new(5)),
        );
        let mut message = Vec::new();
        begin_events(&mut message);
        message.extend_from_slice(first.as_bytes());
        message.extend_from_slice(L3Event::new(SequenceNumber::new(2), action, order).as_bytes());
        finish_events(&mut message, feed, 2, &FeedPosition::default());
        let found = take(&mut book, &Bytes::from(message)).unwrap();
        assert_eq!(found.is_ok(), is_possible, "{action:?} {order:?}");
        if let Err(fault) = found {
            assert_eq!((fault.sequence, fault.fault), (2, Fault::Impossible));
        }
    }
}

/// The newest state, without a hash: compared at checkpoints only, and never taken for a chain.
#[test]
fn conflated_updates_lead_to_the_same_book() {
    let feed = FeedId::Market(Channel::L2, MarketId::new(1));
    let mut server = Server::new(feed, 5);
    let mut book = FeedBook::new(feed, false);
    assert_eq!(take(&mut book, &server.snapshot()), Some(Ok(())));
    for _ in 0..5 {
        let before: Vec<_> = server.levels.clone();
        (0..4).for_each(|_| drop(server.events()));
        let gone = before.iter().filter(|old| {
            let is_here =
                |new: &&LevelRecord| (new.side(), new.price()) == (old.side(), old.price());
            !server.levels.iter().any(|new| is_here(&new))
        });
        let gone = gone.map(|old| LevelRecord::new(old.side(), old.price(), BaseLots::ZERO, 0));
        let newest = server.levels.iter().copied().chain(gone);
        let at = SequenceNumber::new(server.sequence);
        let events: Vec<_> = newest.map(|level| L2Event::new(at, level)).collect();
        write_conflated(feed, server.position.sequence, &events, |message| {
            assert_eq!(take(&mut book, &Bytes::from(message)), Some(Ok(())));
        });
        assert_eq!(book.position(), None, "there is no chain to go on with");
        assert_eq!(take(&mut book, &server.checkpoint()), Some(Ok(())));
    }
    assert_eq!(book.compared(), 6);
    // An event of the chain has no place behind them.
    let fault = take(&mut book, &server.events()).unwrap().unwrap_err();
    assert_eq!(fault.fault, Fault::Unexpected);
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
