//! A tally adds up, and another process reads what this one wrote.

use types::wire::ack::{Ack, StageTimes};
use types::{Nonce, SequenceNumber};

use super::*;
use crate::series::Intervals;

const WARM_UP: Duration = Duration::from_secs(1);

fn ack(sent: u32) -> Ack<'static> {
    Ack {
        nonce: Nonce::new(1),
        first_sequence: SequenceNumber::new(1),
        times: StageTimes {
            received_at: 0,
            sequenced: 1_000,
            executed: 2_000,
            durable: 3_000,
            sent,
        },
        repeated: false,
        refused: None,
        outcomes: &[],
    }
}

/// A tally of a process that saw answers after so many microseconds.
fn tally(latencies_us: impl IntoIterator<Item = u64>) -> Tally {
    let mut tally = Tally::new();
    let mut series = Series::new(Intervals::of(WARM_UP, Duration::from_secs(2)));
    for latency in latencies_us {
        let frame = SentFrame {
            intended: WARM_UP,
            commands: 0,
            measured: true,
        };
        let now = WARM_UP + Duration::from_micros(latency);
        let answer = tally.ack(&ack(latency as u32), Some(frame), now);
        series.answer(&answer.expect("the frame counts"));
    }
    tally.rejects.insert(RejectReason::OrderNotFound, 3);
    tally.refused.insert(RejectReason::Busy, 4);
    (tally.scheduled, tally.unsent, tally.late) = (10, 1, 2);
    tally.series = Some(series);
    tally
}

#[test]
fn what_another_process_wrote_merges_like_a_tally_of_this_one() {
    let (mut merged, other) = (tally(1..2_000), tally([7, 5_000, 900_000]));
    let handed_on: Tally = serde_json::from_str(&serde_json::to_string(&other).unwrap()).unwrap();
    assert_eq!(handed_on, other);
    merged.merge(&handed_on);
    let mut expected = tally((1..2_000).chain([7, 5_000, 900_000]));
    expected.rejects.insert(RejectReason::OrderNotFound, 6);
    expected.refused.insert(RejectReason::Busy, 8);
    (expected.scheduled, expected.unsent, expected.late) = (20, 2, 4);
    assert_eq!(merged, expected);
}

#[test]
fn a_tally_without_a_series_takes_the_other_s() {
    let other = tally([5]);
    let mut total = Tally::new();
    total.merge(&Tally::new());
    assert_eq!(total.series, None);
    total.merge(&other);
    total.merge(&Tally::new());
    assert_eq!(total.series, other.series);
}

#[test]
fn what_does_not_count_is_not_in_the_series() {
    let mut tally = Tally::new();
    let frame = SentFrame {
        intended: Duration::ZERO,
        commands: 0,
        measured: false,
    };
    let refused = Ack {
        refused: Some(RejectReason::BadSignature),
        ..ack(1)
    };
    for (ack, frame) in [
        (ack(1), None),
        (ack(1), Some(frame)),
        (refused, Some(frame)),
    ] {
        assert_eq!(tally.ack(&ack, frame, WARM_UP), None);
    }
    assert_eq!(tally.latency.count(), 0);
}

#[test]
fn an_unknown_reason_is_refused() {
    let text = serde_json::to_string(&tally([5])).unwrap();
    let code = RejectReason::Busy.code();
    let planted = text.replace(&format!("[[{code},4]]"), "[[65535,4]]");
    assert_ne!(planted, text);
    let refused = serde_json::from_str::<Tally>(&planted).unwrap_err();
    assert!(refused.to_string().contains("65535"), "{refused}");
}
