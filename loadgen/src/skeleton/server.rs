//! The answering side of a skeleton: one thread for QUIC, one for signatures.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use bytes::BytesMut;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, RecvStream, SendStream, ServerConfig, TransportConfig, VarInt};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::pki_types::PrivateKeyDer;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};
use types::auth::{BatchVerifier, FrameKey, PublicKey, SignedFrames};
use types::wire::ack::{Ack, CommandOutcome, StageTimes};
use types::wire::orders::OrdersFrame;
use types::wire::session::ALPN;
use types::wire::{Kind, split_message};
use types::{Nonce, SequenceNumber};
use zerocopy::FromZeros as _;

use super::Failure;

/// A frame on its way to the signature thread.
struct Unverified {
    connection: usize,
    frame: OrdersFrame,
    public_key: PublicKey,
}

/// What is answered once its signature is good.
#[derive(Clone, Copy)]
struct Verified {
    connection: usize,
    nonce: Nonce,
    commands: usize,
}

/// A server that runs until it is stopped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// What clients pin.
    pub(super) public_key: PublicKey,
    stop: tokio::sync::oneshot::Sender<()>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// For the frames of these keys, in the order in which they connect.
    pub(super) fn start(keys: Vec<PublicKey>, frame_key: FrameKey) -> Result<Self, Failure> {
        let (config, public_key) = identity()?;
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Failure::new)?;
        let address = socket.local_addr().map_err(Failure::new)?;
        let (to_verify, unverified) = mpsc::channel();
        let (verified, to_answer) = unbounded_channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let quic = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("the system gave a runtime to the clients, too");
            let serving = async {
                let endpoint = Endpoint::new(
                    quinn::EndpointConfig::default(),
                    Some(config),
                    socket,
                    Arc::new(quinn::TokioRuntime),
                );
                let endpoint = endpoint.expect("the socket is bound");
                tokio::select! {
                    () = serve(&endpoint, keys, to_verify, to_answer) => (),
                    // Whether it is told to stop or nobody is left to tell, it stops.
                    _ = stopped => (),
                }
                endpoint.close(VarInt::from_u32(0), b"");
                endpoint.wait_idle().await;
            };
            LocalSet::new().block_on(&runtime, serving);
        });
        let verifier = BatchVerifier::new(frame_key);
        let signatures = std::thread::spawn(move || verify(&verifier, &unverified, &verified));
        Ok(Self {
            address,
            public_key,
            stop,
            threads: vec![quic, signatures],
        })
    }

    /// Ends both threads.
    pub(super) fn stop(self) {
        // One that has stopped already is what is wanted.
        let _ = self.stop.send(());
        for thread in self.threads {
            thread.join().expect("a skeleton does not panic");
        }
    }
}

/// A key that nobody else has, in a certificate.
fn identity() -> Result<(ServerConfig, PublicKey), Failure> {
    let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(Failure::new)?;
    let certificate = CertificateParams::default()
        .self_signed(&pair)
        .map_err(Failure::new)?;
    let public_key = <[u8; 32]>::try_from(pair.public_key_raw()).expect("an Ed25519 key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(Failure::new)?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(pair.serialize_der().into()),
        );
    let mut tls = tls.map_err(Failure::new)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = QuicServerConfig::try_from(tls).map_err(Failure::new)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(WINDOW));
    config.transport_config(Arc::new(transport));
    Ok((config, PublicKey::new(public_key)))
}

async fn serve(
    endpoint: &Endpoint,
    keys: Vec<PublicKey>,
    to_verify: mpsc::Sender<Unverified>,
    to_answer: UnboundedReceiver<Vec<Verified>>,
) {
    let mut writers = Vec::with_capacity(keys.len());
    let mut connections = Vec::with_capacity(keys.len());
    for (connection, public_key) in keys.into_iter().enumerate() {
        let Some(incoming) = endpoint.accept().await else {
            return;
        };
        let Ok(accepted) = incoming.await else { return };
        let Ok((send, receive)) = accepted.accept_bi().await else {
            return;
        };
        writers.push(send);
        connections.push(accepted);
        spawn_local(read(connection, public_key, receive, to_verify.clone()));
    }
    drop(to_verify);
    answer(writers, to_answer).await;
}

/// Splits one stream into frames, until it ends.
async fn read(
    connection: usize,
    public_key: PublicKey,
    mut stream: RecvStream,
    to_verify: mpsc::Sender<Unverified>,
) {
    let mut buffer = BytesMut::new();
    while let Ok(Some(chunk)) = stream.read_chunk(CHUNK, true).await {
        buffer.extend_from_slice(&chunk.bytes);
        while let Ok(Some((Kind::Orders, message))) = split_message(&mut buffer) {
            let Ok(frame) = OrdersFrame::parse(message) else {
                return;
            };
            let unverified = Unverified {
                connection,
                frame,
                public_key,
            };
            if to_verify.send(unverified).is_err() {
                return;
            }
        }
    }
}

/// The signature thread: as many at once as there are, up to a limit, until nobody sends any more.
fn verify(
    verifier: &BatchVerifier,
    unverified: &mpsc::Receiver<Unverified>,
    verified: &UnboundedSender<Vec<Verified>>,
) {
    let mut results = Vec::new();
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while let Ok(first) = unverified.recv() {
        batch.clear();
        batch.push(first);
        batch.extend(unverified.try_iter().take(BATCH_MAX - 1));
        let signed = batch
            .iter()
            .map(|it| (SignedFrames::One(it.frame.clone()), it.public_key));
        verifier.verify(signed, UnwrapErr(SysRng), &mut results);
        let good = batch.iter().zip(&results).filter(|it| it.1.is_ok());
        let good = good.map(|(it, _)| Verified {
            connection: it.connection,
            nonce: it.frame.header().nonce,
            commands: it.frame.count().into(),
        });
        if verified.send(good.collect()).is_err() {
            return;
        }
    }
}

/// Answers what was verified, one write per connection for all that came together.
async fn answer(mut writers: Vec<SendStream>, mut to_answer: UnboundedReceiver<Vec<Verified>>) {
    let outcomes = vec![CommandOutcome::new_zeroed(); types::limits::COMMANDS_PER_FRAME_MAX];
    let mut answers = vec![Vec::new(); writers.len()];
    let mut sequence = SequenceNumber::new(1);
    while let Some(mut batch) = to_answer.recv().await {
        while let Ok(more) = to_answer.try_recv() {
            batch.extend(more);
        }
        for verified in batch {
            let ack = Ack {
                nonce: verified.nonce,
                first_sequence: sequence,
                times: StageTimes::default(),
                repeated: false,
                refused: None,
                outcomes: &outcomes[..verified.commands],
            };
            sequence = sequence.advance(verified.commands as u64);
            ack.encode(&mut answers[verified.connection]);
        }
        for (stream, bytes) in writers.iter_mut().zip(&mut answers) {
            // A client that has gone needs no answers.
            let _ = stream.write_all(bytes).await;
            bytes.clear();
        }
    }
}

/// As large as those of a node.
const WINDOW: u32 = 1024 * 1024;
/// Bytes of one read, at most.
const CHUNK: usize = 64 * 1024;
/// Signatures of one batch, as in a node.
const BATCH_MAX: usize = 64;
