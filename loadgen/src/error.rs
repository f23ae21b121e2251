//! Why there is no report.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use client::{ConnectError, SessionError};
use types::RejectReason;

use crate::replay::RecordingError;
use crate::workload::WorkloadError;

/// Why a run or a replay did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// What was asked for is impossible.
    #[error("{0}")]
    Options(String),
    /// The run is over, but what came of it cannot be written.
    #[error("cannot write {}: {source}; is the disk full?", path.display())]
    Output {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The node's numbers cannot be read.
    #[error(
        "cannot read the node's numbers at http://{address}/metrics ({reason}); does `keel serve` \
         run with `--metrics {address}`?"
    )]
    Metrics {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// No session could be opened.
    #[error("{key}: {source}")]
    Connect {
        /// Whose session.
        key: String,
        /// Why.
        source: ConnectError,
    },
    /// A session ended while it was needed.
    #[error("{key}: {source}")]
    Session {
        /// Whose session.
        key: String,
        /// Why.
        source: SessionError,
    },
    /// The node is there, but does not say what is needed to begin.
    #[error("{key}: the node did not answer {what} within {limit:?}; is it overloaded?")]
    Silent {
        /// Whose session.
        key: String,
        /// What it was asked.
        what: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The node refuses what is needed.
    #[error("{key}: the node refuses {what}: {reason}")]
    Refused {
        /// Whose session.
        key: String,
        /// What it was asked.
        what: &'static str,
        /// Why.
        reason: RejectReason,
    },
    /// The scenario is impossible on this network.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// One of several processes has no report.
    #[error("{0}")]
    Part(String),
    /// There is nothing to compare with.
    #[error(transparent)]
    Skeleton(#[from] crate::skeleton::Failure),
    /// The file is no recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The system gives no timer or no runtime.
    #[error("the system refuses what the generator needs: {0}")]
    System(#[from] io::Error),
}
