//! What is compared, what is refused, and who is worse.

use super::*;

fn figures() -> Figures {
    Figures {
        scenario: "uniform".to_owned(),
        frame: 32,
        signature_mode: "frame".to_owned(),
        signing: live(),
        offered_per_second: None,
        clients: 4,
        seed: 1,
        commit: "abc".to_owned(),
        verdict: "pass".to_owned(),
        orders_per_second: 500_000.0,
        ack_latency_us: Latencies {
            p50: 1_000.0,
            p90: 2_000.0,
            p99: 4_000.0,
            p999: 8_000.0,
            max: 16_000.0,
        },
        cpu_us_per_order: 4.0,
        node: None,
        machine: None,
    }
}

type Change = fn(&mut Figures);

fn changed(change: Change) -> Figures {
    let mut figures = figures();
    change(&mut figures);
    figures
}

#[test]
fn runs_of_different_kinds_are_not_compared() {
    let cases: [(Change, &str); 7] = [
        (
            |b| b.scenario = "hot".to_owned(),
            "scenario: A has uniform, B has hot",
        ),
        (|b| b.frame = 8, "frame: A has 32, B has 8"),
        (
            |b| b.signature_mode = "rolling".to_owned(),
            "signature mode: A has frame, B has rolling",
        ),
        (
            |b| b.signing = "ahead".to_owned(),
            "signing: A has live, B has ahead",
        ),
        (
            |b| b.offered_per_second = Some(100_000),
            "rate: A has as fast as possible, B has 100,000 orders/s",
        ),
        (
            |b| {
                b.node = Some(NodeCpu {
                    cpu_us_per_order: Some(2.0),
                });
            },
            "CPU time: A has that of the process alone, B has that of both sides",
        ),
        (|_| (), ""),
    ];
    for (change, expected) in cases {
        let found = differences(&figures(), &changed(change)).join("; ");
        assert_eq!(found, expected);
    }
    for change in [(|a| a.verdict = "fail".to_owned()) as Change, |a| {
        a.orders_per_second = 0.0
    }] {
        assert_eq!(differences(&changed(change), &figures()).len(), 1);
    }
}

#[test]
fn only_what_is_worse_by_more_than_the_tolerance_fails() {
    let cases: [(Change, &str); 9] = [
        (|_| (), ""),
        (|b| b.orders_per_second = 450_000.0, ""),
        (
            |b| b.orders_per_second = 449_000.0,
            "449000 orders/s are less than 450000",
        ),
        (|b| b.orders_per_second = 900_000.0, ""),
        (|b| b.cpu_us_per_order = 4.4, ""),
        (
            |b| b.cpu_us_per_order = 4.5,
            "4.50 us of CPU per order are more than 4.40",
        ),
        // As fast as possible, latency is what the window makes of it.
        (|b| b.ack_latency_us.p99 = 40_000.0, ""),
        (|b| b.verdict = "fail".to_owned(), "B failed on its own"),
        (
            |b| (b.orders_per_second, b.cpu_us_per_order) = (0.0, 5.0),
            "0 orders/s are less than 450000; 5.00 us of CPU per order are more than 4.40",
        ),
    ];
    for (change, expected) in cases {
        let found = complaints(&figures(), &changed(change), 0.1).join("; ");
        assert_eq!(found, expected);
    }
}

#[test]
fn at_a_given_rate_latency_decides() {
    let at_rate = |change: Change| {
        let mut figures = changed(change);
        figures.offered_per_second = Some(100_000);
        figures
    };
    let cases: [(Change, &str); 4] = [
        (|_| (), ""),
        (|b| b.ack_latency_us.p99 = 4_400.0, ""),
        (
            |b| b.ack_latency_us.p99 = 4_500.0,
            "a p99 of 4500 us is more than 4400",
        ),
        (|b| b.orders_per_second = 400_000.0, ""),
    ];
    for (change, expected) in cases {
        let found = complaints(&at_rate(|_| ()), &at_rate(change), 0.1).join("; ");
        assert_eq!(found, expected);
    }
}

#[test]
fn the_table_has_ratios() {
    let b = changed(|b| {
        (b.orders_per_second, b.clients) = (400_000.0, 8);
        b.ack_latency_us.p99 = 5_000.0;
    });
    let text = table(&figures(), &b);
    for expected in [
        "orders/s             500000.00      400000.00    0.800\n",
        "p99 us                 4000.00        5000.00    1.250\n",
        "CPU us/order              4.00           4.00    1.000\n",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    let none = changed(|a| a.cpu_us_per_order = 0.0);
    assert!(table(&none, &none).contains("0.00        -\n"));
    assert_eq!(
        notes(&figures(), &b),
        "note            clients: A has 4, B has 8\n"
    );
}

#[test]
fn what_is_no_report_is_refused() {
    for (text, expected) in [
        (
            "{}",
            "no report of `loadgen run --json`: missing field `scenario`",
        ),
        ("ack p50 1.2 ms", "no report"),
    ] {
        let refused = serde_json::from_str::<Figures>(text).unwrap_err();
        assert!(
            format!("no report of `loadgen run --json`: {refused}").contains(expected),
            "{refused}"
        );
    }
    let missing = read(Path::new("/nowhere/report.json")).unwrap_err();
    assert!(missing.to_string().starts_with("/nowhere/report.json: "));
}

#[test]
fn tolerances_are_shares() {
    for (text, expected) in [("0", Some(0.0)), ("0.25", Some(0.25))] {
        assert_eq!(parse_tolerance(text).ok(), expected);
    }
    for text in ["1", "-0.1", "nan", "ten", ""] {
        assert!(parse_tolerance(text).is_err(), "{text:?}");
    }
}
