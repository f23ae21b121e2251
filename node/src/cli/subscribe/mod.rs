//! `keel subscribe`: one feed, a line an event, every message checked by the SDK's book builder.
//!
//! It reads and reports: a gap is a line, a fault and a stream that ends are errors, and nothing is
//! tried again. The last line with a hash says where to go on. `line` has the lines.

mod line;

use std::net::SocketAddr;

use client::book::FeedBook;
use client::{ConnectOptions, FeedError, FeedStream, Message, Receiver, Sender, SessionError};
use tokio::signal::unix::{SignalKind, signal};
use types::MarketId;
use types::outcome::Digest;
use types::wire::feed::{Channel, FeedId, FeedPosition};
use types::wire::query::{Question, Reference};

use super::connect::{connect_options, server_pin};
use super::{Failure, keygen};
use line::Writer;

/// Options of `keel subscribe`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The node.
    #[arg(long, value_name = "A", default_value = "127.0.0.1:7001")]
    connect: SocketAddr,
    /// What to be told.
    #[arg(long, value_enum)]
    feed: FeedText,
    /// The market, by its symbol; for all feeds but `reports`, which are the account's.
    #[arg(long, value_name = "M", required_if_eq_any([("feed", "trades"), ("feed", "l1"), ("feed", "l2"), ("feed", "l3")]))]
    market: Option<String>,
    /// dev-0 .. dev-63, dev-operator, or a file made by `keel keygen`; the account of `reports` is this
    /// key's.
    #[arg(long, value_name = "K", default_value = "dev-0")]
    key: String,
    /// The node's public key as its `ready` line prints it; without it, the development key.
    #[arg(long, value_name = "HEX")]
    pin: Option<String>,
    /// Go on behind this event: its number and the running hash that was printed with it, or 0 for the
    /// beginning of the feed; without it, a snapshot comes first.
    #[arg(long, value_name = "N[:HASH]", value_parser = parse_position)]
    from: Option<FeedPosition>,
    /// End after so many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// A JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FeedText {
    Trades,
    L1,
    L2,
    L3,
    Reports,
}

fn parse_position(text: &str) -> Result<FeedPosition, String> {
    let (number, hash) = match text.split_once(':') {
        None => (text, Some(Digest::ZERO)),
        Some((number, hash)) => (
            number,
            types::decimal::bytes_from_hex(hash).map(Digest::new),
        ),
    };
    let sequence = number.parse().ok().filter(|it| *it <= u64::MAX / 2);
    let position = sequence.zip(hash);
    let position = position.map(|(sequence, hash)| FeedPosition { sequence, hash });
    // Only the beginning has a hash of zeros, and no other one.
    let is_one = |it: &FeedPosition| (it.sequence == 0) == (it.hash == Digest::ZERO);
    let position = position.filter(is_one);
    position.ok_or_else(|| "not 0, nor a number, a colon and 64 hexadecimal digits".to_owned())
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let pin = server_pin(options.pin.as_deref())?;
    let connect = connect_options(options.connect, pin, keygen::load(&options.key)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start", error))?;
    runtime.block_on(subscribe(options, &connect))
}

async fn subscribe(options: &Options, connect: &ConnectOptions) -> Result<(), Failure> {
    let handler = |kind| signal(kind).map_err(|error| Failure::failed("signals", error));
    let (mut terminate, mut interrupt) = (
        handler(SignalKind::terminate())?,
        handler(SignalKind::interrupt())?,
    );
    let connected = client::connect(connect).await;
    let (sender, receiver) = connected.map_err(|error| Failure::Failed(error.to_string()))?;
    let mut session = Session { sender, receiver };
    let result = tokio::select! {
        result = session.follow(options) => result,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    session.sender.close().await;
    result
}

/// Both halves of a session that only listens.
struct Session {
    sender: Sender,
    receiver: Receiver,
}

impl Session {
    /// Prints what comes until there have been enough events.
    async fn follow(&mut self, options: &Options) -> Result<(), Failure> {
        let reference = self.reference().await?;
        let feed = self.feed(options, &reference)?;
        let mut stream = self.open(feed, options.from).await?;
        let mut book = match options.from {
            None => FeedBook::new(feed, false),
            Some(from) if from == FeedPosition::default() => FeedBook::new(feed, true),
            Some(from) => FeedBook::at(feed, from),
        };
        let mut writer = Writer::new(&reference, options.json, options.count);
        while !writer.is_done() {
            let next = tokio::select! {
                next = stream.next() => next,
                // Whatever else the account is told must be read, or the node ends the session.
                message = self.receiver.next() => match message {
                    Ok(_) => continue,
                    Err(error) => Err(error.into()),
                },
            };
            let message = next.map_err(|error| ended(&error, &book))?;
            let message = message.ok_or_else(|| cut(&book))?;
            let applied = book.apply(&message);
            applied.map_err(|fault| Failure::Failed(format!("the feed is not right: {fault}")))?;
            writer.write(&message);
        }
        Ok(())
    }

    async fn reference(&mut self) -> Result<Reference, Failure> {
        self.sender.queue_query(Question::Reference);
        self.sender.flush().await.map_err(failure)?;
        loop {
            let message = self.receiver.next().await.map_err(failure)?;
            if let Message::Reference { reference, .. } = message {
                return Ok(reference);
            }
        }
    }

    fn feed(&self, options: &Options, reference: &Reference) -> Result<FeedId, Failure> {
        let channel = match options.feed {
            FeedText::Trades => Channel::Trades,
            FeedText::L1 => Channel::L1,
            FeedText::L2 => Channel::L2,
            FeedText::L3 => Channel::L3,
            FeedText::Reports => return Ok(FeedId::Account(self.sender.terms().account)),
        };
        let name = options.market.as_deref();
        let name = name.expect("only the account's feed needs none");
        let markets = (0..).map(MarketId::new).zip(&reference.markets);
        let mut named = markets.filter(|(_, spec)| spec.symbol.as_str() == name);
        let (market, _) = named.next().ok_or_else(|| {
            let known = reference.markets.iter().map(|spec| spec.symbol.as_str());
            let known: Vec<_> = known.collect();
            Failure::Usage(format!("--market {name}: there are {}", known.join(", ")))
        })?;
        Ok(FeedId::Market(channel, market))
    }

    /// Asks for the feed and waits for its stream.
    async fn open(
        &mut self,
        feed: FeedId,
        from: Option<FeedPosition>,
    ) -> Result<FeedStream, Failure> {
        self.sender.queue_subscribe(feed, 0, from);
        self.sender.flush().await.map_err(failure)?;
        loop {
            let message = self.receiver.next().await.map_err(failure)?;
            match message {
                Message::Subscribed { refused: None, .. } => break,
                Message::Subscribed {
                    refused: Some(reason),
                    ..
                } => return Err(Failure::Failed(format!("refused: {reason}"))),
                _ => {}
            }
        }
        let stream = self.receiver.feeds().next().await;
        stream.map_err(|error| Failure::Failed(error.to_string()))
    }
}

fn failure(error: SessionError) -> Failure {
    Failure::Failed(error.to_string())
}

/// The stream ended because of this.
fn ended(error: &FeedError, book: &FeedBook) -> Failure {
    Failure::Failed(format!("{error}{}", hint(book)))
}

/// The stream ended, and a gap before it has said why.
fn cut(book: &FeedBook) -> Failure {
    Failure::Failed(format!("the node ended the feed{}", hint(book)))
}

/// How to lose nothing.
fn hint(book: &FeedBook) -> String {
    let position = book.position();
    position.map_or_else(String::new, |FeedPosition { sequence, hash }| {
        format!("\nhint: go on with --from {sequence}:{hash}")
    })
}
