//! The numbers in the text format of Prometheus, version 0.0.4.
//!
//! A queue's depth is what its producer has counted less what its consumer has; so it is right even
//! when either of them stands still, which is when it matters.

use std::fmt::{Display, Write as _};

use gateway::api::counters::RECOVER_QUEUE;
use gateway::counters::{Counter, Histogram, Stage};
use rustix::time::{ClockId, clock_gettime};
use types::Command;

use super::Metrics;
use crate::rings;

/// Every metric, as text.
pub(super) fn render(metrics: &Metrics) -> String {
    let mut page = Page(String::with_capacity(32 * 1024));
    progress(metrics, &mut page);
    queues(metrics, &mut page);
    orders(metrics, &mut page);
    latencies(metrics, &mut page);
    connections(metrics, &mut page);
    traders(metrics, &mut page);
    storage(metrics, &mut page);
    anchoring(metrics, &mut page);
    process(metrics, &mut page);
    page.0
}

fn progress(metrics: &Metrics, page: &mut Page) {
    let Metrics {
        pipeline,
        journal,
        gateway,
        ..
    } = metrics;
    for (name, help, counter) in [
        (
            "keel_sequence",
            "Last sequence number given.",
            &pipeline.sequence,
        ),
        (
            "keel_durable_sequence",
            "Last sequence number synced.",
            &journal.durable_sequence,
        ),
        (
            "keel_released_sequence",
            "Last sequence number released.",
            &pipeline.released_sequence,
        ),
        (
            "keel_answered_sequence",
            "Last sequence number answered.",
            &gateway.sequence,
        ),
        (
            "keel_released_height",
            "Height of the last block released.",
            &pipeline.released_height,
        ),
    ] {
        page.family(name, "gauge", help);
        page.sample(name, "", counter.get());
    }
    page.family(
        "keel_blocks_total",
        "counter",
        "Blocks, by how far they got.",
    );
    for (state, counter) in [
        ("sealed", &pipeline.blocks_sealed),
        ("durable", &journal.blocks_durable),
        ("released", &pipeline.blocks_released),
        ("answered", &gateway.blocks_dispatched),
        ("executed_again", &metrics.shadow.blocks_followed),
    ] {
        let label = format!("{{state=\"{state}\"}}");
        page.sample("keel_blocks_total", &label, counter.get());
    }
}

/// Name, capacity, what was put in, and what was taken out.
type Queue<'a> = (&'static str, usize, &'a Counter, &'a [&'a Counter]);

fn queues(metrics: &Metrics, page: &mut Page) {
    let Metrics {
        gateway,
        signatures,
        pipeline,
        journal,
        shadow,
        checkpoint,
        api,
        ..
    } = metrics;
    let rejected = Counter::default();
    rejected.set(signatures.bad.get() + signatures.busy.get());
    let refused = Counter::default();
    refused.set(pipeline.frames_refused.get() + pipeline.frames_halted.get());
    #[rustfmt::skip] // A table.
    let queues: [Queue<'_>; 12] = [
        ("unverified", rings::FRAMES, &gateway.frames_admitted,
            &[&signatures.verified, &signatures.bad, &signatures.busy]),
        ("verified", rings::FRAMES, &signatures.verified,
            &[&pipeline.frames_sequenced, &pipeline.frames_refused, &pipeline.frames_halted]),
        ("rejected", rings::FRAMES, &rejected, &[&gateway.rejected_taken]),
        ("refused", rings::FRAMES, &refused, &[&gateway.refused_taken]),
        ("journal", rings::JOURNAL, &pipeline.blocks_sealed, &[&journal.blocks_taken]),
        ("durable", rings::JOURNAL, &journal.blocks_durable, &[&pipeline.blocks_noted]),
        ("released", rings::RELEASED, &pipeline.blocks_released, &[&gateway.blocks_dispatched]),
        ("shadow", rings::RELEASED, &pipeline.blocks_released, &[&shadow.blocks_followed]),
        ("questions", rings::QUERIES, &gateway.questions_asked, &[&shadow.questions_answered]),
        ("replies", rings::QUERIES, &shadow.questions_answered, &[&gateway.replies_taken]),
        ("checkpoint", rings::CHECKPOINTS, &shadow.checkpoints_begun,
            &[&checkpoint.written, &checkpoint.failed]),
        ("recover", RECOVER_QUEUE, &api.recoveries_asked, &[&api.recoveries_done]),
    ];
    let name = "keel_queue_depth";
    page.family(name, "gauge", "What waits in each ring.");
    for (queue, _, entered, left) in &queues {
        // What left is read first: so what enters meanwhile makes it too high, never negative.
        let left: u64 = left.iter().map(|it| it.get()).sum();
        let depth = entered.get().saturating_sub(left);
        page.sample(name, &format!("{{queue=\"{queue}\"}}"), depth);
    }
    let name = "keel_queue_capacity";
    page.family(name, "gauge", "How much each ring holds.");
    for (queue, capacity, ..) in &queues {
        page.sample(name, &format!("{{queue=\"{queue}\"}}"), capacity);
    }
}

fn orders(metrics: &Metrics, page: &mut Page) {
    let Metrics {
        gateway,
        signatures,
        pipeline,
        shadow,
        ..
    } = metrics;
    let name = "keel_frames_total";
    page.family(name, "counter", "Frames of orders, by what became of them.");
    for (state, counter) in [
        ("admitted", &gateway.frames_admitted),
        ("verified", &signatures.verified),
        ("bad_signature", &signatures.bad),
        ("busy", &signatures.busy),
        ("sequenced", &pipeline.frames_sequenced),
        ("disk_full", &pipeline.frames_refused),
        ("withdrawals_halted", &pipeline.frames_halted),
    ] {
        page.sample(name, &format!("{{state=\"{state}\"}}"), counter.get());
    }
    let name = "keel_silences_total";
    page.family(name, "counter", "Silences of keys with a session policy.");
    page.sample(name, "", pipeline.silences.get());
    let name = "keel_cancel_only";
    page.family(name, "gauge", "1 while the exchange is cancel-only.");
    page.sample(name, "", pipeline.cancel_only.get());
    let name = "keel_commands_admitted_total";
    page.family(name, "counter", "Commands in admitted frames.");
    page.sample(name, "", gateway.commands_admitted.get());
    let name = "keel_commands_total";
    page.family(name, "counter", "Commands of released frames, by kind.");
    for (kind, counter) in Command::KINDS.iter().zip(&shadow.commands) {
        page.sample(name, &format!("{{kind=\"{kind}\"}}"), counter.get());
    }
    let name = "keel_rejects_total";
    page.family(name, "counter", "Refusals, by who refused and why.");
    for (by, rejects, is_session) in [
        ("session", &gateway.rejects, true),
        ("engine", &shadow.rejects, false),
    ] {
        for (reason, count) in rejects.iter() {
            if count > 0 || (reason.code() < FIRST_OF_ENGINE) == is_session {
                let label = format!("{{by=\"{by}\",reason=\"{reason}\"}}");
                page.sample(name, &label, count);
            }
        }
    }
}

/// Reasons below are the session's.
const FIRST_OF_ENGINE: u16 = 32;

fn latencies(metrics: &Metrics, page: &mut Page) {
    let name = "keel_stage_seconds";
    page.family(name, "histogram", "Time that a frame spent in each stage.");
    for (stage, histogram) in Stage::ALL.iter().zip(&metrics.gateway.latency) {
        let label = format!("stage=\"{}\"", stage.name());
        page.histogram(name, &label, histogram, 1e-9);
    }
    let name = "keel_block_commands";
    page.family(name, "histogram", "Commands and ticks in one block.");
    page.histogram(name, "", &metrics.pipeline.commands_per_block, 1.0);
    let name = "keel_sync_blocks";
    page.family(name, "histogram", "Blocks in one sync.");
    page.histogram(name, "", &metrics.journal.blocks_per_sync, 1.0);
    let name = "keel_signature_batch_frames";
    page.family(name, "histogram", "Signatures verified in one batch.");
    page.histogram(name, "", &metrics.signatures.batches, 1.0);
}

fn connections(metrics: &Metrics, page: &mut Page) {
    let gateway = &metrics.gateway;
    let name = "keel_connections";
    page.family(name, "gauge", "Connections, by class.");
    for (class, counter) in [
        ("handshaking", &gateway.handshaking),
        ("open", &gateway.open),
        ("draining", &gateway.draining),
    ] {
        page.sample(name, &format!("{{class=\"{class}\"}}"), counter.get());
    }
    let name = "keel_connections_total";
    page.family(name, "counter", "First packets, by what became of them.");
    for (result, counter) in [
        ("accepted", &gateway.connections_accepted),
        ("refused", &gateway.connections_refused),
        ("retried", &gateway.connections_retried),
    ] {
        page.sample(name, &format!("{{result=\"{result}\"}}"), counter.get());
    }
    let name = "keel_stream_bytes_total";
    page.family(name, "counter", "Bytes of sessions' streams.");
    page.sample(name, "{direction=\"in\"}", gateway.bytes_received.get());
    page.sample(name, "{direction=\"out\"}", gateway.bytes_sent.get());
    let name = "keel_session_pauses_total";
    let help = "Times that a session was not read for a while, for what it was refused.";
    page.family(name, "counter", help);
    page.sample(name, "", gateway.pauses.get());
}

/// What the trader API counts.
fn traders(metrics: &Metrics, page: &mut Page) {
    let api = &metrics.api;
    let name = "keel_api_requests_total";
    let help = "Requests of traders, by where they went and the class of their answer.";
    page.family(name, "counter", help);
    for (endpoint, class, count) in api.requests() {
        let endpoint = endpoint.name();
        let label = format!("{{endpoint=\"{endpoint}\",class=\"{class}\"}}");
        page.sample(name, &label, count);
    }
    let name = "keel_api_refusals_total";
    let help = "What the trader API has refused before the engine saw it, by why.";
    page.family(name, "counter", help);
    for (refusal, count) in api.refusals() {
        page.sample(name, &format!("{{reason=\"{}\"}}", refusal.name()), count);
    }
    let name = "keel_api_sockets";
    page.family(name, "gauge", "Sockets of traders that are open.");
    page.sample(name, "", api.sockets.get());
    let name = "keel_api_subscriptions";
    page.family(name, "gauge", "What they are subscribed to, together.");
    page.sample(name, "", api.subscriptions.get());
    let name = "keel_api_sockets_dropped_total";
    page.family(name, "counter", "Sockets that the node has ended, by why.");
    for (end, count) in api.socket_ends() {
        page.sample(name, &format!("{{reason=\"{}\"}}", end.name()), count);
    }
}

fn storage(metrics: &Metrics, page: &mut Page) {
    let Metrics {
        journal,
        checkpoint,
        ..
    } = metrics;
    let age = metrics
        .clock
        .unix_nanos()
        .saturating_sub(checkpoint.at.get());
    for (name, help, value) in [
        (
            "keel_checkpoint_age_seconds",
            "Since the last checkpoint, or since the start; an idle node makes none.",
            age / 1_000_000_000,
        ),
        (
            "keel_checkpoint_height",
            "Height of the last checkpoint since the start.",
            checkpoint.height.get(),
        ),
        (
            "keel_journal_room_bytes",
            "Bytes of records that fit into the segments that are ready.",
            journal.room.get(),
        ),
        (
            "keel_journal_short",
            "1 while the disk has no room for another segment.",
            journal.is_short.get(),
        ),
    ] {
        page.family(name, "gauge", help);
        page.sample(name, "", value);
    }
    let name = "keel_checkpoints_total";
    page.family(name, "counter", "Checkpoints, by what became of them.");
    page.sample(name, "{result=\"written\"}", checkpoint.written.get());
    page.sample(name, "{result=\"failed\"}", checkpoint.failed.get());
}

/// Of a node that is told to mind the chain; others have nothing to say of it.
fn anchoring(metrics: &Metrics, page: &mut Page) {
    let Some(lag) = &metrics.anchor_lag else {
        return;
    };
    // What the chain has is read first, so that it is never ahead.
    let anchored = lag.sequence.get();
    let commands = metrics
        .pipeline
        .released_sequence
        .get()
        .saturating_sub(anchored);
    for (name, help, value) in [
        (
            "keel_anchor_lag_seconds",
            "How long ago the chain was seen to have the newest checkpoint.",
            lag.seconds.get(),
        ),
        (
            "keel_anchor_lag_commands",
            "Released sequence numbers that the chain is not known to have.",
            commands,
        ),
        (
            "keel_withdrawals_halted",
            "1 while withdrawals are refused.",
            lag.is_beyond().into(),
        ),
    ] {
        page.family(name, "gauge", help);
        page.sample(name, "", value);
    }
}

fn process(metrics: &Metrics, page: &mut Page) {
    for (name, help, value) in [
        (
            "keel_ready",
            "1 while orders are taken.",
            u64::from(metrics.hindrances().is_empty()),
        ),
        (
            "keel_draining",
            "1 while the node stops.",
            u64::from(metrics.is_draining()),
        ),
        (
            "process_resident_memory_bytes",
            "Memory that is in use.",
            resident_bytes(),
        ),
    ] {
        page.family(name, "gauge", help);
        page.sample(name, "", value);
    }
    let name = "process_cpu_seconds_total";
    page.family(name, "counter", "CPU time, user and system.");
    page.sample(name, "", cpu_seconds());
    let name = "keel_build_info";
    page.family(name, "gauge", "Always 1; its labels say which build runs.");
    let version = env!("CARGO_PKG_VERSION");
    let label = format!("{{version=\"{version}\",commit=\"{}\"}}", loadgen::COMMIT);
    page.sample(name, &label, 1);
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// 0 where the kernel does not say.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm");
    let resident = |text: String| text.split(' ').nth(1)?.parse::<u64>().ok();
    let pages = pages.ok().and_then(resident).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Text under construction.
struct Page(String);

impl Page {
    /// The lines that come before the samples of a name.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        self.line(format_args!("{name}{labels} {value}"));
    }

    /// `scale`: how much of the unit one of the histogram's is.
    fn histogram<const FIRST: u32, const BUCKETS: usize>(
        &mut self,
        name: &str,
        label: &str,
        histogram: &Histogram<FIRST, BUCKETS>,
        scale: f64,
    ) {
        let comma = if label.is_empty() { "" } else { "," };
        let braced = match label {
            "" => String::new(),
            label => format!("{{{label}}}"),
        };
        // Read last, it would be less than a bucket; so it is at least the last bucket.
        let mut highest = 0;
        for (bound, count) in histogram.cumulative() {
            let bound = bound as f64 * scale;
            let labels = format!("{{{label}{comma}le=\"{bound}\"}}");
            self.sample(&format!("{name}_bucket"), &labels, count);
            highest = count;
        }
        let count = histogram.count().max(highest);
        let labels = format!("{{{label}{comma}le=\"+Inf\"}}");
        self.sample(&format!("{name}_bucket"), &labels, count);
        let sum = histogram.sum() as f64 * scale;
        self.sample(&format!("{name}_sum"), &braced, sum);
        self.sample(&format!("{name}_count"), &braced, count);
    }

    fn line(&mut self, arguments: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{arguments}").expect("memory takes every write");
    }
}
