//! From a connection's first packet to an open session.

use std::rc::Rc;
use std::sync::Arc;

use quinn::{Connection, Endpoint, Incoming, SendStream, VarInt};
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout_at};
use types::{AccountId, KeyEpoch, KeyId, Nonce, RejectReason};
use types::auth::{FrameKey, OpenRun, RollingChain};
use types::limits::FRAMES_PER_RUN_MAX;
use types::wire::Kind;
use types::wire::session::{EXPORTER_LABEL, Hello, SessionTerms, SignatureMode, Welcome};
use zerocopy::IntoBytes;

use crate::config::RECEIVE_WINDOW;
use crate::directory::KeyRecord;
use crate::read::{MessageReader, read};
use crate::serve::{Phase, Shared};
use crate::session::{Session, close};
use crate::write::{refuse, write};

/// Accepts connections until the endpoint is closed.
pub(crate) async fn accept(shared: Rc<Shared>, endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        let handshakes = shared.handshakes.get();
        let (config, counters) = (&shared.config, &shared.counters);
        let address = incoming.remote_address().ip();
        let reserved = config.handshakes_reserved.min(config.handshakes_max / 4);
        let is_known = shared.neighbors.borrow().is_known(address);
        let reserved = if is_known { 0 } else { reserved };
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
            let shared = Rc::clone(&shared);
            spawn_local(async move {
                let was_introduced = host(&shared, incoming).await;
                let mut neighbors = shared.neighbors.borrow_mut();
                neighbors.leave(address, was_introduced);
            });
        }
    }
}

/// One connection's whole life. Returns whether it had a session.
async fn host(shared: &Shared, incoming: Incoming) -> bool {
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
        return false;
    };
    let Introduction {
        stream,
        reader,
        opened,
    } = match introduced {
        Ok(Some(introduction)) => introduction,
        Ok(None) => return false,
        Err(_) => {
            shared.counters.rejects.add(RejectReason::Timeout);
            close(&connection, RejectReason::Timeout);
            return false;
        }
    };
    match opened {
        Ok((session, run)) => {
            let is_known = !session.is_guest();
            if is_known {
                shared.neighbors.borrow_mut().introduce(remote.ip());
            }
            connection.set_receive_window(VarInt::from_u32(RECEIVE_WINDOW));
            hold(shared, session, stream, reader, run).await;
            is_known
        }
        Err(reason) => {
            tracing::debug!(%remote, %reason, "session refused");
            shared.counters.rejects.add(reason);
            refuse(&connection, stream, reason).await;
            false
        }
    }
}

/// What has come of a client's first message.
struct Introduction {
    stream: SendStream,
    reader: MessageReader,
    opened: Result<Opened, RejectReason>,
}

/// An open session, and where its frames wait for rolling signatures if it has such.
type Opened = (Rc<Session>, Option<OpenRun>);

/// Waits for the first message; `None` if the client leaves before.
async fn introduce(shared: &Shared, connection: &Connection) -> Option<Introduction> {
    let (stream, receive) = connection.accept_bi().await.ok()?;
    let mut reader = MessageReader::new(receive);
    let opened = match reader
        .message(&shared.block, shared.config.hello_timeout)
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

fn open(shared: &Shared, connection: &Connection, message: &[u8]) -> Result<Opened, RejectReason> {
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
    let record = match hello.is_guest() {
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
    let session = table.open(record, public_key, connection.clone(), &shared.config);
    let session = session.ok_or(RejectReason::TooManySessions)?;
    let welcome = Welcome::new(&SessionTerms {
        network: shared.network,
        genesis_hash: shared.genesis_hash,
        account: record.account,
        key: record.key,
        epoch: record.epoch,
        next_nonce: match hello.is_guest() {
            true => Nonce::ZERO,
            false => shared.answers.borrow().next_nonce(record.key),
        },
        frames_in_flight: shared.config.frames_in_flight,
        unsigned_frames: match hello.signatures() {
            SignatureMode::Frame => 0,
            SignatureMode::Rolling => FRAMES_PER_RUN_MAX as u32,
        },
    });
    session.append(|out| out.extend_from_slice(welcome.as_bytes()));
    let run = (hello.signatures() == SignatureMode::Rolling).then(|| {
        let frame_key = FrameKey::new(shared.network, shared.genesis_hash);
        let chain = RollingChain::new(frame_key, &exporter, message, welcome.as_bytes());
        OpenRun::new(chain)
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
async fn hold(
    shared: &Shared,
    session: Rc<Session>,
    stream: SendStream,
    reader: MessageReader,
    run: Option<OpenRun>,
) {
    let id = session.id;
    let account = session.record.account;
    tracing::debug!(%id, %account, "session opened");
    let counters = &shared.counters;
    counters.open.add(1);
    let writing = write(Rc::clone(&session), stream, Arc::clone(counters));
    let mut writer = spawn_local(writing);
    let ending = read(shared, &session, reader, run).await;
    session.end(ending);
    counters.open.set(counters.open.get() - 1);
    counters.draining.add(1);
    tokio::select! {
        _ = &mut writer => {}
        _ = session.connection.closed() => writer.abort(),
    }
    counters.draining.set(counters.draining.get() - 1);
    shared.feeds.borrow_mut().forget(id);
    shared.table.borrow_mut().remove(&session);
    tracing::debug!(%id, %account, ending = ?session.ending(), "session ended");
}
