//! What the report says, to machines and to people.

use std::num::NonZeroU64;

use types::wire::ack::{Ack, StageTimes};
use types::{Nonce, SequenceNumber};

use super::*;
use crate::error::LoadError;
use crate::tally::SentFrame;

mod forms;

fn options() -> RunOptions {
    RunOptions::development(([127, 0, 0, 1], 1).into())
}

/// A tally of frames of no commands but with times, and of `answered` commands.
fn tally(latencies_us: &[u64], answered: u64) -> Tally {
    let mut tally = Tally::new();
    let intended = options().warm_up;
    for latency in latencies_us {
        let now = intended + Duration::from_micros(*latency);
        let ack = Ack {
            nonce: Nonce::new(1),
            first_sequence: SequenceNumber::new(1),
            times: StageTimes {
                received_at: 0,
                sequenced: 10_000,
                executed: 20_000,
                durable: 900_000,
                sent: 950_000,
            },
            repeated: false,
            refused: None,
            outcomes: &[],
        };
        let frame = SentFrame {
            intended,
            commands: 0,
            measured: true,
        };
        tally.ack(&ack, Some(frame), now);
    }
    tally.answered = answered;
    tally
}

fn close(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= expected / 500.0
}

#[test]
fn percentiles_and_rates_come_out_of_the_tally() {
    let latencies: Vec<u64> = (1..=10_000).collect();
    let tally = tally(&latencies, 320_000);
    let report = RunReport::new(&options(), &tally, Duration::from_millis(320));
    for (actual, expected) in [
        (report.ack_latency_us.p50, 5_000.0),
        (report.ack_latency_us.p90, 9_000.0),
        (report.ack_latency_us.p99, 9_900.0),
        (report.ack_latency_us.p999, 9_990.0),
        (report.ack_latency_us.max, 10_000.0),
        (report.stage_median_us.sequenced, 10.0),
        (report.stage_median_us.durable, 900.0),
        (report.seconds, 0.01),
        (report.orders_per_second, 32_000_000.0),
        (report.cpu_us_per_order, 1.0),
    ] {
        assert!(close(actual, expected), "{actual} instead of {expected}");
    }
    assert_eq!(report.verdict, Verdict::Pass);
}

#[test]
fn the_json_has_the_keys_of_the_contract() {
    let mut options = options();
    options.rate = Rate::PerSecond(NonZeroU64::new(100_000).unwrap());
    let report = RunReport::new(&options, &tally(&[5], 1), Duration::ZERO);
    let json = serde_json::to_value(&report).unwrap();
    let keys = "orders_per_second trades_per_second orders rejects frame signature_mode signing ack \
                ack_latency_us cpu_us_per_order skeleton_ratio replay_equal conserved verdict seed \
                commit scenario offered_per_second schedule_kept stage_median_us stage_p99_us \
                ack_latency_curve_us series machine command generator_cpu_us_per_order node";
    for key in keys.split_whitespace() {
        assert!(json.get(key).is_some(), "{key} is missing");
    }
    for key in ["p50", "p90", "p99", "p999", "max"] {
        assert!(json["ack_latency_us"][key].is_f64(), "{key} is no number");
    }
    assert_eq!(json["signature_mode"], "frame");
    assert_eq!(json["signing"], "live");
    assert_eq!(json["ack"], "durable");
    assert_eq!(json["verdict"], "pass");
    assert_eq!(json["offered_per_second"], 100_000);
    assert!(json["skeleton_ratio"].is_null() && json["replay_equal"].is_null());
    assert_ne!(json["commit"], "");
}

#[test]
fn every_failure_fails_the_verdict() {
    type Change = fn(&mut Tally);
    let cases: [(Change, &str); 7] = [
        (|tally| tally.answered = 0, "no command was answered"),
        (|tally| tally.unanswered = 2, "2 frames were never answered"),
        (|tally| tally.unexpected = 1, "1 answers fit no frame"),
        (
            |tally| *tally.rejects.entry(RejectReason::ZeroPrice).or_default() = 26,
            "26 of 100 commands were rejected",
        ),
        (
            |tally| *tally.refused.entry(RejectReason::BadSignature).or_default() = 1,
            "frames were refused",
        ),
        (
            |tally| (tally.scheduled, tally.unsent) = (100, 1),
            "1 not at all",
        ),
        (
            |tally| (tally.scheduled, tally.late) = (100, 2),
            "2 went out more than 10 ms late",
        ),
    ];
    for (change, expected) in cases {
        let mut tally = tally(&[5], 100);
        change(&mut tally);
        let report = RunReport::new(&options(), &tally, Duration::ZERO);
        assert_eq!(report.verdict, Verdict::Fail, "{expected}");
        let failures = report.failures.join("; ");
        assert!(failures.contains(expected), "{failures:?}");
        assert!(report.text().contains(&failures));
    }
}

#[test]
fn what_is_normal_under_load_is_no_failure() {
    let mut tally = tally(&[5], 100);
    tally.rejects.insert(RejectReason::OrderNotFound, 25);
    tally.refused.insert(RejectReason::Busy, 3);
    (tally.scheduled, tally.late) = (100, 1);
    let report = RunReport::new(&options(), &tally, Duration::ZERO);
    assert_eq!(report.failures, [""; 0]);
    assert!(report.text().contains("ORDER_NOT_FOUND 25"));
    assert!(report.text().contains("BUSY 3"));
}

#[test]
fn the_caller_s_checks_join_the_verdict() {
    let mut report = RunReport::new(&options(), &tally(&[5], 100), Duration::from_micros(100));
    report.add_cpu(Duration::from_micros(200));
    assert!(close(report.cpu_us_per_order, 3.0));
    report.replay_equal = Some(true);
    report.conserved = Some(true);
    report.judge();
    assert_eq!(report.verdict, Verdict::Pass);
    report.conserved = Some(false);
    report.judge();
    assert_eq!(report.failures, ["assets were made or lost"]);
    report.conserved = Some(true);
    report.judge();
    assert_eq!(report.verdict, Verdict::Pass);
}

#[test]
fn the_node_s_side_joins_the_report() {
    let figures = |cpu_seconds| NodeFigures {
        cpu_seconds,
        cpu_us_per_order: None,
        resident_bytes_before: None,
        resident_bytes_after: Some(1 << 20),
        version: None,
        commit: Some("abc".to_owned()),
    };
    let cpu = Duration::from_micros(100);
    for (cpu_seconds, expected) in [(Some(0.000_2), 3.0), (None, 1.0)] {
        let mut report = RunReport::new(&options(), &tally(&[5], 100), cpu);
        report.add_node(Ok(figures(cpu_seconds)));
        assert!(close(report.cpu_us_per_order, expected), "{cpu_seconds:?}");
        assert!(close(report.generator_cpu_us_per_order, 1.0));
        assert_eq!(report.verdict, Verdict::Pass);
    }
    let mut report = RunReport::new(&options(), &tally(&[5], 100), cpu);
    let problem = LoadError::Metrics {
        address: ([127, 0, 0, 1], 1).into(),
        reason: "no answer".to_owned(),
    };
    report.add_node(Err(problem.to_string()));
    assert_eq!(report.verdict, Verdict::Fail);
    assert!(report.text().contains("127.0.0.1:1/metrics (no answer)"));
}

#[test]
fn text_is_aligned_and_numbers_are_grouped() {
    for (number, expected) in [
        (0u64, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (38_644_604_092_001, "38,644,604,092,001"),
    ] {
        assert_eq!(grouped(number), expected);
    }
    let report = RunReport::new(&options(), &tally(&[5], 1_234_567), Duration::ZERO);
    let text = report.text();
    assert!(text.contains("1,234,567"));
    assert!(text.lines().all(|line| line.as_bytes()[15] == b' '));
    assert!(text.ends_with("PASS\n"));
}
