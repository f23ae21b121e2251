//! Metrics and health over HTTP, of a real node: what a scraper reads is what a client did.
//!
//! The parser here is not the node's writer turned around: it follows the description of the text
//! format and refuses what that does not allow. The dashboard in `docs` may name nothing else.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use client::{Message, Receiver, Sender};
use common::Node;
use rustix::process::Signal;
use types::command::{CancelScope, OrderKind, Place, SelfTrade};
use types::*;

const SCRAPED: &[&str] = &["--metrics", "127.0.0.1:0"];
/// Longer than anything here takes, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(20);

fn address(node: &Node) -> SocketAddr {
    node.ready["metrics"].as_str().unwrap().parse().unwrap()
}

/// Sends bytes, reads to the end.
fn exchange(server: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// Status and body of a GET.
fn get(server: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: keel\r\n\r\n");
    let response = exchange(server, request.as_bytes());
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = format!("Content-Length: {}\r\n", body.len());
    assert!(head.contains(&length), "{head}");
    (status, body.to_owned())
}

/// Samples by name and labels, as written.
type Samples = BTreeMap<String, f64>;

/// Reads the text format; a reason if it is none.
fn parse(text: &str) -> Result<Samples, String> {
    let mut samples = Samples::new();
    let mut family: Option<(String, String)> = None;
    let mut families = BTreeSet::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# HELP ") {
            let (name, help) = comment.split_once(' ').ok_or("HELP without text")?;
            if help.is_empty() || !families.insert(name.to_owned()) {
                return Err(format!("family {name} twice, or without help"));
            }
            family = None;
        } else if let Some(comment) = line.strip_prefix("# TYPE ") {
            let (name, kind) = comment.split_once(' ').ok_or("TYPE without kind")?;
            if !families.contains(name) || !["counter", "gauge", "histogram"].contains(&kind) {
                return Err(format!("bad type: {line}"));
            }
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (family, kind) = family.as_ref().ok_or("a sample before its type")?;
            let (name, value) = line.rsplit_once(' ').ok_or("no value")?;
            let bare = name.split('{').next().unwrap();
            let suffixes: &[&str] = match kind.as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            let fits = |suffix: &&str| bare.strip_suffix(*suffix) == Some(family.as_str());
            if !suffixes.iter().any(fits) || !labels_are_legal(&name[bare.len()..]) {
                return Err(format!("not of family {family}: {line}"));
            }
            let value: f64 = value.parse().map_err(|_| format!("no number: {line}"))?;
            if samples.insert(name.to_owned(), value).is_some() {
                return Err(format!("twice: {line}"));
            }
        }
    }
    Ok(samples)
}

/// Nothing, or `{name="value",…}`.
fn labels_are_legal(labels: &str) -> bool {
    if labels.is_empty() {
        return true;
    }
    let Some(labels) = labels.strip_prefix('{').and_then(|it| it.strip_suffix('}')) else {
        return false;
    };
    labels.split(',').all(|label| {
        label.split_once('=').is_some_and(|(name, value)| {
            let value = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            let name = name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
            name && value.is_some_and(|it| !it.contains(['"', '\\']))
        })
    })
}

#[test]
fn what_is_no_text_format_is_refused() {
    let head = "# HELP a b\n# TYPE a gauge\n";
    for (text, is_good) in [
        ("", true),
        (head, true),
        (&format!("{head}a 1"), true),
        (&format!("{head}a{{b=\"c\",d=\"e\"}} 1"), true),
        (&format!("{head}a 1\na 1"), false),
        (&format!("{head}a_bucket 1"), false),
        (&format!("{head}a{{b=c}} 1"), false),
        (&format!("{head}a one"), false),
        (&format!("{head}{head}"), false),
        ("a 1", false),
        ("# TYPE a gauge\na 1", false),
    ] {
        assert_eq!(parse(text).is_ok(), is_good, "{text:?}");
    }
}

/// Scrapes until a number is what it will be: followers are a moment behind.
fn scrape_until(server: SocketAddr, name: &str, value: f64) -> Samples {
    let started = Instant::now();
    loop {
        let (status, text) = get(server, "/metrics");
        assert_eq!(status, 200);
        let samples = parse(&text).unwrap();
        if samples[name] == value {
            return samples;
        }
        assert!(started.elapsed() < PATIENCE, "{name}: {}", samples[name]);
    }
}

async fn send(session: &mut (Sender, Receiver), commands: &[Command<'_>]) {
    session.0.queue_frame(commands);
    session.0.flush().await.unwrap();
    loop {
        let next = tokio::time::timeout(PATIENCE, session.1.next()).await;
        match next.expect("it is answered in time").unwrap() {
            Message::Ack(_) | Message::Refused { .. } => return,
            Message::Fills(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn bid(price: u64) -> Command<'static> {
    Command::Place(Place {
        market: MarketId::new(0),
        side: Side::Bid,
        kind: OrderKind::GTC,
        price: Ticks::new(price),
        quantity: BaseLots::new(10),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    })
}

#[test]
fn numbers_are_what_a_client_did() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve_with(directory.path(), SCRAPED);
    let server = address(&node);
    let idle = parse(&get(server, "/metrics").1).unwrap();
    assert_eq!(idle["keel_sequence"], 0.0);
    // Most ledgers have no chain.
    assert!(!idle.contains_key("keel_anchor_lag_seconds"));
    assert_eq!(idle["keel_connections{class=\"open\"}"], 0.0);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let session = runtime.block_on(async {
        let mut session = client::connect(&node.options("dev-0")).await.unwrap();
        for price in [100, 101, 0] {
            send(&mut session, &[bid(price), bid(price)]).await;
        }
        let everything = Command::CancelAll(CancelScope::EVERYTHING);
        send(&mut session, &[everything]).await;
        let timers = [Command::SetTimer(60_000_000_000), Command::SetTimer(0)];
        send(&mut session, &timers).await;
        // A frame of another account is refused by the session.
        let terms = *session.0.terms();
        let of_another = client::FrameSigner::new(
            wire::session::SessionTerms {
                account: AccountId::new(1),
                ..terms
            },
            types::auth::SigningKey::development("dev-0"),
        );
        let (mut signer, mut bytes) = (of_another, Vec::new());
        signer.sign(Nonce::new(99), LogTime::ZERO, &[everything], &mut bytes);
        session.0.queue_bytes(&bytes);
        send(&mut session, &[everything]).await;
        send(&mut session, &[everything]).await;
        session
    });
    let samples = scrape_until(server, "keel_blocks_total{state=\"executed_again\"}", {
        let sealed = parse(&get(server, "/metrics").1).unwrap();
        sealed["keel_blocks_total{state=\"sealed\"}"]
    });
    check_numbers(&samples);
    check_dashboard(&samples);
    drop(session);
    assert!(node.stop().success());
}

#[test]
fn a_node_that_minds_the_chain_tells_how_far_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let limited = [SCRAPED, &["--anchor-lag-limit", "3600"]].concat();
    let hour_ago = SystemTime::now() - Duration::from_secs(3_500);
    let hour_ago = hour_ago.duration_since(UNIX_EPOCH).unwrap().as_secs();
    // What the file of the publisher says, and whether withdrawals halt.
    for (file, least_seconds, halted) in [
        (String::new(), 1_000_000_000.0, 1.0),
        (format!("0 {}\n", hour_ago - 200), 3_700.0, 1.0),
        (format!("0 {hour_ago}\n"), 3_500.0, 0.0),
    ] {
        std::fs::write(directory.path().join("anchored"), &file).unwrap();
        let node = Node::serve_with(directory.path(), &limited);
        let samples = parse(&get(address(&node), "/metrics").1).unwrap();
        let released = samples["keel_released_sequence"];
        assert_eq!(samples["keel_anchor_lag_commands"], released, "{file:?}");
        assert_eq!(samples["keel_withdrawals_halted"], halted, "{file:?}");
        let seconds = samples["keel_anchor_lag_seconds"];
        assert!(least_seconds <= seconds, "{file:?}: {seconds}");
        assert!(node.stop().success());
    }
}

fn check_numbers(samples: &Samples) {
    for (name, value) in [
        ("keel_commands_total{kind=\"place\"}", 6.0),
        ("keel_commands_total{kind=\"transfer\"}", 0.0),
        ("keel_commands_total{kind=\"timer\"}", 2.0),
        ("keel_commands_total{kind=\"session_policy\"}", 0.0),
        (
            "keel_rejects_total{by=\"engine\",reason=\"ZERO_PRICE\"}",
            2.0,
        ),
        (
            "keel_rejects_total{by=\"engine\",reason=\"WOULD_CROSS\"}",
            0.0,
        ),
        (
            "keel_rejects_total{by=\"session\",reason=\"WRONG_ACCOUNT\"}",
            1.0,
        ),
        (
            "keel_rejects_total{by=\"session\",reason=\"RATE_LIMITED\"}",
            0.0,
        ),
        ("keel_connections{class=\"handshaking\"}", 0.0),
        ("keel_connections{class=\"open\"}", 1.0),
        ("keel_connections_total{result=\"accepted\"}", 1.0),
        ("keel_frames_total{state=\"bad_signature\"}", 0.0),
        ("keel_ready", 1.0),
        ("keel_draining", 0.0),
        ("keel_journal_short", 0.0),
        ("keel_cancel_only", 0.0),
        ("keel_queue_capacity{queue=\"unverified\"}", 4096.0),
    ] {
        assert_eq!(samples[name], value, "{name}");
    }
    check_progress(samples);
    assert!(samples["keel_stream_bytes_total{direction=\"out\"}"] > 0.0);
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    assert!(samples["process_cpu_seconds_total"] > 0.0);
    let builds = samples.iter();
    let builds = builds.filter(|it| it.0.starts_with("keel_build_info{version=\""));
    assert!(builds.clone().count() == 1 && builds.into_iter().all(|it| *it.1 == 1.0));
    assert!(samples["keel_journal_room_bytes"] > 1e6);
    let depths = samples
        .iter()
        .filter(|it| it.0.starts_with("keel_queue_depth"));
    assert!(
        depths.clone().count() == 12
            && depths
                .into_iter()
                .all(|it| *it.1 == 0.0 || it.0.contains("checkpoint"))
    );
}

/// Commands, frames and stages agree with each other.
fn check_progress(samples: &Samples) {
    let sequence = samples["keel_sequence"];
    assert!(sequence >= 10.0, "ten commands, and perhaps ticks");
    for name in ["durable", "released", "answered"] {
        assert_eq!(
            samples[&format!("keel_{name}_sequence")],
            sequence,
            "{name}"
        );
    }
    let frames = samples["keel_frames_total{state=\"admitted\"}"];
    assert!((6.0..=7.0).contains(&frames), "{frames}");
    for stage in ["sequence", "execute", "durable", "send", "total"] {
        let count = samples[&format!("keel_stage_seconds_count{{stage=\"{stage}\"}}")];
        let all = samples[&format!("keel_stage_seconds_bucket{{stage=\"{stage}\",le=\"+Inf\"}}")];
        assert_eq!((count, all), (frames, frames), "{stage}");
    }
    let total = samples["keel_stage_seconds_sum{stage=\"total\"}"];
    assert!(total > 0.0 && total < PATIENCE.as_secs_f64(), "{total}");
    assert_eq!(samples["keel_signature_batch_frames_sum"], frames);
    let commands = samples["keel_block_commands_sum"];
    assert_eq!(commands, sequence);
    let bytes = samples["keel_stream_bytes_total{direction=\"in\"}"];
    assert!(bytes > 5.0 * 136.0, "{bytes}");
}

/// Every metric that the dashboard asks for exists.
fn check_dashboard(samples: &Samples) {
    let text = include_str!("../../docs/grafana.json");
    let names: BTreeSet<&str> = samples
        .keys()
        .map(|it| it.split('{').next().unwrap())
        .collect();
    let asked = expressions(&serde_json::from_str(text).unwrap());
    assert!(asked.len() > 20, "{}", asked.len());
    let unknown = unknown_names(&asked, &names);
    assert!(unknown.is_empty(), "the dashboard asks for {unknown:?}");
    let planted = unknown_names(&["rate(keel_nothing_total[1m])".to_owned()], &names);
    assert_eq!(planted, ["keel_nothing_total"]);
}

fn expressions(dashboard: &serde_json::Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|it| it["targets"].as_array().unwrap());
    targets
        .map(|it| it["expr"].as_str().unwrap().to_owned())
        .collect()
}

fn unknown_names(expressions: &[String], known: &BTreeSet<&str>) -> Vec<String> {
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let words = expressions
        .iter()
        .flat_map(|it| it.split(|c| !is_of_name(c)));
    let metrics = words.filter(|it| it.starts_with("keel_") || it.starts_with("process_"));
    metrics
        .filter(|it| !known.contains(it))
        .map(str::to_owned)
        .collect()
}

#[test]
fn health_is_told_and_a_stop_is_told_before_it_begins() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve_with(directory.path(), SCRAPED);
    let server = address(&node);
    assert_eq!(get(server, "/healthz"), (200, "alive\n".to_owned()));
    assert_eq!(get(server, "/readyz"), (200, "ready\n".to_owned()));
    // Nobody turns this session's end of its connection, so the stop waits a second for its farewell.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let session = runtime.block_on(client::connect(&node.options("dev-0")));
    let session = session.unwrap();
    node.signal(Signal::TERM);
    let started = Instant::now();
    let told = loop {
        let (status, body) = get(server, "/readyz");
        if status != 200 {
            break (status, body);
        }
        assert!(started.elapsed() < PATIENCE);
    };
    assert_eq!(told, (503, "it is stopping\n".to_owned()));
    let samples = parse(&get(server, "/metrics").1).unwrap();
    assert_eq!(samples["keel_draining"], 1.0);
    drop(session);
    assert_eq!(node.wait().0, 0);
}

/// Nothing here takes so long.
const DAY_MS: &str = "86400000";

#[test]
fn a_node_that_takes_cancels_only_is_ready_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let arguments = [SCRAPED, &["--cancel-only", DAY_MS]].concat();
    let node = Node::serve_with(path, &arguments);
    let ready = (200, "ready\n".to_owned());
    assert_eq!(get(address(&node), "/readyz"), ready, "a new journal");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut session = client::connect(&node.options("dev-0")).await.unwrap();
        send(&mut session, &[bid(100)]).await;
    });
    node.kill();
    let node = Node::serve_with(path, &arguments);
    let for_cancels = (200, "ready for cancels only\n".to_owned());
    assert_eq!(get(address(&node), "/readyz"), for_cancels);
    node.kill();
}

#[test]
fn broken_requests_are_answered_and_slow_ones_hold_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve_with(directory.path(), SCRAPED);
    let server = address(&node);
    for (request, status) in [
        ("GET /nothing HTTP/1.1\r\n\r\n", 404),
        ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", 200),
        ("POST /metrics HTTP/1.1\r\n\r\n", 405),
        ("GET /metrics\r\n\r\n", 400),
        ("GET /metrics HTTP/2\r\n\r\n", 400),
        ("\r\n\r\n", 400),
        (&"x".repeat(4_096), 431),
    ] {
        let response = exchange(server, request.as_bytes());
        let start = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&start), "{request:?}: {response}");
    }
    // More than there are places; each is shown out, and the next one is served.
    let mut slow: Vec<TcpStream> = (0..24)
        .map(|_| TcpStream::connect(server).unwrap())
        .collect();
    for stream in &mut slow {
        stream.write_all(b"GET /met").unwrap();
    }
    assert_eq!(get(server, "/healthz").0, 200);
    drop(slow);
    assert!(node.stop().success());
}
