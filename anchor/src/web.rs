//! How this crate speaks HTTP: over TLS where the address says so, with the authorities that the system
//! trusts (`SSL_CERT_FILE` names others).

use std::time::Duration;

/// A client whose connections give up when nothing comes for so long.
pub fn client(limit: Duration) -> reqwest::Client {
    // Of the whole process, once; whoever was first chose the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .connect_timeout(limit)
        .read_timeout(limit);
    client.build().expect("it has nothing that can be wrong")
}
