//! One session's stream, outwards: everything that is unsent in one write.
//!
//! QUIC's send buffer walks its unacknowledged writes one by one, so many small writes turn
//! quadratic. The writer therefore takes all there is at each turn; what arrives meanwhile is
//! collected for the next.

use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use quinn::{Connection, SendStream, VarInt};
use tokio::time::timeout;
use types::Nonce;
use types::RejectReason;
use types::wire::session::Refused;
use zerocopy::IntoBytes;

use crate::counters::GatewayCounters;
use crate::session::{Ending, Session, close};

/// Buffers of these lengths are kept for more: one that is shorter is cheaply made again, and an idle
/// session has none; one that is longer grew in a burst.
const BUFFERS_KEPT: RangeInclusive<usize> = 1024..=256 * 1024;
/// How long a client may take to acknowledge the last bytes before its connection is closed.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes one session's answers until it ends, then closes its connection. What only happens then is
/// boxed: most of the time this one only waits.
pub(crate) async fn write(
    session: Rc<Session>,
    mut stream: SendStream,
    counters: Arc<CachePadded<GatewayCounters>>,
) {
    let mut sending = Vec::new();
    loop {
        session.take_unsent(&mut sending);
        if sending.is_empty() {
            match session.ending() {
                Ending::Closing(reason) => {
                    let farewell = farewell(&session.connection, stream, Some(reason));
                    return Box::pin(farewell).await;
                }
                Ending::Finishing if session.is_settled() => {
                    return Box::pin(farewell(&session.connection, stream, None)).await;
                }
                Ending::Open | Ending::Finishing => session.writer_woken().await,
            }
            continue;
        }
        if stream.write_all(&sending).await.is_err() {
            // The client stopped listening, or is gone.
            return close(&session.connection, RejectReason::UnexpectedMessage);
        }
        session.sent(sending.len());
        counters.bytes_sent.add(sending.len() as u64);
        sending.clear();
        if !BUFFERS_KEPT.contains(&sending.capacity()) {
            sending = Vec::new();
        }
    }
}

/// Tells a client why it gets no session.
pub(crate) async fn refuse(connection: &Connection, mut stream: SendStream, reason: RejectReason) {
    let refused = Refused::new(Nonce::ZERO, reason);
    // If it fails the client is gone, and so is the connection.
    let _ = stream.write_all(refused.as_bytes()).await;
    farewell(connection, stream, Some(reason)).await;
}

/// Closes a connection once the client has what was written: closing a QUIC connection discards
/// what was not acknowledged yet.
async fn farewell(connection: &Connection, mut stream: SendStream, reason: Option<RejectReason>) {
    // Both only fail if there is nobody left to wait for.
    let _ = stream.finish();
    let _ = timeout(FAREWELL_TIMEOUT, stream.stopped()).await;
    match reason {
        Some(reason) => close(connection, reason),
        None => connection.close(VarInt::from_u32(0), b""),
    }
}
