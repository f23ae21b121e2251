//! The server's TLS identity: one Ed25519 key in a certificate that it signs itself.
//!
//! Clients pin the public key; no authority and no name is involved, so nothing expires and nothing
//! has to be renewed. TLS 1.3 only, no session tickets, no early data.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use types::auth::{PublicKey, SigningKey, development_seed};
use types::wire::session::ALPN;

/// The server's key and certificate.
#[derive(Clone)]
pub struct Identity {
    signing: SigningKey,
    quic: Arc<QuicServerConfig>,
    reset: Arc<ResetKey>,
}

/// Makes the token by which a server that knows a connection no more says so. It follows from the
/// server's key, so that a client of a node that was killed hears at once from the next one, and
/// need not wait for silence.
struct ResetKey([u8; 32]);

/// Context of the key for reset tokens.
const RESET_CONTEXT: &str = "keel 2026-11-26 stateless reset";

/// Between two of them. By quinn's own interval, 20 ms, the clients of a node that comes back learn so one
/// after the other for minutes, and so do those of a crowd that missed its dismissal. A reset is shorter
/// than the packet that it answers, so nothing can be multiplied by asking for many.
const RESET_INTERVAL: Duration = Duration::from_micros(100);

/// Names connections at random. Quinn's own names can be told by the endpoint that gave them only,
/// and it says nothing to all others: so neither would a node to the clients of the one before it.
struct ConnectionNames;

/// Bytes of a connection's name.
const NAME_LENGTH: usize = 8;

impl ConnectionIdGenerator for ConnectionNames {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut name = [0; NAME_LENGTH];
        getrandom::fill(&mut name).expect("the operating system gives entropy");
        ConnectionId::new(&name)
    }

    fn cid_len(&self) -> usize {
        NAME_LENGTH
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(blake3::keyed_hash(&self.0, data).as_bytes());
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let expected = blake3::keyed_hash(&self.0, data);
        // Compared in constant time.
        let is_equal = signature
            .try_into()
            .is_ok_and(|it: [u8; 32]| expected == it);
        is_equal.then_some(()).ok_or(CryptoError)
    }
}

impl Identity {
    /// From a 32-byte seed, which is the secret key: the caller keeps it.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pkcs8 = pkcs8(&seed);
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("ring has cipher suites for TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate(&pkcs8)], PrivateKeyDer::Pkcs8(pkcs8));
        let mut config = config.expect("a certificate fits the key that signed it");
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.send_tls13_tickets = 0;
        let quic = QuicServerConfig::try_from(config);
        Self {
            signing: SigningKey::from_seed(seed),
            quic: Arc::new(quic.expect("ring has the cipher suite of QUIC's first packets")),
            reset: Arc::new(ResetKey(blake3::derive_key(RESET_CONTEXT, &seed))),
        }
    }

    /// The identity of every development network's server. Everybody knows its key.
    pub fn development() -> Self {
        Self::from_seed(development_seed("tls"))
    }

    /// What clients pin.
    pub const fn public_key(&self) -> PublicKey {
        self.signing.public()
    }

    /// What signs receipts.
    pub(crate) fn signing_key(&self) -> SigningKey {
        self.signing.clone()
    }

    /// How an endpoint of this identity names connections, and how it says that it knows one no
    /// more.
    pub(crate) fn endpoint_config(&self) -> EndpointConfig {
        let mut config = EndpointConfig::new(Arc::clone(&self.reset) as Arc<dyn HmacKey>);
        config
            .cid_generator(|| Box::new(ConnectionNames))
            .min_reset_interval(RESET_INTERVAL);
        config
    }

    pub(crate) fn quic(&self) -> Arc<QuicServerConfig> {
        Arc::clone(&self.quic)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity(public {})", self.public_key())
    }
}

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Everything of an Ed25519 key in PKCS #8 that comes before the seed (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

fn pkcs8(seed: &[u8; 32]) -> PrivatePkcs8KeyDer<'static> {
    PrivatePkcs8KeyDer::from([&PKCS8_PREFIX[..], seed].concat())
}

fn certificate(key: &PrivatePkcs8KeyDer<'static>) -> CertificateDer<'static> {
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(key, &rcgen::PKCS_ED25519)
        .expect("any 32 bytes are an Ed25519 seed");
    let parameters = rcgen::CertificateParams::new(["keel".to_owned()]);
    let certificate = parameters
        .expect("`keel` is a legal name")
        .self_signed(&key)
        .expect("signing with a key in memory cannot fail");
    certificate.der().clone()
}

#[cfg(test)]
mod tests {
    use rustls::server::ParsedCertificate;

    use super::*;

    /// Our own derivation of the public key and the certificate's are the same.
    #[test]
    fn the_certificate_holds_the_public_key_that_clients_pin() {
        let seed = development_seed("tls");
        let certificate = certificate(&pkcs8(&seed));
        let parsed = ParsedCertificate::try_from(&certificate).unwrap();
        let spki = parsed.subject_public_key_info();
        let identity = Identity::from_seed(seed);
        assert_eq!(
            spki.as_ref().last_chunk(),
            Some(identity.public_key().as_bytes())
        );
        assert_eq!(
            Identity::development().public_key(),
            SigningKey::development("tls").public()
        );
    }
}
