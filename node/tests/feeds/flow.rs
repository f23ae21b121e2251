//! A random flow of orders from one session, and all that the session is told about them.

use std::net::SocketAddr;
use std::time::Duration;

use client::{Message, connect};
use types::command::{CancelScope, OrderKind, Place, Resting, SelfTrade, TimeInForce};
use types::wire::feed::AccountReport;
use types::{BaseLots, ClientOrderId, Command, LogTime, MarketId, Side, Ticks};

use crate::common::options;
use crate::proxy::Random;

/// Longer than any answer takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where the prices are.
const MIDDLE: u64 = 10_000;
const SPREAD: u64 = 40;
const COMMANDS: u64 = 8;

/// Sends so many frames, one after the answer to the other, and returns every report that came.
pub(crate) async fn trade(
    server: SocketAddr,
    name: &'static str,
    frames: u64,
    seed: u64,
) -> Vec<AccountReport> {
    let mut random = Random(seed);
    let mut reports = Vec::new();
    let (mut sender, mut receiver) = connect(&options(server, name)).await.unwrap();
    for number in 0..=frames {
        let mut commands: Vec<_> = (0..COMMANDS).map(|_| command(&mut random)).collect();
        if number == frames {
            // Nothing is left that could expire after the end.
            commands = vec![Command::CancelAll(CancelScope::EVERYTHING)];
        }
        let nonce = sender.queue_frame(&commands);
        sender.flush().await.unwrap();
        loop {
            let next = tokio::time::timeout(PATIENCE, receiver.next()).await;
            match next.expect("a frame is answered").unwrap() {
                Message::Ack(ack) if ack.nonce() == nonce => break,
                other => note(&other, &mut reports),
            }
        }
    }
    // What others' orders do to this account goes on until they have stopped, too.
    sender.close().await;
    while let Ok(message) = receiver.next().await {
        note(&message, &mut reports);
    }
    reports
}

pub(crate) fn note(message: &Message, reports: &mut Vec<AccountReport>) {
    match message {
        Message::Fills(fills) => {
            reports.extend(fills.reports().iter().copied().map(AccountReport::Fill));
        }
        Message::Ended(ended) => {
            reports.extend(ended.reports().iter().copied().map(AccountReport::Ended));
        }
        _ => {}
    }
}

/// Price of what [`mark`] does, far from everything else.
pub(crate) const MARK: Ticks = Ticks::new(1);

/// After all traders have ended: a trade that every reader knows as the last.
pub(crate) async fn mark(server: SocketAddr) {
    for (name, side, kind) in [
        ("dev-1", Side::Bid, OrderKind::GTC),
        ("dev-0", Side::Ask, OrderKind::IOC),
    ] {
        let (mut sender, mut receiver) = connect(&options(server, name)).await.unwrap();
        sender.queue_frame(&[Command::Place(place(side, kind, MARK, 77))]);
        sender.flush().await.unwrap();
        while !matches!(receiver.next().await.unwrap(), Message::Ack(_)) {}
    }
}

fn place(side: Side, kind: OrderKind, price: Ticks, quantity: u64) -> Place {
    Place {
        market: MarketId::new(0),
        side,
        kind,
        price,
        quantity: BaseLots::new(quantity),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    }
}

pub(crate) fn command(random: &mut Random) -> Command<'static> {
    if random.below(20) == 0 {
        return Command::CancelAll(CancelScope::EVERYTHING);
    }
    let side = if random.below(2) == 0 {
        Side::Bid
    } else {
        Side::Ask
    };
    // Bids mostly below asks, and now and then they meet.
    let away = random.below(SPREAD);
    let price = match side {
        Side::Bid => MIDDLE + 5 - away,
        Side::Ask => MIDDLE - 5 + away,
    };
    let quantity = 1 + random.below(1_000);
    let kind = match random.below(6) {
        0 => OrderKind::IOC,
        1 => OrderKind::Limit(TimeInForce::Rest(Resting {
            display: BaseLots::new(1 + quantity / 3),
            ..Resting::PLAIN
        })),
        2 => OrderKind::Limit(TimeInForce::Rest(Resting {
            expires_at: LogTime::new(soon()),
            ..Resting::PLAIN
        })),
        _ => OrderKind::GTC,
    };
    Command::Place(place(side, kind, Ticks::new(price), quantity))
}

fn soon() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_nanos()).unwrap() + 300_000_000
}
