//! TLS of the trader API's port, where somebody has a certificate for it. Version 1.3, HTTP/1.1.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::tls::provider;

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct ApiTls(pub(super) Arc<ServerConfig>);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The messages say it.
pub enum ApiTlsError {
    #[error("no certificate in PEM: {0}")]
    Certificate(rustls::pki_types::pem::Error),
    #[error("no private key in PEM: {0}")]
    Key(rustls::pki_types::pem::Error),
    #[error("key and certificate do not fit: {0}")]
    Pair(rustls::Error),
}

impl ApiTls {
    /// From the texts of two PEM files: a chain of certificates, the server's own first, and its key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, ApiTlsError> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(ApiTlsError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(ApiTlsError::Key)?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("ring has cipher suites for TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let mut config = config.map_err(ApiTlsError::Pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}
