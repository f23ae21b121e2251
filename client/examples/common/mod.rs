//! What both example traders share: their command line, a reproducible walk, and a session that
//! knows its markets.

#![allow(dead_code)] // Each example uses its own part.

use std::net::SocketAddr;
use std::time::Duration;

use client::{ConnectOptions, Market, Message, ServerPin, Session, SessionEvent, SignatureMode};
use types::auth::SigningKey;
use types::wire::query::Question;

/// What goes wrong ends an example with a message.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The markets that the examples trade, and where their prices begin.
pub(crate) const MARKETS: [(&str, &str); 2] = [("BTC-USD", "65000"), ("ETH-USD", "3500")];

/// `--connect`, `--key`, `--seconds`, `--seed` and `--signatures`.
pub(crate) struct Arguments {
    pub(crate) connect: SocketAddr,
    pub(crate) key: String,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) signatures: SignatureMode,
}

impl Arguments {
    /// Reads the command line; `key` is what it trades with by default.
    pub(crate) fn read(key: &str) -> Outcome<Self> {
        let mut arguments = Self {
            connect: ([127, 0, 0, 1], 7001).into(),
            key: key.to_owned(),
            seconds: u64::MAX,
            seed: 1,
            signatures: SignatureMode::Rolling,
        };
        let mut words = std::env::args().skip(1);
        while let Some(option) = words.next() {
            let value = words.next().ok_or("every option has a value")?;
            match option.as_str() {
                "--connect" => arguments.connect = value.parse()?,
                "--key" => arguments.key = value,
                "--seconds" => arguments.seconds = value.parse()?,
                "--seed" => arguments.seed = value.parse()?,
                "--signatures" if value == "frame" => arguments.signatures = SignatureMode::Frame,
                "--signatures" if value == "rolling" => {}
                _ => return Err(format!("what is {option} {value}?").into()),
            }
        }
        Ok(arguments)
    }

    /// Opens a session with the development key of that name, and learns the markets.
    pub(crate) async fn open(&self) -> Outcome<(Session, Vec<Market>)> {
        let mut session = Session::open(ConnectOptions {
            server: self.connect,
            pin: ServerPin::Development,
            network: None,
            key: SigningKey::development(&self.key),
            signatures: self.signatures,
            keep_alive: client::KEEP_ALIVE,
            receipts: false,
        })
        .await?;
        session.ask(Question::Reference);
        loop {
            let SessionEvent::Message(Message::Reference { reference, .. }) =
                session.next().await?
            else {
                continue;
            };
            let market = |(name, _): (&str, &str)| Market::named(&reference, name);
            let markets = MARKETS.into_iter().map(market).collect();
            let markets: Option<Vec<Market>> = markets;
            return Ok((session, markets.ok_or("this network has other markets")?));
        }
    }

    /// When to stop.
    pub(crate) fn end(&self) -> tokio::time::Instant {
        let seconds = self.seconds.min(365 * 24 * 60 * 60);
        tokio::time::Instant::now() + Duration::from_secs(seconds)
    }
}

/// Reproducible bits (SplitMix64).
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
