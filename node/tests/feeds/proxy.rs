//! A bad network on 127.0.0.1: a UDP proxy that loses, doubles and reorders packets, by a seed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UdpSocket;

/// Percent of packets to each of which one of the three happens.
const PERCENT: u64 = 5;
/// Longer than any packet.
const PACKET: usize = 2_048;

/// The proxy. It ends with the runtime that it was started on.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) harmed: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts one in front of a server.
    pub(crate) async fn start(server: SocketAddr, seed: u64) -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = socket.local_addr().unwrap();
        let harmed = Arc::new(AtomicU64::new(0));
        tokio::spawn(forward(socket, server, seed, Arc::clone(&harmed)));
        Self { address, harmed }
    }
}

/// Takes what clients send. Each has a socket of its own towards the server.
async fn forward(socket: Arc<UdpSocket>, server: SocketAddr, seed: u64, harmed: Arc<AtomicU64>) {
    let mut clients: HashMap<SocketAddr, (Arc<UdpSocket>, Chaos)> = HashMap::new();
    let mut packet = [0; PACKET];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut packet).await else {
            continue;
        };
        if !clients.contains_key(&client) {
            let upstream = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            upstream.connect(server).await.unwrap();
            let upstream = Arc::new(upstream);
            let seed = seed + 2 * clients.len() as u64;
            let back = Chaos::new(seed + 1, Arc::clone(&harmed));
            tokio::spawn(answer(
                Arc::clone(&upstream),
                Arc::clone(&socket),
                client,
                back,
            ));
            let chaos = Chaos::new(seed, Arc::clone(&harmed));
            clients.insert(client, (upstream, chaos));
        }
        let (upstream, chaos) = clients.get_mut(&client).unwrap();
        for packet in chaos.pass(&packet[..length]) {
            // Who is gone loses packets, as on any network.
            let _ = upstream.send(&packet).await;
        }
    }
}

/// Takes what the server sends to one client.
async fn answer(
    upstream: Arc<UdpSocket>,
    socket: Arc<UdpSocket>,
    client: SocketAddr,
    mut chaos: Chaos,
) {
    let mut packet = [0; PACKET];
    loop {
        let Ok(length) = upstream.recv(&mut packet).await else {
            continue;
        };
        for packet in chaos.pass(&packet[..length]) {
            let _ = socket.send_to(&packet, client).await;
        }
    }
}

/// What happens to packets in one direction.
#[derive(Debug)]
struct Chaos {
    random: Random,
    /// Comes after the next one.
    held: Option<Vec<u8>>,
    harmed: Arc<AtomicU64>,
}

impl Chaos {
    fn new(seed: u64, harmed: Arc<AtomicU64>) -> Self {
        Self {
            random: Random(seed),
            held: None,
            harmed,
        }
    }

    /// What goes on instead of this packet.
    fn pass(&mut self, packet: &[u8]) -> Vec<Vec<u8>> {
        let drawn = self.random.below(100);
        if drawn < 3 * PERCENT {
            self.harmed.fetch_add(1, Ordering::Relaxed);
        }
        let mut passed = match drawn / PERCENT {
            0 => Vec::new(),
            1 => vec![packet.to_vec(); 2],
            2 if self.held.is_none() => {
                self.held = Some(packet.to_vec());
                return Vec::new();
            }
            _ => vec![packet.to_vec()],
        };
        passed.extend(self.held.take());
        passed
    }
}

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
