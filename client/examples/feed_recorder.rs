//! A recorder of feeds: subscribes to trades, L2 and L3 of both markets and to its account's reports,
//! checks every message, and writes a line for each. After a lost connection it goes on where it was.
//!
//! ```sh
//! cargo run --release -p client --example feed_recorder -- --seconds 10 > feeds.txt
//! ```
//!
//! Options: `--connect ADDRESS`, `--key dev-3`, `--seconds N`.
//!
//! A line is the feed, then `events` with the number of the first one, how many, and the running hash
//! after them; `book` with the position and the hash of what the book shows; or `gap`.

#![allow(clippy::print_stdout)] // A command-line tool reports on standard output.

mod common;

use client::book::FeedBook;
use client::{
    ConnectOptions, FeedMessage, FeedStream, Receiver, Sender, ServerPin, SignatureMode, connect,
};
use common::{Arguments, MARKETS, Outcome};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{Instant, timeout_at};
use types::MarketId;
use types::auth::SigningKey;
use types::wire::feed::{Channel, FeedId};

/// What the recorder has seen.
#[derive(Debug, Default)]
struct Tally {
    events: u64,
    /// How often a book was the server's.
    compared: u64,
    gaps: u64,
    connections: u64,
}

/// One line a message.
fn line(book: &FeedBook, message: &FeedMessage) -> String {
    let feed = book.feed();
    let name = format!("{} {}", feed.channel().name(), feed.subject());
    match message {
        FeedMessage::Events(events) => {
            let events = events.view();
            let (first, count) = (events.sequence, events.records.len());
            format!("{name} events {first} {count} {}", events.hash)
        }
        FeedMessage::Snapshot(part) => {
            let mark = part.view().mark;
            format!("{name} book {} {}", mark.position.sequence, mark.book_hash)
        }
        FeedMessage::Checkpoint(mark) => {
            format!("{name} book {} {}", mark.position.sequence, mark.book_hash)
        }
        FeedMessage::Gap(gap) => format!("{name} gap {gap:?}"),
    }
}

/// Reads one feed as long as its connection lasts, and hands its book back.
async fn read(
    mut stream: FeedStream,
    mut book: FeedBook,
    lines: mpsc::Sender<(String, u64, bool)>,
) -> FeedBook {
    while let Ok(Some(message)) = stream.next().await {
        book.apply(&message).expect("the server tells the truth");
        let count = match &message {
            FeedMessage::Events(events) => events.view().records.len() as u64,
            _ => 0,
        };
        let is_gap = matches!(message, FeedMessage::Gap(_));
        if lines
            .send((line(&book, &message), count, is_gap))
            .await
            .is_err()
        {
            break;
        }
    }
    book
}

/// Follows all feeds over one connection until that is lost or the time is over.
async fn follow(
    (mut sender, mut receiver): (Sender, Receiver),
    end: Instant,
    books: Vec<FeedBook>,
    tally: &mut Tally,
) -> Outcome<Vec<FeedBook>> {
    tally.connections += 1;
    let mut waiting = Vec::new();
    for book in books {
        let number = sender.queue_subscribe(book.feed(), 0, book.position());
        waiting.push((number, book));
    }
    sender.flush().await?;
    let mut feeds = receiver.feeds();
    // Answers on the session itself are read as well, or it would be closed.
    let session = spawn_local(async move { while receiver.next().await.is_ok() {} });
    let (lines, mut told) = mpsc::channel(1_024);
    let mut readers = JoinSet::new();
    while !waiting.is_empty() {
        let stream = feeds.next().await?;
        let found = waiting
            .iter()
            .position(|(number, _)| *number == stream.number());
        let (_, book) = waiting.swap_remove(found.ok_or("a stream that nobody asked for")?);
        readers.spawn_local(read(stream, book, lines.clone()));
    }
    drop(lines);
    while let Ok(Some((line, count, is_gap))) = timeout_at(end, told.recv()).await {
        println!("{line}");
        tally.events += count;
        tally.gaps += u64::from(is_gap);
    }
    drop(told);
    session.abort();
    sender.close().await;
    Ok(readers.join_all().await)
}

async fn record(arguments: &Arguments) -> Outcome<()> {
    let options = ConnectOptions {
        server: arguments.connect,
        pin: ServerPin::Development,
        network: None,
        key: SigningKey::development(&arguments.key),
        signatures: SignatureMode::Frame,
        keep_alive: client::KEEP_ALIVE,
        receipts: false,
    };
    // Accounts of the development network have the numbers of their names.
    let account = arguments
        .key
        .strip_prefix("dev-")
        .and_then(|it| it.parse().ok());
    let account = FeedId::Account(types::AccountId::new(account.ok_or("--key dev-N")?));
    let markets = (0..MARKETS.len() as u16).map(MarketId::new);
    let channels = [Channel::Trades, Channel::L2, Channel::L3];
    let feeds = markets.flat_map(|market| channels.map(|it| FeedId::Market(it, market)));
    let mut books: Vec<_> = feeds
        .chain([account])
        .map(|feed| FeedBook::new(feed, false))
        .collect();
    let mut tally = Tally::default();
    let end = arguments.end();
    while Instant::now() < end {
        // A node that is being started again does not answer yet.
        let Ok(session) = connect(&options).await else {
            continue;
        };
        books = follow(session, end, books, &mut tally).await?;
    }
    tally.compared = books.iter().map(FeedBook::compared).sum();
    println!(
        "feed recorder: {} events, {} books compared, {} gaps, {} connections",
        tally.events, tally.compared, tally.gaps, tally.connections
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments = Arguments::read("dev-3")?;
    tokio::task::LocalSet::new()
        .run_until(record(&arguments))
        .await
}
