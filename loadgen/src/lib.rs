//! Load for a node: seeded workloads, recorded streams, and a report of what came back.
//!
//! A client of the node and nothing more: it knows only what the native protocol tells, and uses
//! one thread. It never starts or stops a node, and takes no number on trust: every command that
//! it sends has exactly one outcome in the report, or the report fails.
//!
//! Start with [`run()`] for a workload, [`replay()`] for a recording; [`workload`] also serves
//! benches and simulations that need commands and no network.
//!
//! | module | holds |
//! |---|---|
//! | [`workload`] | commands from a seed |
//! | `frames` | frames of these commands, signed as they are sent or ahead |
//! | [`mod@run`] | clients that send them, on a schedule or as fast as possible |
//! | [`mod@replay`] | a recorded level-3 stream, in file order over two sessions |
//! | `meter`, `series` | what was answered and used when |
//! | [`report`] | the outcome of a run: JSON, text, a page, and the formats of others |
//! | `compare` | two outcomes, and whether the second is worse |
//! | `record` | what the clients saw, message by message, on disk |
//! | [`mod@check`] | that record against what a journal comes to |
//! | [`processes`] | a run over several processes |
//! | [`mod@ramp`] | runs at growing rates, until answers come too late |
//! | [`mod@skeleton`] | the same without a node, as a measure of the machine |
//! | `ping` | single orders, and where their time goes |
//! | [`cli`] | the command line |
#![forbid(unsafe_code)]

pub mod check;
pub mod cli;
mod compare;
mod drive;
mod error;
mod frames;
mod in_flight;
mod latency;
mod machine;
mod meter;
mod node_metrics;
mod outputs;
mod pacer;
mod ping;
pub mod processes;
pub mod ramp;
mod record;
pub mod replay;
pub mod report;
pub mod run;
mod schedule;
mod series;
mod session;
pub mod skeleton;
mod tally;
pub mod workload;

pub use error::LoadError;
pub use frames::Signing;
pub use machine::Machine;
pub use node_metrics::NodeFigures;
pub use ping::{PingOptions, PingReport, ping};
pub use ramp::{RampOptions, RampReport, ramp};
pub use replay::{Recording, ReplayOptions, ReplayReport, replay};
pub use report::RunReport;
pub use run::{Progress, Rate, RunOptions, run};
pub use session::{NamedKey, Target, development_keys};
pub use tally::Stages;
pub use workload::{Scenario, Spread};

/// The commit that this library was built from, or `unknown`. All of the workspace is.
pub const COMMIT: &str = env!("LOADGEN_COMMIT");
