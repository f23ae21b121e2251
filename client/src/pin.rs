//! Trust in the server: its public key is pinned, no authority and no name is asked.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme};
use types::auth::{PublicKey, SigningKey};

/// Which server to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerPin {
    /// A development network's server. Its key is published, so this trusts everybody.
    Development,
    /// The server with this Ed25519 key.
    PublicKey(PublicKey),
}

impl ServerPin {
    /// The key that the server must have.
    pub fn public_key(&self) -> PublicKey {
        match self {
            Self::Development => SigningKey::development("tls").public(),
            Self::PublicKey(public_key) => *public_key,
        }
    }
}

/// Everything of an Ed25519 key in a certificate that comes before its 32 bytes (RFC 8410,
/// section 4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Accepts one public key, and TLS 1.3 handshakes signed with it.
#[derive(Debug)]
pub(crate) struct PinVerifier {
    expected: PublicKey,
    /// The key of a server that was not accepted, for the error message.
    presented: OnceLock<PublicKey>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinVerifier {
    pub(crate) fn new(pin: &ServerPin, provider: &CryptoProvider) -> Arc<Self> {
        Arc::new(Self {
            expected: pin.public_key(),
            presented: OnceLock::new(),
            algorithms: provider.signature_verification_algorithms,
        })
    }

    /// The key of a server that was not accepted.
    pub(crate) fn presented(&self) -> Option<PublicKey> {
        self.presented.get().copied()
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let spki = certificate.subject_public_key_info();
        let public_key = spki
            .strip_prefix(&SPKI_PREFIX)
            .and_then(|key| <[u8; 32]>::try_from(key).ok())
            .map(PublicKey::new)
            .ok_or(CertificateError::BadEncoding)?;
        if public_key == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        // It is set once per connection, so it cannot be set already.
        let _ = self.presented.set(public_key);
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    /// Never called, for TLS 1.2 is not offered.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
