//! What signed requests cost: processor time of the whole node, from its own account, so that other
//! work on the machine does not count.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use types::action::{Envelope, Value};
use types::decimal::to_hex;
use types::wallet::WalletKey;

use crate::{PATIENCE, Target, is_long, row, size};

const CLIENTS: usize = 32;
/// What a run may take of one core's second, by the rates that are promised.
const REQUESTS_PER_CORE: u64 = 2_000;
const ORDERS_PER_CORE: u64 = 50_000;

const LIMITS: &str = "[api]\n\
    requests_per_address = { per_second = 1000000, burst = 1000000 }\n\
    commands_per_signer = { per_second = 1000000, burst = 1000000 }\n";

/// Bodies of requests of so many orders each: bids far apart from anything, immediate or cancel.
fn bodies(wallet: &WalletKey, first_nonce: u64, count: usize, orders: usize) -> Vec<String> {
    let order =
        r#"{"a":10000,"b":true,"p":"100","s":"0.01","r":false,"t":{"limit":{"tif":"Ioc"}}}"#;
    let orders = vec![order; orders].join(",");
    let action = format!(r#"{{"type":"order","orders":[{orders}],"grouping":"na"}}"#);
    let value = Value::from_json(action.as_bytes()).unwrap();
    let nonces = first_nonce..first_nonce + count as u64;
    nonces
        .map(|nonce| {
            let envelope = Envelope {
                nonce,
                vault: None,
                expires_after: None,
            };
            let signature = wallet.sign(envelope.digest(&value).unwrap());
            let (r, s) = signature.compact.split_at(32);
            format!(
                r#"{{"action":{action},"nonce":{nonce},"signature":{{"r":"0x{}","s":"0x{}","v":{}}}}}"#,
                to_hex(r),
                to_hex(s),
                signature.v
            )
        })
        .collect()
}

/// Sends them over one connection, one after the other, and reads every answer.
fn send(address: &str, bodies: &[String]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for body in bodies {
        let length = body.len();
        let head =
            format!("POST /exchange HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        stream
            .write_all(&[head.as_bytes(), body.as_bytes()].concat())
            .unwrap();
        let mut length = 0;
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            if let Some(text) = line.to_lowercase().strip_prefix("content-length: ") {
                length = text.trim().parse().unwrap();
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains("could not immediately match"), "{answer}");
    }
}

/// Microseconds of processor time that a process has used, user and system.
fn cpu_us(process: rustix::process::Pid) -> u64 {
    let stat = format!("/proc/{}/stat", process.as_raw_nonzero());
    let stat = std::fs::read_to_string(stat).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks * 1_000_000 / rustix::param::clock_ticks_per_second()
}

/// Sends so many requests of so many orders from all clients at once. Processor time of each request, in
/// microseconds, and how many were answered a second.
fn measure(target: &Target, requests: usize, orders: usize) -> (u64, u64) {
    let address = target.node.ready["api"].as_str().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = u64::try_from(now.as_millis()).unwrap();
    let each = requests / CLIENTS;
    let bodies: Vec<Vec<String>> = (0..CLIENTS)
        .map(|client| {
            bodies(
                &WalletKey::development(&format!("dev-{client}")),
                now,
                each,
                orders,
            )
        })
        .collect();
    let (before, start) = (cpu_us(target.node.id()), Instant::now());
    std::thread::scope(|scope| {
        for bodies in &bodies {
            scope.spawn(move || send(address, bodies));
        }
    });
    let sent = (each * CLIENTS) as u64;
    let rate = (sent as f64 / start.elapsed().as_secs_f64()) as u64;
    ((cpu_us(target.node.id()) - before) / sent, rate)
}

#[test]
fn signed_requests_cost_a_fraction_of_a_core() {
    let target = Target::start_with(LIMITS, &["--api", "127.0.0.1:0"]);
    let (single, rate) = measure(&target, size(640, 64_000), 1);
    let holds = single * REQUESTS_PER_CORE <= 1_000_000;
    let asked = "2,000 a second and core";
    let measured = format!("{single} us of processor time each; {rate} a second");
    row("signed requests of one order", asked, &measured, holds);
    let (batch, rate) = measure(&target, size(320, 16_000), 50);
    let holds = holds && batch * ORDERS_PER_CORE <= 50 * 1_000_000;
    let asked = "50,000 orders a second and core";
    let measured = format!(
        "{batch} us of processor time each; {} orders a second",
        rate * 50
    );
    row("signed requests of 50 orders", asked, &measured, holds);
    assert!(holds || !is_long(), "{single} us and {batch} us");
}
