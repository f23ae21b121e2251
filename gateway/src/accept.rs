//! From a connection's first packet to an open session.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use quinn::{Connection, Endpoint, Incoming, SendStream};
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout_at};
use types::auth::{FrameKey, OpenRun, RollingChain};
use types::limits::FRAMES_PER_RUN_MAX;
use types::wire::Kind;
use types::wire::session::{EXPORTER_LABEL, Hello, SessionTerms, SignatureMode, Welcome};
use types::{AccountId, KeyEpoch, KeyId, Nonce, RejectReason};
use zerocopy::IntoBytes;

use crate::config::RECEIVE_WINDOW;
use crate::directory::KeyRecord;
use crate::read::{MessageReader, read};
use crate::receipts::PendingReceipts;
use crate::serve::{Phase, Shared};
use crate::session::{Session, close};
use crate::write::{refuse, write};

/// Accepts connections until the endpoint is closed.
pub(crate) async fn accept(shared: Rc<Shared>, endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        let handshakes = shared.handshakes.get();
        let (config, counters) = (&shared.config, &shared.counters);
        let address = incoming.remote_address().ip();
        let is_known = shared.neighbors.borrow().is_known(address);
        let reserved = if is_known {
            0
        } else {
            config.handshakes_max / 4
        };
        if handshakes >= config.handshakes_max - reserved {
            counters.connections_refused.add(1);
            incoming.refuse();
        } else if handshakes >= config.retry_from && !incoming.remote_address_validated() {
            counters.connections_retried.add(1);
            // It may retry, for its address is not validated; so this cannot fail.
            let _ = incoming.retry();
        } else if !shared.arrive(address) {
            counters.connections_refused.add(1);
            incoming.refuse();
        } else {
            counters.connections_accepted.add(1);
            shared.set_handshakes(handshakes + 1);
            spawn_local(host(Rc::clone(&shared), incoming));
        }
    }
}

/// A connection up to its session's opening. What goes on then is a task of its own, because this one
/// is large and most sessions are idle.
async fn host(shared: Rc<Shared>, incoming: Incoming) {
    let address = incoming.remote_address().ip();
    match welcome(&shared, incoming).await {
        Some(opened) => {
            if !opened.session.is_guest() {
                shared.neighbors.borrow_mut().introduce(address);
            }
            spawn_local(hold(shared, Box::new(opened), address));
        }
        None => shared.neighbors.borrow_mut().leave(address, false),
    }
}

/// An open session and its stream.
struct Opened {
    session: Rc<Session>,
    /// Where its frames wait for rolling signatures, if it has such.
    run: Option<Box<OpenRun>>,
    stream: SendStream,
    reader: MessageReader,
}

/// Shakes hands and opens a session, or says why not.
async fn welcome(shared: &Shared, incoming: Incoming) -> Option<Opened> {
    let deadline = Instant::now() + shared.config.hello_timeout;
    let remote = incoming.remote_address();
    let connected = timeout_at(deadline, incoming).await;
    let introduced = match &connected {
        Ok(Ok(connection)) => timeout_at(deadline, introduce(shared, connection)).await,
        _ => Ok(None),
    };
    shared.set_handshakes(shared.handshakes.get() - 1);
    let Ok(Ok(connection)) = connected else {
        tracing::debug!(%remote, "handshake failed");
        return None;
    };
    let Ok(introduced) = introduced else {
        shared.counters.rejects.add(RejectReason::Timeout);
        close(&connection, RejectReason::Timeout);
        return None;
    };
    let Introduction {
        stream,
        reader,
        opened,
    } = introduced?;
    match opened {
        Ok((session, run)) => {
            session.set_window(RECEIVE_WINDOW);
            Some(Opened {
                session,
                run,
                stream,
                reader,
            })
        }
        Err(reason) => {
            tracing::debug!(%remote, %reason, "session refused");
            shared.counters.rejects.add(reason);
            refuse(&connection, stream, reason).await;
            None
        }
    }
}

/// What has come of a client's first message.
struct Introduction {
    stream: SendStream,
    reader: MessageReader,
    opened: Result<(Rc<Session>, Option<Box<OpenRun>>), RejectReason>,
}

/// Waits for the first message; `None` if the client leaves before.
async fn introduce(shared: &Shared, connection: &Connection) -> Option<Introduction> {
    let (stream, receive) = connection.accept_bi().await.ok()?;
    let mut reader = MessageReader::new(receive);
    let opened = match reader
        .message(&shared.arrivals, shared.config.hello_timeout)
        .await
    {
        Ok(None) => return None,
        Ok(Some((Kind::Hello, message))) => open(shared, connection, &message),
        Ok(Some(_)) => Err(RejectReason::UnexpectedMessage),
        Err(reason) => Err(reason),
    };
    Some(Introduction {
        stream,
        reader,
        opened,
    })
}

fn open(
    shared: &Shared,
    connection: &Connection,
    message: &[u8],
) -> Result<(Rc<Session>, Option<Box<OpenRun>>), RejectReason> {
    let mut exporter = [0; 32];
    connection
        .export_keying_material(&mut exporter, EXPORTER_LABEL, b"")
        .expect("32 bytes are within what TLS exports");
    let hello = Hello::parse(message, &exporter)?;
    if hello
        .network()
        .is_some_and(|wanted| wanted != shared.network)
    {
        return Err(RejectReason::WrongNetwork);
    }
    let public_key = hello.public_key();
    let wishes = hello.wishes();
    let record = match wishes.guest {
        true => GUEST,
        false => {
            let record = shared.directory.borrow().find(&public_key);
            record.ok_or(RejectReason::UnknownKey)?
        }
    };
    if shared.phase.get() != Phase::Open {
        return Err(RejectReason::ShuttingDown);
    }
    let mut table = shared.table.borrow_mut();
    let receipts = wishes
        .receipts
        .then(|| PendingReceipts::new(&shared.receipts, record.key));
    let connection = connection.clone();
    let session = table.open(record, public_key, connection, receipts, &shared.config);
    let session = session.ok_or(RejectReason::TooManySessions)?;
    let welcome = Welcome::new(&SessionTerms {
        network: shared.network,
        genesis_hash: shared.genesis_hash,
        account: record.account,
        key: record.key,
        epoch: record.epoch,
        next_nonce: match wishes.guest {
            true => Nonce::ZERO,
            false => shared.answers.borrow().next_nonce(record.key),
        },
        frames_in_flight: shared.config.frames_in_flight,
        unsigned_frames: match wishes.signatures {
            SignatureMode::Frame => 0,
            SignatureMode::Rolling => FRAMES_PER_RUN_MAX as u32,
        },
    });
    session.append(|out| out.extend_from_slice(welcome.as_bytes()));
    let run = (wishes.signatures == SignatureMode::Rolling).then(|| {
        let frame_key = FrameKey::new(shared.network, shared.genesis_hash);
        let chain = RollingChain::new(frame_key, &exporter, message, welcome.as_bytes());
        Box::new(OpenRun::new(chain))
    });
    Ok((session, run))
}

/// A guest is nobody: his frames say whose they are, and a wallet has signed them.
const GUEST: KeyRecord = KeyRecord {
    key: KeyId::WALLET,
    account: AccountId::FEES,
    epoch: KeyEpoch::new(0),
};

/// Runs an open session to its end.
async fn hold(shared: Rc<Shared>, opened: Box<Opened>, address: IpAddr) {
    let Opened {
        session,
        run,
        stream,
        mut reader,
    } = *opened;
    let id = session.id;
    let account = session.record.account;
    tracing::debug!(%id, %account, "session opened");
    let counters = &shared.counters;
    counters.open.add(1);
    let writing = write(Rc::clone(&session), stream, Arc::clone(counters));
    let mut writer = spawn_local(writing);
    let ending = read(&shared, &session, &mut reader, run).await;
    session.end(ending);
    counters.open.set(counters.open.get() - 1);
    counters.draining.add(1);
    // Boxed, for most of the time a session is not at its end.
    let ended = Box::pin(async {
        tokio::select! {
            _ = &mut writer => {}
            _ = session.connection.closed() => writer.abort(),
        }
    });
    ended.await;
    counters.draining.set(counters.draining.get() - 1);
    shared.feeds.borrow_mut().forget(id);
    shared.table.borrow_mut().remove(&session);
    let was_introduced = !session.is_guest();
    shared.neighbors.borrow_mut().leave(address, was_introduced);
    tracing::debug!(%id, %account, ending = ?session.ending(), "session ended");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_size<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// Ten thousand idle sessions are ten thousand of each: the task that reads, the one that writes, and
    /// what they share.
    #[test]
    fn an_open_session_is_small() {
        let sizes = [future_size(hold), future_size(write), size_of::<Session>()];
        let limits = [512, 256, 240];
        let fit = sizes.iter().zip(limits).all(|(size, limit)| *size <= limit);
        assert!(fit, "{sizes:?}");
    }
}
