//! Sends a recorded level-3 stream to a node: bids from one account, asks from another.
//!
//! Two accounts are two sessions, and what two sessions send may arrive in any order. The trades
//! of a replay must nevertheless be those of the file order. So a command is held back while an
//! unanswered command of the other session is at a price that it would cross; all others may
//! overtake each other without changing any trade (module `ordering` says why). Everything that need
//! not wait shares frames and travels at full speed.
//!
//! What a row of the file means is said in [`recording`].

mod decimal;
mod ordering;
pub mod recording;
mod report;
mod stream;

use std::time::Instant;

use types::command::{Cancel, OrderKind, Place, SelfTrade};
use types::limits::COMMANDS_PER_FRAME_MAX;
use types::wire::query::Reference;
use types::{Command, LogTime, MarketId, Side, Ticks};

use crate::error::LoadError;
use crate::session::{NamedKey, Session, Target};
use ordering::must_wait;
use recording::{Dollars, LOT_DECIMALS, RecordedAction, RecordedCommand};
pub use recording::{Recording, RecordingError};
pub use report::ReplayReport;
use stream::Stream;

/// How to replay.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// To which node.
    pub target: Target,
    /// Into which market; one lot must be a millionth of the base asset.
    pub market: String,
    /// Commands in a frame, 1..=256.
    pub frame: usize,
    /// The account that bids.
    pub bids: NamedKey,
    /// The account that asks.
    pub asks: NamedKey,
}

/// Replays to the end and reports. `progress` is told now and then how many commands were sent.
pub fn replay(
    options: &ReplayOptions,
    recording: &Recording,
    progress: impl FnMut(usize),
) -> Result<ReplayReport, LoadError> {
    if options.frame == 0 || options.frame > COMMANDS_PER_FRAME_MAX {
        return Err(LoadError::Options(format!(
            "a frame holds 1 to {COMMANDS_PER_FRAME_MAX} commands, not {}",
            options.frame
        )));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(replay_all(options, recording, progress))
}

async fn replay_all(
    options: &ReplayOptions,
    recording: &Recording,
    mut progress: impl FnMut(usize),
) -> Result<ReplayReport, LoadError> {
    let bids = Session::open(&options.target, &options.bids).await?;
    let asks = Session::open(&options.target, &options.asks).await?;
    let market = ReplayMarket::find(&bids.reference, &options.market)?;
    let mut replay = Replay {
        bids: Stream::new(bids, Side::Bid, options.frame),
        asks: Stream::new(asks, Side::Ask, options.frame),
        waits: 0,
    };
    let start = Instant::now();
    for (index, recorded) in recording.commands.iter().enumerate() {
        if index.is_multiple_of(PROGRESS_STEP) {
            progress(index);
        }
        replay.send(recorded, &market).await?;
    }
    let waits = replay.waits;
    let counts = replay
        .bids
        .finish()
        .await?
        .plus(replay.asks.finish().await?);
    progress(recording.commands.len());
    Ok(ReplayReport::new(
        recording,
        &counts,
        market.ticks_per_dollar,
        waits,
        start.elapsed(),
    ))
}

/// The two sessions.
struct Replay {
    bids: Stream,
    asks: Stream,
    /// How often one had to wait for the other.
    waits: u64,
}

impl Replay {
    /// Sends one command, once nothing unanswered of the other side could meet it.
    async fn send(
        &mut self,
        recorded: &RecordedCommand,
        market: &ReplayMarket,
    ) -> Result<(), LoadError> {
        let (own, other) = match recorded.side {
            Side::Bid => (&mut self.bids, &mut self.asks),
            Side::Ask => (&mut self.asks, &mut self.bids),
        };
        own.take_answers()?;
        if must_wait(recorded.side, recorded.price, other.reach()) {
            self.waits += 1;
            // Ours go out too: they may travel while we wait.
            other.send().await?;
            own.send().await?;
            while must_wait(recorded.side, recorded.price, other.reach()) {
                other.wait_for_answers().await?;
            }
        }
        own.push(market.command(recorded), recorded.price).await
    }
}

/// The market of a replay, in its own units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ReplayMarket {
    id: MarketId,
    ticks_per_dollar: u64,
}

impl ReplayMarket {
    fn find(reference: &Reference, name: &str) -> Result<Self, LoadError> {
        let refuse = |why: String| Err(LoadError::Options(format!("market {name}: {why}")));
        let mut numbered = (0..).map(MarketId::new).zip(&reference.markets);
        let Some((id, market)) = numbered.find(|(_, market)| market.symbol.as_str() == name) else {
            return refuse("the node has no such market".to_owned());
        };
        if (market.lot.units, market.lot.decimals) != (1, LOT_DECIMALS) {
            return refuse("a recording needs lots of 0.000001".to_owned());
        }
        let dollar = 10u64.pow(market.tick.decimals.into());
        if !dollar.is_multiple_of(market.tick.units) {
            return refuse("a recording needs a tick that divides a dollar".to_owned());
        }
        Ok(Self {
            id,
            ticks_per_dollar: dollar / market.tick.units,
        })
    }

    fn command(&self, recorded: &RecordedCommand) -> Command<'static> {
        let client_order_id = recorded.client_order_id;
        match recorded.action {
            RecordedAction::Place(quantity) => Command::Place(Place {
                market: self.id,
                side: recorded.side,
                kind: OrderKind::GTC,
                price: self.ticks(recorded.price),
                quantity,
                client_order_id,
                self_trade: SelfTrade::Allow,
                trigger: None,
            }),
            RecordedAction::Cancel => Command::Cancel(Cancel::Client {
                market: self.id,
                client_order_id,
                remember_until: LogTime::ZERO,
            }),
        }
    }

    const fn ticks(&self, price: Dollars) -> Ticks {
        Ticks::new(price.get() * self.ticks_per_dollar)
    }
}

/// How many commands lie between two reports of progress.
const PROGRESS_STEP: usize = 1_000;

#[cfg(test)]
mod tests {
    use types::genesis::development;
    use types::{BaseLots, ClientOrderId};

    use super::*;

    #[test]
    fn a_recorded_order_becomes_one_in_the_market_s_units() {
        let reference = Reference::of(&development());
        let market = ReplayMarket::find(&reference, "BTC-USD").unwrap();
        assert_eq!(market.ticks_per_dollar, 100);
        let recorded = RecordedCommand {
            side: Side::Ask,
            price: Dollars::new(78_318),
            client_order_id: ClientOrderId::new(7),
            action: RecordedAction::Place(BaseLots::new(112_049)),
        };
        let genesis = development();
        let spec = &genesis.markets()[0];
        let Command::Place(place) = market.command(&recorded) else {
            panic!("it is an order");
        };
        assert_eq!(spec.format_price(place.price), "78318");
        assert_eq!(spec.format_quantity(place.quantity), "0.112049");
        assert_eq!(place.client_order_id, recorded.client_order_id);
    }

    #[test]
    fn a_market_that_cannot_hold_the_recording_is_refused() {
        let reference = Reference::of(&development());
        for (name, why) in [
            ("DOGE-USD", "no such market"),
            ("ETH-USD", "lots of 0.000001"),
        ] {
            let error = ReplayMarket::find(&reference, name).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
