//! A port with a certificate: clients trade over it, and what is no TLS hears nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use types::wallet::WalletKey;

use crate::common::{Node, serving};
use crate::{API, PATIENCE, Signed, now_millis, order, request, response};

/// A certificate of this machine that signs itself, as files in PEM; and as a client has it.
fn certificate(folder: &Path) -> ([String; 2], CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = [
        ("cert.pem", made.cert.pem()),
        ("key.pem", made.signing_key.serialize_pem()),
    ];
    let paths = files.map(|(name, pem)| {
        let path = folder.join(name);
        std::fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    });
    (paths, made.cert.der().clone())
}

/// A connection that trusts this certificate and no other.
fn connect(node: &Node, root: CertificateDer<'static>) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(node.ready["api"].as_str().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(connection, stream)
}

#[test]
fn a_port_with_a_certificate_trades_over_tls_alone() {
    let directory = tempfile::tempdir().unwrap();
    let ([chain, key], root) = certificate(directory.path());
    let tls = ["--api-cert", &chain, "--api-key", &key];
    let data = directory.path().join("data");
    let node = Node::serve_with(&data, &[&API[..], &tls].concat());

    let resting = order(true, "100", "0.1", "Gtc");
    let wallet = WalletKey::development("dev-0");
    let body = Signed::new(&wallet, &resting, now_millis(), None).body();
    let mut stream = connect(&node, root);
    stream
        .write_all(request("/exchange", &body).as_bytes())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (status, body) = response(&answer);
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("resting"), "{body}");

    let mut plain = TcpStream::connect(node.ready["api"].as_str().unwrap()).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain
        .write_all(request("/exchange", &body).as_bytes())
        .unwrap();
    let mut heard = Vec::new();
    // A reset is a refusal too.
    let _ = plain.read_to_end(&mut heard);
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    assert!(node.stop().success());
}

#[test]
fn what_is_no_certificate_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let ([chain, key], _) = certificate(directory.path());
    let other = directory.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let ([_, other_key], _) = certificate(&other);
    let data = directory.path().join("data");
    for (arguments, words) in [
        (vec!["--api-cert", &chain], "--api-key"),
        (vec!["--api-key", &key], "--api-cert"),
        (vec!["--api-cert", &key, "--api-key", &key], "certificate"),
        (
            vec!["--api-cert", &chain, "--api-key", &chain],
            "private key",
        ),
        (
            vec!["--api-cert", &chain, "--api-key", &other_key],
            "do not fit",
        ),
        (
            vec!["--api-cert", &chain, "--api-key", "nowhere"],
            "nowhere",
        ),
    ] {
        let arguments = [&API[..], &arguments].concat();
        let command = serving(&[], &data, "127.0.0.1:0", &arguments);
        let (code, error) = Node::start(command).unwrap_err();
        assert_eq!(code, 2, "{arguments:?}: {error}");
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
}
