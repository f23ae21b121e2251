//! Single orders, one after the other: how long a signed order takes to its durable answer on a
//! node that does nothing else, and where the time goes.

use client::stages::StageRow;
use client::{ConnectOptions, Message, Session, SessionEvent};
use serde::Serialize;
use types::auth::SigningKey;
use types::command::{CancelScope, OrderKind, Place, SelfTrade};
use types::{BaseLots, ClientOrderId, Command, MarketId, Side, Ticks};

use crate::error::LoadError;
use crate::session::Target;

/// What to send.
#[derive(Clone, Debug)]
pub struct PingOptions {
    /// To which node.
    pub target: Target,
    /// Name of the development key that signs.
    pub key: String,
    /// Orders that are measured.
    pub count: u64,
}

/// How long they took.
#[derive(Clone, Debug, Serialize)]
pub struct PingReport {
    /// Orders that were measured.
    pub orders: u64,
    /// How they were signed.
    pub signature_mode: &'static str,
    /// What an answer means.
    pub ack: &'static str,
    /// The round trip, then its stages, which add up to it.
    pub rows: Vec<PingRow>,
    #[serde(skip)]
    text: String,
}

/// Quantiles of a round trip or of a stage of it.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // The names say it.
pub struct PingRow {
    pub name: &'static str,
    pub p50_us: f64,
    pub p99_us: f64,
}

/// Orders before those that are measured: caches and the congestion window begin cold.
const WARM_UP: u64 = 100;

/// Sends them and reports. Blocks the calling thread, which must not be one of another async
/// runtime.
pub fn ping(options: &PingOptions) -> Result<PingReport, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(exchange(options))
}

async fn exchange(options: &PingOptions) -> Result<PingReport, LoadError> {
    let failed = |source| LoadError::Connect {
        key: options.key.clone(),
        source,
    };
    let session = Session::open(ConnectOptions {
        server: options.target.connect,
        pin: options.target.pin,
        network: options.target.network,
        key: SigningKey::development(&options.key),
        signatures: options.target.signatures,
        keep_alive: client::KEEP_ALIVE,
        receipts: false,
    });
    let mut session = session.await.map_err(failed)?;
    let everything = Command::CancelAll(CancelScope::EVERYTHING);
    answered(&mut session, &everything).await.map_err(failed)?;
    for number in 0..WARM_UP + options.count {
        if number == WARM_UP {
            session.stages().clear();
        }
        let order = Command::Place(resting(number));
        answered(&mut session, &order).await.map_err(failed)?;
    }
    let stages = session.stages();
    let row = |row: StageRow| PingRow {
        name: row.name,
        p50_us: row.p50_us,
        p99_us: row.p99_us,
    };
    let report = PingReport {
        orders: stages.len(),
        signature_mode: options.target.signatures.name(),
        ack: "durable",
        rows: stages.rows().map(row).collect(),
        text: stages.text(),
    };
    answered(&mut session, &everything).await.map_err(failed)?;
    session.close().await;
    Ok(report)
}

/// One command there and its answer back.
async fn answered(
    session: &mut Session,
    command: &Command<'_>,
) -> Result<(), client::ConnectError> {
    session.queue(std::slice::from_ref(command));
    while session.unanswered() > 0 {
        match session.next().await? {
            SessionEvent::Message(Message::Refused { reason, .. }) => {
                return Err(client::ConnectError::Refused { reason });
            }
            SessionEvent::Message(_) | SessionEvent::Reconnected => {}
        }
    }
    Ok(())
}

/// A bid at the bottom of the book, where it meets nobody.
const fn resting(number: u64) -> Place {
    Place {
        market: MarketId::new(0),
        side: Side::Bid,
        kind: OrderKind::GTC,
        price: Ticks::new(1 + number % 100),
        quantity: BaseLots::new(1_000),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    }
}

impl PingReport {
    /// For people.
    pub fn text(&self) -> String {
        format!(
            "{} single orders one after the other, signatures {}, answers {}\n\n{}",
            self.orders, self.signature_mode, self.ack, self.text
        )
    }
}
