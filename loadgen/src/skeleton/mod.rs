//! What is left of an exchange without the exchange: frames over QUIC, their signatures verified, an
//! answer of the same length. No book, no balances, no journal, no session.
//!
//! It tells what a machine gives to anything of this kind, at the time of a run, so the ratio of a
//! node's rate to it survives a machine that is fast today and slow tomorrow. Both ends run in this
//! process, over loopback, with the commands of the usual mix, signed as they are sent. Nothing is
//! shared with the gateway but the verifier and the layout of messages.
//!
//! Start with [`skeleton()`].

mod server;

use std::time::{Duration, Instant};

use bytes::BytesMut;
use client::ServerPin;
use quinn::{Connection, Endpoint, RecvStream, SendStream, VarInt};
use tokio::task::{JoinSet, LocalSet};
use types::auth::{FrameKey, SigningKey};
use types::genesis::development;
use types::wire::ack::Ack;
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::wire::query::Reference;
use types::wire::split_message;
use types::{AccountId, KeyEpoch, KeyId, LogTime, Nonce};

use crate::session::development_keys;
use crate::workload::{Frame, Scenario, Spread, Workload, WorkloadPlan};
use server::Server;

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct SkeletonOptions {
    /// Commands in a frame.
    pub frame: usize,
    /// Connections.
    pub clients: u32,
    /// Frames that each has unanswered, at most; at least one.
    pub window: usize,
    /// For how long.
    pub duration: Duration,
}

/// Why there is no skeleton: the system gave no socket, no key, or a connection broke.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the bare skeleton: {0}")]
pub struct Failure(String);

impl Failure {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Commands answered a second.
pub fn skeleton(options: &SkeletonOptions) -> Result<f64, Failure> {
    let genesis = development();
    let frame_key = FrameKey::new(genesis.network(), genesis.hash());
    let keys: Vec<SigningKey> = development_keys()
        .into_iter()
        .take(options.clients as usize)
        .map(|(_, key)| key)
        .collect();
    let server = Server::start(keys.iter().map(SigningKey::public).collect(), frame_key)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::new)?;
    let measured = LocalSet::new().block_on(&runtime, async {
        let clients = open(&server, frame_key, keys).await?;
        measure(options, frame_key, clients).await
    });
    server.stop();
    measured
}

/// One end of a connection.
struct Client {
    key: SigningKey,
    workload: Workload,
    header: FrameHeader,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    received: BytesMut,
    /// Buffers for sending, used again.
    commands: Frame,
    encoded: Vec<u8>,
    burst: Vec<u8>,
    unanswered: usize,
    answered: u64,
}

/// One after the other, so that the server knows whose key is whose.
async fn open(
    server: &Server,
    frame_key: FrameKey,
    keys: Vec<SigningKey>,
) -> Result<Vec<Client>, Failure> {
    let genesis = development();
    let scenario = Scenario::of(Spread::Uniform);
    let clients = u32::try_from(keys.len()).expect("there are dozens of keys");
    let plan = WorkloadPlan::new(Reference::of(&genesis), scenario, clients, SEED);
    let plan = plan.map_err(Failure::new)?;
    let any = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let config = client::quic_config(&ServerPin::PublicKey(server.public_key));
    let mut opened = Vec::with_capacity(keys.len());
    for (number, key) in (0..).zip(keys) {
        let endpoint = Endpoint::client(any).map_err(Failure::new)?;
        let connecting = endpoint.connect_with(config.clone(), server.address, "keel");
        let connection = connecting.map_err(Failure::new)?.await;
        let connection = connection.map_err(Failure::new)?;
        let (send, receive) = connection.open_bi().await.map_err(Failure::new)?;
        let free = &genesis.accounts()[number as usize].balances;
        let mut client = Client {
            key,
            workload: Workload::new(&plan, number, free, 0).map_err(Failure::new)?,
            header: FrameHeader {
                account: AccountId::new(number),
                key: KeyId::new(number),
                epoch: KeyEpoch::new(0),
                nonce: Nonce::ZERO,
                expires_at: LogTime::ZERO,
            },
            connection,
            send,
            receive,
            received: BytesMut::new(),
            commands: Frame::new(),
            encoded: Vec::new(),
            burst: Vec::new(),
            unanswered: 0,
            answered: 0,
        };
        // The server hears of a stream by what is on it.
        client.send(frame_key, 1, 1).await?;
        opened.push(client);
    }
    Ok(opened)
}

async fn measure(
    options: &SkeletonOptions,
    frame_key: FrameKey,
    clients: Vec<Client>,
) -> Result<f64, Failure> {
    let options = *options;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut client in clients {
        tasks.spawn_local(async move {
            client.drive(&options, frame_key, start).await?;
            client.connection.close(VarInt::from_u32(0), b"");
            Ok::<u64, Failure>(client.answered)
        });
    }
    let mut answered = 0;
    while let Some(joined) = tasks.join_next().await {
        answered += joined.expect("clients do not panic")?;
    }
    Ok(answered as f64 / start.elapsed().as_secs_f64())
}

impl Client {
    /// Keeps the window full until the time is up, then takes the last answers.
    async fn drive(
        &mut self,
        options: &SkeletonOptions,
        frame_key: FrameKey,
        start: Instant,
    ) -> Result<(), Failure> {
        let window = options.window.max(1);
        loop {
            let is_over = options.duration <= start.elapsed();
            if is_over && self.unanswered == 0 {
                return Ok(());
            }
            let room = window.saturating_sub(self.unanswered).min(BURST_FRAMES);
            if !is_over && (window / 4).clamp(1, BURST_FRAMES) <= room {
                self.send(frame_key, room, options.frame).await?;
                // The other clients and the connections share this thread.
                tokio::task::yield_now().await;
            } else {
                self.receive().await?;
            }
        }
    }

    /// Signs so many frames and sends them in one write.
    async fn send(
        &mut self,
        frame_key: FrameKey,
        frames: usize,
        size: usize,
    ) -> Result<(), Failure> {
        self.burst.clear();
        for _ in 0..frames {
            self.header.nonce = self.header.nonce.next();
            self.workload.fill_frame(&mut self.commands, size);
            let (header, key, encoded) = (&self.header, &self.key, &mut self.encoded);
            self.commands.with(|commands| {
                OrdersFrame::encode(header, commands, &frame_key, key, encoded);
            });
            self.burst.extend_from_slice(&self.encoded);
        }
        self.unanswered += frames;
        let written = self.send.write_all(&self.burst).await;
        written.map_err(Failure::new)
    }

    /// Takes the answers that have come, at least one read of them.
    async fn receive(&mut self) -> Result<(), Failure> {
        let chunk = self.receive.read_chunk(CHUNK, true).await;
        let chunk = chunk.map_err(Failure::new)?;
        let chunk = chunk.ok_or_else(|| Failure::new("the server has gone"))?;
        self.received.extend_from_slice(&chunk.bytes);
        while let Some((_, message)) = split_message(&mut self.received).map_err(Failure::new)? {
            let ack = Ack::parse(&message).map_err(Failure::new)?;
            self.answered += ack.outcomes.len() as u64;
            self.unanswered -= 1;
        }
        Ok(())
    }
}

/// Of the commands.
const SEED: u64 = 1;
/// Frames of one write, as in a run.
const BURST_FRAMES: usize = 32;
/// Bytes of one read, at most.
const CHUNK: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command that was sent comes back, whatever the frames and however few are under way.
    #[test]
    fn frames_go_round() {
        for (frame, clients, window) in [(1, 1, 1), (32, 4, 16), (256, 2, 3)] {
            let rate = skeleton(&SkeletonOptions {
                frame,
                clients,
                window,
                duration: Duration::from_millis(50),
            });
            assert!(0.0 < rate.unwrap(), "{frame} {clients} {window}");
        }
    }
}
