//! A market maker: quotes two markets around a reference that walks at random, leans its quotes
//! against what it holds, and prints every second what it holds, what it traded and how long the
//! node took.
//!
//! ```sh
//! cargo run --release -- serve --dir data/maker
//! cargo run --release -p client --example market_maker
//! cargo run --release -p client --example taker
//! ```
//!
//! Options: `--connect ADDRESS`, `--key dev-1`, `--seconds N`, `--seed X`,
//! `--signatures rolling|frame`.

#![allow(clippy::print_stdout)] // A command-line tool reports on standard output.

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::{Market, Message, Session, SessionEvent};
use common::{Arguments, MARKETS, Outcome, Seeded};
use tokio::time::{Instant, MissedTickBehavior, interval};
use types::command::{CancelScope, QuoteLevel, QuoteSet};
use types::wire::ack::FillReport;
use types::{BaseLots, Command, Side, Ticks};

/// How often the reference moves and all quotes are set anew.
const REQUOTE: Duration = Duration::from_millis(20);
/// Levels a side.
const LEVELS: u64 = 5;
/// Between the reference and the best quote, and between levels, in parts per million.
const STEP_PPM: u64 = 100;

/// What the maker knows of one market.
struct Quoted {
    market: Market,
    /// Where it believes the price to be.
    reference: Ticks,
    /// Of one level.
    size: BaseLots,
    /// Base bought less base sold, in lots.
    position: i64,
    fills: u64,
    lots_traded: u64,
    number: u64,
}

impl Quoted {
    fn new(market: Market, price: &str) -> Outcome<Self> {
        Ok(Self {
            reference: market.spec.parse_price(price)?,
            size: market.spec.parse_quantity("0.05")?,
            market,
            position: 0,
            fills: 0,
            lots_traded: 0,
            // Set numbers rise over all lives of the account, and clocks do so in between.
            number: u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?,
        })
    }

    /// Moves the reference by up to two basis points.
    fn walk(&mut self, random: &mut Seeded) {
        let step = self.reference.get() / 10_000;
        let moved = self.reference.get() + random.below(4 * step + 1);
        self.reference = Ticks::new(moved - 2 * step);
    }

    /// Bids and asks, best first. A long position lowers both, a short one raises them.
    fn levels(&self) -> (Vec<QuoteLevel>, Vec<QuoteLevel>) {
        let step = (self.reference.get() * STEP_PPM / 1_000_000).max(1);
        let levels_held = self.position / i64::try_from(self.size.get()).unwrap_or(i64::MAX);
        let lean = levels_held.clamp(-20, 20) * i64::try_from(step / 4).unwrap_or(0);
        let middle = self.reference.get().saturating_add_signed(-lean);
        let level = |price| QuoteLevel::new(Ticks::new(price), self.size);
        let bids = (1..=LEVELS).map(|n| level(middle - n * step)).collect();
        let asks = (1..=LEVELS).map(|n| level(middle + n * step)).collect();
        (bids, asks)
    }

    fn fill(&mut self, fill: &FillReport) {
        let lots = i64::try_from(fill.quantity().get()).unwrap_or(i64::MAX);
        self.position += match fill.side() {
            Side::Bid => lots,
            Side::Ask => -lots,
        };
        self.fills += 1;
        self.lots_traded += fill.quantity().get();
    }

    /// As `BTC-USD 65012.3 holds -0.15`.
    fn text(&self) -> String {
        let spec = &self.market.spec;
        let sign = if self.position < 0 { "-" } else { "+" };
        let held = BaseLots::new(self.position.unsigned_abs());
        format!(
            "{} {} holds {sign}{}",
            spec.symbol,
            spec.format_price(self.reference),
            spec.format_quantity(held)
        )
    }
}

/// The whole maker.
struct Maker {
    quoted: Vec<Quoted>,
    random: Seeded,
    sets: u64,
    rejected: u64,
    reconnects: u64,
}

impl Maker {
    /// Quotes every market, all in one frame.
    fn requote(&mut self, session: &mut Session) {
        if !session.has_room() {
            return;
        }
        let mut levels = Vec::new();
        for quoted in &mut self.quoted {
            quoted.walk(&mut self.random);
            quoted.number += 1;
            levels.push(quoted.levels());
        }
        let sets = self.quoted.iter().zip(&levels);
        let commands: Vec<Command<'_>> = sets
            .map(|(quoted, (bids, asks))| {
                Command::QuoteSet(QuoteSet {
                    market: quoted.market.id,
                    number: quoted.number,
                    bids,
                    asks,
                })
            })
            .collect();
        session.queue(&commands);
        self.sets += commands.len() as u64;
    }

    fn take(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Message(Message::Fills(fills)) => {
                for fill in fills.reports() {
                    if let Some(quoted) = self.quoted.get_mut(fill.market().index()) {
                        quoted.fill(fill);
                    }
                }
            }
            SessionEvent::Message(Message::Ack(ack)) => {
                let ack = ack.view();
                let outcomes = ack.outcomes.iter();
                let rejected = outcomes.filter(|outcome| outcome.reject_reason().is_some());
                self.rejected += rejected.count() as u64 + u64::from(ack.refused.is_some());
            }
            SessionEvent::Message(Message::Refused { .. }) => self.rejected += 1,
            // The next quotes replace whatever rests, and balances tell what was missed.
            SessionEvent::Reconnected => self.reconnects += 1,
            SessionEvent::Message(_) => {}
        }
    }

    fn fills(&self) -> u64 {
        self.quoted.iter().map(|quoted| quoted.fills).sum()
    }

    fn report(&self, session: &mut Session, since: Instant) {
        let rows = session.stages().rows().next();
        let round_trip = rows.map_or_else(String::new, |row| {
            format!(
                "round trip p50 {:.0} us p99 {:.0} us",
                row.p50_us, row.p99_us
            )
        });
        let markets: Vec<String> = self.quoted.iter().map(Quoted::text).collect();
        println!(
            "{:>4} s  {}  quote sets {}  fills {}  rejected {}  {round_trip}",
            since.elapsed().as_secs(),
            markets.join("  "),
            self.sets,
            self.fills(),
            self.rejected,
        );
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments = Arguments::read("dev-1")?;
    let (mut session, markets) = arguments.open().await?;
    let quoted = markets.into_iter().zip(MARKETS);
    let mut maker = Maker {
        quoted: quoted
            .map(|(market, (_, price))| Quoted::new(market, price))
            .collect::<Outcome<_>>()?,
        random: Seeded(arguments.seed),
        sets: 0,
        rejected: 0,
        reconnects: 0,
    };
    session.queue(&[Command::CancelAll(CancelScope::EVERYTHING)]);

    let (since, end) = (Instant::now(), arguments.end());
    let mut requote = interval(REQUOTE);
    requote.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut report = interval(Duration::from_secs(1));
    report.tick().await;
    while Instant::now() < end {
        tokio::select! {
            event = session.next() => maker.take(&event?),
            _ = requote.tick() => {
                maker.requote(&mut session);
                session.flush().await;
            }
            _ = report.tick() => maker.report(&mut session, since),
        }
    }
    session.queue(&[Command::CancelAll(CancelScope::EVERYTHING)]);
    while session.unanswered() > 0 {
        let event = session.next().await?;
        maker.take(&event);
    }
    maker.report(&mut session, since);
    print!("{}", session.stages().text());
    println!(
        "market maker: {} quote sets, {} fills, {} rejected, {} reconnects",
        maker.sets,
        maker.fills(),
        maker.rejected,
        maker.reconnects
    );
    session.close().await;
    Ok(())
}
