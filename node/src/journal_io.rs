//! Which way the journal takes to the disk: what the operator asked for, or what is faster now.
//!
//! Never decides what is durable: both ways mean the same.

use std::path::Path;

use store::{JournalIo, Measurement, Timing};

use crate::threads::Clock;

/// What an operator may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum JournalIoRequest {
    /// What a short measurement at start finds faster.
    #[default]
    Auto,
    /// io_uring: direct writes linked to fdatasync.
    Uring,
    /// Direct writes, each followed by fdatasync.
    Sync,
}

impl JournalIoRequest {
    /// Measures if it has to. A measurement that fails chooses the plain way: what is wrong with the
    /// directory is told by whoever opens the journal.
    pub(crate) fn resolve(self, data_directory: &Path, clock: &Clock) -> JournalIo {
        match self {
            Self::Uring => JournalIo::Uring,
            Self::Sync => JournalIo::Sync,
            Self::Auto => match store::measure(data_directory, &|| clock.unix_nanos()) {
                Ok(measurement) => {
                    tracing::info!("journal io: {}", describe(&measurement));
                    measurement.choose()
                }
                Err(error) => {
                    tracing::info!("journal io: sync, not measured: {error}");
                    JournalIo::Sync
                }
            },
        }
    }
}

/// A measurement in one line.
pub(crate) fn describe(measurement: &Measurement) -> String {
    let uring = match &measurement.uring {
        Ok(timing) => describe_timing(timing),
        Err(reason) => format!("not available: {reason}"),
    };
    format!(
        "sync {}, uring {uring}; auto takes {}",
        describe_timing(&measurement.sync),
        measurement.choose().name()
    )
}

fn describe_timing(timing: &Timing) -> String {
    let [median, worst] = [timing.median, timing.worst].map(|nanos| nanos as f64 / 1e3);
    format!("{median:.0} us median {worst:.0} us worst")
}
