//! An honest trader on a thread of its own: a frame every few milliseconds, timed from when it was due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use client::{ConnectOptions, Message};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use types::command::{CancelScope, OrderKind, Place, SelfTrade};
use types::*;

use crate::{PATIENCE, runtime};

/// Between two frames.
const PERIOD: Duration = Duration::from_millis(5);

/// What a trader sends again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Habit {
    Orders,
    Cancels,
}

/// A trader at work.
pub(crate) struct Honest {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Times>,
}

/// How long answers took, sorted, and how many frames got none but a refusal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    pub(crate) answered: Vec<Duration>,
    pub(crate) refused: Vec<RejectReason>,
}

impl Honest {
    pub(crate) fn start(options: ConnectOptions, habit: Habit) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || runtime().block_on(trade(options, habit, &seen)));
        Self { is_over, thread }
    }

    /// Ends it.
    pub(crate) fn finish(self) -> Times {
        self.is_over.store(true, Ordering::Relaxed);
        let mut times = self.thread.join().unwrap();
        times.answered.sort_unstable();
        times
    }

    /// Trades for so long and nothing else.
    pub(crate) fn alone(options: ConnectOptions, habit: Habit, span: Duration) -> Times {
        let honest = Self::start(options, habit);
        runtime().block_on(async { tokio::time::sleep(span).await });
        honest.finish()
    }
}

impl Times {
    /// So many thousandths took at most this long.
    pub(crate) fn quantile(&self, thousandths: usize) -> Duration {
        let last = self.answered.len().checked_sub(1);
        let last = last.expect("no trade, no figure");
        self.answered[last * thousandths / 1_000]
    }

    /// In words.
    pub(crate) fn text(&self) -> String {
        let [p50, p99] = [500, 990].map(|it| self.quantile(it).as_secs_f64() * 1e3);
        format!(
            "p50 {p50:.2} ms, p99 {p99:.2} ms of {}",
            self.answered.len()
        )
    }
}

/// An order that rests and the cancel that takes it off, in one frame; or a cancel alone. What is due is
/// sent whether or not what came before it was answered: the node's slowness must not slow the load.
async fn trade(options: ConnectOptions, habit: Habit, is_over: &AtomicBool) -> Times {
    let (mut sender, mut receiver) = client::connect(&options).await.unwrap();
    let mut times = Times::default();
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut due = BTreeMap::new();
    let everything = Command::CancelAll(CancelScope::EVERYTHING);
    loop {
        let is_over = is_over.load(Ordering::Relaxed);
        if is_over && due.is_empty() {
            break;
        }
        let message = tokio::select! {
            at = ticks.tick(), if !is_over => {
                let nonce = match habit {
                    Habit::Orders => sender.queue_frame(&[order(), everything]),
                    Habit::Cancels => sender.queue_frame(&[everything]),
                };
                due.insert(nonce, at);
                sender.flush().await.unwrap();
                continue;
            }
            message = timeout(PATIENCE, receiver.next()) => message,
        };
        match message.expect("an honest frame is answered").unwrap() {
            Message::Ack(ack) => {
                let ack = ack.view();
                assert_eq!(ack.refused, None);
                let at = due.remove(&ack.nonce).unwrap();
                times.answered.push(Instant::now() - at);
            }
            Message::Refused { nonce, reason } => {
                due.remove(&nonce).unwrap();
                times.refused.push(reason);
            }
            other => panic!("an honest client hears {other:?}"),
        }
    }
    sender.close().await;
    times
}

pub(crate) fn order() -> Command<'static> {
    Command::Place(Place {
        market: MarketId::new(0),
        side: Side::Bid,
        kind: OrderKind::GTC,
        price: Ticks::new(100),
        quantity: BaseLots::new(10),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    })
}
