//! Requests that do not come: a head or a body that drips is refused at its deadline, however often
//! a byte more arrives, and whoever asks beside it is answered.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gateway::Wake;
use gateway::api::ports::{ApiPorts, Update};
use gateway::api::{Api, ApiConfig, ApiHandle, ApiSetup};
use rtrb::RingBuffer;
use tokio::sync::Notify;
use types::genesis::development;

/// For a head or a body. Far above what an honest request needs on a loaded machine.
const DEADLINE: Duration = Duration::from_millis(1_500);
/// Longer than anything here takes, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two bytes of whoever drips.
const DRIP: Duration = Duration::from_millis(50);

/// An API of the development network, without a node behind it.
struct Served {
    address: SocketAddr,
    handle: ApiHandle,
    thread: JoinHandle<()>,
}

impl Served {
    fn start(config: ApiConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (mut updates, to_api) = RingBuffer::new(4);
        updates.push(Update::Image(Box::default())).unwrap();
        let (to_sequencer, _) = RingBuffer::new(16);
        let (_, refused) = RingBuffer::new(16);
        let (prover, _) = sync_channel(1);
        let ports = ApiPorts {
            updates: to_api,
            wake_follower: Wake::new(|| {}),
            to_sequencer,
            wake_sequencer: Wake::new(|| {}),
            refused,
            wake: Arc::new(Notify::new()),
            prover,
        };
        let setup = ApiSetup {
            config,
            genesis: Arc::new(development()),
            tls: None,
            faucet: None,
            past: None,
        };
        let (api, handle, _) = Api::new(setup, ports);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(api.serve(listener)).unwrap();
        });
        Self {
            address,
            handle,
            thread,
        }
    }

    fn stop(self) {
        self.handle.close();
        self.thread.join().unwrap();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The status of an answer.
fn status(answer: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(answer).ok()?;
    text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// An honest question, and the status of its answer.
fn ask(address: SocketAddr) -> Option<u16> {
    let body = r#"{"type":"spotMeta"}"#;
    let mut stream = connect(address);
    let head = "POST /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let length = body.len();
    write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    status(&answer)
}

/// Sends this and then a byte at a time, until there is an answer or the connection ends. What was
/// answered, and how long that took.
fn drip(address: SocketAddr, begin: &str) -> (Vec<u8>, Duration) {
    let mut stream = connect(address);
    let start = Instant::now();
    stream.write_all(begin.as_bytes()).unwrap();
    stream.set_read_timeout(Some(DRIP)).unwrap();
    let mut answer = Vec::new();
    let mut bytes = [0; 1_024];
    loop {
        assert!(start.elapsed() < PATIENCE, "it may drip for ever");
        match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => {
                answer.extend_from_slice(&bytes[..count]);
                break;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        if stream.write_all(b"x").is_err() {
            break;
        }
    }
    (answer, start.elapsed())
}

#[test]
fn what_drips_ends_at_its_deadline_and_others_are_answered() {
    // Only the deadline that a case is about is short, and who is honest may ask as often as he can.
    let config = |head_timeout, body_timeout| ApiConfig {
        head_timeout,
        body_timeout,
        requests_per_second: 1_000_000,
        requests_burst: 1_000_000,
        ..ApiConfig::default()
    };
    let head = config(DEADLINE, PATIENCE * 10);
    let body = config(PATIENCE * 10, DEADLINE);
    let post = "POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n";
    let act = "POST /exchange HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n{";
    for (what, config, begin, expected) in [
        ("a head", head, "POST /info HTTP/1.1\r\nHost: ", None),
        ("a body", body, post, Some(408)),
        ("a body in chunks", body, act, Some(408)),
    ] {
        let served = Served::start(config);
        let address = served.address;
        let dripping = std::thread::spawn(move || drip(address, begin));
        while !dripping.is_finished() {
            assert_eq!(ask(address), Some(200), "beside {what}");
        }
        let (answer, took) = dripping.join().unwrap();
        assert_eq!(status(&answer), expected, "{what}");
        assert!(DEADLINE <= took, "{what}: {took:?}");
        served.stop();
    }
}
