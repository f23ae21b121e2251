//! A taker: buys and sells at random, always at once or not at all, so that a market maker has
//! something to do. Prints every second what it got.
//!
//! ```sh
//! cargo run --release -p client --example taker -- --seconds 10
//! ```
//!
//! Options: `--connect ADDRESS`, `--key dev-2`, `--seconds N`, `--seed X`,
//! `--signatures rolling|frame`.

#![allow(clippy::print_stdout)] // A command-line tool reports on standard output.

mod common;

use std::time::Duration;

use client::{Market, Message, Session, SessionEvent};
use common::{Arguments, MARKETS, Outcome, Seeded};
use tokio::time::{Instant, MissedTickBehavior, interval};
use types::command::{Immediate, OrderKind, Place, SelfTrade};
use types::wire::query::Question;
use types::{BaseLots, ClientOrderId, Command, Side, Ticks};

/// How often it takes.
const TAKE: Duration = Duration::from_millis(25);
/// How often it asks where the markets are.
const LOOK: Duration = Duration::from_millis(500);

/// One market, and about where its price is.
struct Watched {
    market: Market,
    last: Ticks,
    size: BaseLots,
}

struct Taker {
    watched: Vec<Watched>,
    random: Seeded,
    orders: u64,
    fills: u64,
    rejected: u64,
}

impl Taker {
    /// A market order of a random side and size, bounded a tenth away from the last price.
    fn next_order(&mut self) -> Place {
        let index = self.random.below(self.watched.len() as u64);
        let watched = &self.watched[usize::try_from(index).unwrap_or(0)];
        let (last, lots) = (watched.last.get(), watched.size.get());
        let (side, bound) = match self.random.below(2) {
            0 => (Side::Bid, last + last / 10),
            _ => (Side::Ask, last - last / 10),
        };
        self.orders += 1;
        Place {
            market: watched.market.id,
            side,
            kind: OrderKind::Market(Immediate::OrCancel),
            price: Ticks::new(bound),
            quantity: BaseLots::new(1 + self.random.below(2 * lots)),
            client_order_id: ClientOrderId::NONE,
            self_trade: SelfTrade::CancelTaker,
            trigger: None,
        }
    }

    fn take(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Message(Message::Fills(fills)) => {
                self.fills += fills.reports().len() as u64;
            }
            SessionEvent::Message(Message::Ack(ack)) => {
                let ack = ack.view();
                let outcomes = ack.outcomes.iter();
                let rejected = outcomes.filter(|outcome| outcome.reject_reason().is_some());
                self.rejected += rejected.count() as u64 + u64::from(ack.refused.is_some());
            }
            SessionEvent::Message(Message::Refused { .. }) => self.rejected += 1,
            SessionEvent::Message(Message::MarketStates { markets, .. }) => {
                for state in markets {
                    if let Some(watched) = self.watched.get_mut(state.market.index())
                        && let Some(last) = state.last
                    {
                        watched.last = last;
                    }
                }
            }
            SessionEvent::Message(_) | SessionEvent::Reconnected => {}
        }
    }

    fn report(&self, session: &mut Session, since: Instant) {
        let row = session.stages().rows().next();
        let (p50, p99) = row.map_or((0.0, 0.0), |row| (row.p50_us, row.p99_us));
        println!(
            "{:>4} s  orders {}  fills {}  rejected {}  round trip p50 {p50:.0} us p99 {p99:.0} us",
            since.elapsed().as_secs(),
            self.orders,
            self.fills,
            self.rejected
        );
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments = Arguments::read("dev-2")?;
    let (mut session, markets) = arguments.open().await?;
    let mut watched = Vec::new();
    for (market, (_, price)) in markets.into_iter().zip(MARKETS) {
        watched.push(Watched {
            last: market.spec.parse_price(price)?,
            size: market.spec.parse_quantity("0.05")?,
            market,
        });
    }
    let mut taker = Taker {
        watched,
        random: Seeded(arguments.seed),
        orders: 0,
        fills: 0,
        rejected: 0,
    };
    let (since, end) = (Instant::now(), arguments.end());
    let [mut take, mut look, mut report] = [TAKE, LOOK, Duration::from_secs(1)].map(interval);
    take.set_missed_tick_behavior(MissedTickBehavior::Delay);
    report.tick().await;
    while Instant::now() < end {
        tokio::select! {
            event = session.next() => taker.take(event?),
            _ = take.tick() => if session.has_room() {
                session.queue(&[Command::Place(taker.next_order())]);
                session.flush().await;
            },
            _ = look.tick() => {
                session.ask(Question::Markets);
                session.flush().await;
            }
            _ = report.tick() => taker.report(&mut session, since),
        }
    }
    while session.unanswered() > 0 {
        let event = session.next().await?;
        taker.take(event);
    }
    print!("{}", session.stages().text());
    println!(
        "taker: {} orders, {} fills, {} rejected",
        taker.orders, taker.fills, taker.rejected
    );
    session.close().await;
    Ok(())
}
