//! Endpoints that stall, are of another chain, have other code, lie or repeat themselves.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use crate::block_on;
use crate::world::{ETHER, World, errors};

/// What a bad endpoint makes of an answer to a method.
type Twist = fn(&str, Value) -> Option<Value>;

/// A server between us and anvil that changes answers, or gives none. It ends with the test's process.
fn twisted(anvil: &str, twist: Twist) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let anvil = Arc::<str>::from(anvil.strip_prefix("http://").unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let anvil = Arc::clone(&anvil);
            thread::spawn(move || serve(stream, &anvil, twist));
        }
    });
    url
}

/// One question a connection. Without an answer the connection stays open for as long as the other
/// side has patience.
fn serve(mut stream: TcpStream, anvil: &str, twist: Twist) {
    let Some(question) = body(&stream) else {
        return;
    };
    let method = serde_json::from_slice::<Value>(&question).unwrap()["method"].clone();
    let mut upstream = TcpStream::connect(anvil).unwrap();
    post(&mut upstream, &question);
    let Some(answer) = body(&upstream) else {
        return;
    };
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    match twist(method.as_str().unwrap(), answer) {
        Some(answer) => {
            let text = answer.to_string();
            let length = text.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all(format!("{head}{text}").as_bytes());
        }
        None => {
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}

fn post(stream: &mut TcpStream, question: &[u8]) {
    let length = question.len();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(question).unwrap();
}

fn body(stream: &TcpStream) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn honest(_: &str, answer: Value) -> Option<Value> {
    Some(answer)
}

fn stalls(_: &str, _: Value) -> Option<Value> {
    None
}

fn of_another_chain(method: &str, mut answer: Value) -> Option<Value> {
    if method == "eth_chainId" {
        answer["result"] = json!("0x1");
    }
    Some(answer)
}

fn with_other_code(method: &str, mut answer: Value) -> Option<Value> {
    if method == "eth_getCode" {
        answer["result"] = json!("0x60006000fd");
    }
    Some(answer)
}

fn repeats_logs(method: &str, mut answer: Value) -> Option<Value> {
    if method == "eth_getLogs" {
        let logs = answer["result"].as_array().unwrap().clone();
        answer["result"] = logs
            .iter()
            .flat_map(|log| [log.clone(), log.clone()])
            .collect();
    }
    Some(answer)
}

fn hides_logs(method: &str, mut answer: Value) -> Option<Value> {
    if method == "eth_getLogs" {
        answer["result"].as_array_mut().unwrap().pop();
    }
    Some(answer)
}

/// A deposit ten times as large: the amount is the last but one word of the event.
fn inflates_deposits(method: &str, mut answer: Value) -> Option<Value> {
    if method == "eth_getLogs" {
        for log in answer["result"].as_array_mut().unwrap() {
            let data = log["data"].as_str().unwrap();
            let at = data.len() - 128;
            let inflated = format!("{}f{}", &data[..at + 40], &data[at + 41..]);
            log["data"] = json!(inflated);
        }
    }
    Some(answer)
}

/// As if the last entry were not there, or another one were.
fn tells_other_hashes(method: &str, mut answer: Value) -> Option<Value> {
    if method == "eth_call" {
        let text = answer["result"].as_str().unwrap_or_default();
        if text.len() == 66 {
            answer["result"] = json!(format!("0x{}", "7".repeat(64)));
        }
    }
    Some(answer)
}

#[test]
fn bad_endpoints_are_passed_over() {
    block_on(async {
        let world = World::new(&[]).await;
        world.deposit(1, 0, ETHER);
        world.anvil.mine(1).await;
        let url = &world.anvil.url;
        for bad in [stalls as Twist, of_another_chain, with_other_code] {
            let alone = [twisted(url, bad)];
            let error = world.reader(&alone).head().await.unwrap_err().to_string();
            assert!(error.contains("no endpoint answers"), "{error}");
        }
        let urls = [
            "http://127.0.0.1:9".to_owned(),
            twisted(url, stalls),
            twisted(url, of_another_chain),
            twisted(url, with_other_code),
            twisted(url, repeats_logs),
            twisted(url, honest),
        ];
        let mut watcher = world.watcher(&urls, 1).await;
        assert_eq!(watcher.step().await.unwrap().consumed, 1);
        let sequence = world.client("dev-2", &[r#"{"op":"cancel_all"}"#])[0]["sequence"].as_u64();
        let publisher = world.publisher(&urls);
        world.publish_all(&publisher, sequence.unwrap()).await;
    });
}

#[test]
fn nothing_is_credited_on_the_word_of_a_liar() {
    block_on(async {
        let world = World::new(&[]).await;
        world.deposit(1, 0, ETHER);
        world.anvil.mine(1).await;
        let url = &world.anvil.url;
        // Alone: what it says does not fit together.
        for liar in [hides_logs as Twist, inflates_deposits] {
            let mut watcher = world.watcher(&[twisted(url, liar)], 1).await;
            let error = watcher.step().await.unwrap_err().to_string();
            assert!(error.contains("do not chain"), "{error}");
        }
        // Beside an honest one: they disagree.
        let urls = [url.clone(), twisted(url, tells_other_hashes)];
        let mut watcher = world.watcher(&urls, 1).await;
        let error = watcher.step().await.unwrap_err().to_string();
        assert!(error.contains("the endpoints disagree"), "{error}");
        assert_eq!(world.watch(1).await.consumed, 1);
    });
}

/// A server between us and anvil that speaks TLS, and its certificate. It ends with the test's process.
fn over_tls(anvil: &str) -> (String, String) {
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::{ServerConfig, pki_types::PrivateKeyDer};

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let anvil = anvil.strip_prefix("http://").unwrap().to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut upstream = TcpStream::connect(&anvil).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
            }
        });
    });
    (format!("https://localhost:{port}"), made.cert.pem())
}

#[test]
fn an_endpoint_over_tls_is_asked_if_its_certificate_is_trusted() {
    block_on(async {
        let world = World::new(&[]).await;
        let (url, certificate) = over_tls(&world.anvil.url);
        let file = world.folder.path().join("authority.pem");
        std::fs::write(&file, certificate).unwrap();
        let status = |authority: Option<&std::path::Path>| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keel-anchor"));
            command.current_dir(world.folder.path());
            command.args(["--json", "status", "--bridge", "bridge.json", "--rpc", &url]);
            if let Some(authority) = authority {
                command.env("SSL_CERT_FILE", authority);
            }
            command.output().unwrap()
        };
        let trusted = status(Some(&file));
        assert!(trusted.status.success(), "{}", errors(&trusted));
        let unknown = status(None);
        assert_eq!(unknown.status.code(), Some(1));
        let told = errors(&unknown);
        assert!(
            told.contains(&url) && told.contains("no endpoint answers"),
            "{told}"
        );
    });
}
