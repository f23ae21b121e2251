//! More than the node can take, most of it from accounts that keep to no budget: what is left for those
//! that do, whether everybody is answered, and whether cancels get through.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use quinn::{RecvStream, SendStream};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use types::wire::session::Refused;
use types::wire::{Kind, split_message};

use crate::honest::{Habit, Honest, Times, order};
use crate::raw::{Dialer, frame};
use crate::{PATIENCE, Target, is_long, row, runtime, size};

/// Commands in a frame of the crowd.
const FRAME: u64 = 32;
const CROWD: [&str; 8] = [
    "dev-10", "dev-11", "dev-12", "dev-13", "dev-14", "dev-15", "dev-16", "dev-17",
];
const TRADERS: [&str; 3] = ["dev-0", "dev-1", "dev-2"];
const CANCELLER: &str = "dev-3";

/// What became of a crowd's commands, by name of the answer.
type Answers = BTreeMap<String, u64>;

/// What a crowd did in a time.
#[derive(Debug, Default)]
struct Offered {
    sent: u64,
    answers: Answers,
}

/// Sends so many commands a second in all, or without a limit as many as are taken, for so long; then
/// waits for every answer.
fn crowd(target: &Target, per_second: Option<u64>, span: Duration) -> Offered {
    let server = target.node.address;
    let thread = std::thread::spawn(move || {
        runtime().block_on(async move {
            let dialer = Dialer::new(server);
            let mut running = tokio::task::JoinSet::new();
            for key in CROWD {
                let (raw, terms) = dialer.open(key).await.unwrap();
                // After the last of them the same ones again: those are answered as repeats.
                let frames = (1..=64).map(|nonce| {
                    let commands = vec![order(); FRAME as usize];
                    frame(&terms, key, nonce, &commands)
                });
                let frames: Vec<_> = frames.collect();
                let share = per_second.map(|it| it / CROWD.len() as u64);
                let is_over = Arc::new(AtomicBool::new(false));
                let ending = Arc::clone(&is_over);
                running.spawn(async move {
                    let sending = send(raw.send, &frames, share, &ending);
                    let timed = async {
                        tokio::time::sleep(span).await;
                        is_over.store(true, Ordering::Relaxed);
                    };
                    let ((), sent, answers) = tokio::join!(timed, sending, receive(raw.receive));
                    (sent, answers)
                });
            }
            let mut offered = Offered::default();
            while let Some(ended) = running.join_next().await {
                let (sent, answers) = ended.unwrap();
                offered.sent += sent;
                for (name, count) in answers {
                    *offered.answers.entry(name).or_default() += count;
                }
            }
            offered
        })
    });
    thread.join().unwrap()
}

/// Sends frames until it is over, and returns how many commands that were.
async fn send(
    mut stream: SendStream,
    frames: &[Vec<u8>],
    per_second: Option<u64>,
    is_over: &AtomicBool,
) -> u64 {
    let mut ticks = interval(Duration::from_millis(5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (started, mut sent) = (Instant::now(), 0);
    let mut frames = frames.iter().cycle();
    while !is_over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let due = match per_second {
            Some(rate) => (started.elapsed().as_secs_f64() * rate as f64) as u64,
            None => sent + 64 * FRAME,
        };
        let count = due.saturating_sub(sent).div_ceil(FRAME).min(512);
        let batch: Vec<&[u8]> = frames
            .by_ref()
            .take(count as usize)
            .map(|it| &it[..])
            .collect();
        stream.write_all(&batch.concat()).await.unwrap();
        sent += count * FRAME;
    }
    stream.finish().unwrap();
    sent
}

/// Counts answers to commands until the node has no more for us.
async fn receive(mut stream: RecvStream) -> Answers {
    let mut answers = Answers::new();
    let mut buffer = BytesMut::new();
    loop {
        let chunk = timeout(PATIENCE, stream.read_chunk(usize::MAX, true)).await;
        let Some(chunk) = chunk.expect("answers come in time").unwrap() else {
            return answers;
        };
        buffer.extend_from_slice(&chunk.bytes);
        while let Some((kind, message)) = split_message(&mut buffer).unwrap() {
            let name = match kind {
                Kind::Ack => "acknowledged".to_owned(),
                Kind::Refused => Refused::parse(&message).unwrap().1.name().to_owned(),
                Kind::Fills | Kind::Ended => continue,
                other => panic!("{other:?}"),
            };
            *answers.entry(name).or_default() += FRAME;
        }
    }
}

/// Traders at work beside a crowd, and one that only cancels.
fn beside(target: &Target, work: impl FnOnce() -> Offered) -> (Times, Times, Offered) {
    let start = |key: &&str, habit| Honest::start(target.node.options(key), habit);
    let traders: Vec<_> = TRADERS
        .iter()
        .map(|key| start(key, Habit::Orders))
        .collect();
    let canceller = start(&CANCELLER, Habit::Cancels);
    let offered = work();
    let mut orders = Times::default();
    for trader in traders {
        let times = trader.finish();
        orders.answered.extend(times.answered);
        orders.refused.extend(times.refused);
    }
    orders.answered.sort_unstable();
    (orders, canceller.finish(), offered)
}

fn span() -> Duration {
    Duration::from_secs(size(1, 5) as u64)
}

fn check(what: &str, capacity: u64, idle: &(Times, Times), target: &Target, load: f64) {
    let rate = (capacity as f64 * load) as u64;
    let (orders, cancels, offered) = beside(target, || crowd(target, Some(rate), span()));
    let answered: u64 = offered.answers.values().sum();
    assert_eq!(answered, offered.sent, "{:?}", offered.answers);
    assert!(!cancels.refused.iter().any(|it| !it.is_transient()));
    let share = |times: &Times| {
        let all = times.answered.len() + times.refused.len();
        times.answered.len() as f64 * 100.0 / all as f64
    };
    let ratio = |now: &Times, then: &Times| {
        now.quantile(990).as_secs_f64() / then.quantile(990).as_secs_f64()
    };
    let (slower, cancels_slower) = (ratio(&orders, &idle.0), ratio(&cancels, &idle.1));
    let good = share(&orders);
    let cancels_hold = load > 3.0 || cancels_slower <= 2.0;
    row(
        &format!("overload, {what}"),
        &format!("{load}x of {capacity}/s: goodput >= 90 %, p99 <= 5x, cancels' <= 2x up to 3x"),
        &format!(
            "{:.0}/s offered: {:?}; goodput {good:.1} %, orders {} ({slower:.1}x), cancels {} \
             ({cancels_slower:.1}x, {:.1} %)",
            offered.sent as f64 / span().as_secs_f64(),
            offered.answers,
            orders.text(),
            cancels.text(),
            share(&cancels),
        ),
        good >= 90.0 && slower <= 5.0 && cancels_hold,
    );
    if what == BUDGETS {
        assert!(orders.refused.is_empty(), "{:?}", orders.refused);
        assert!(cancels.refused.is_empty(), "{:?}", cancels.refused);
    }
}

const BUDGETS: &str = "with budgets";

#[test]
fn overload_is_answered_and_budgets_hold() {
    let target = Target::start("");
    let offered = crowd(&target, None, span());
    assert_eq!(offered.answers.values().sum::<u64>(), offered.sent);
    let acknowledged = offered.answers.get("acknowledged").copied().unwrap_or(0);
    let capacity = acknowledged / span().as_secs();
    let alone = || {
        let span = span();
        move || {
            runtime().block_on(async { tokio::time::sleep(span).await });
            Offered::default()
        }
    };
    let (orders, cancels, _) = beside(&target, alone());
    let idle = (orders, cancels);
    let loads: &[f64] = match is_long() {
        true => &[0.5, 1.0, 3.0, 10.0],
        false => &[3.0],
    };
    for load in loads {
        check("without budgets", capacity, &idle, &target, *load);
    }
    target.stop();

    // Each of the crowd may have a fortieth of what the node can do: a fifth in all.
    let rate = (capacity / 40).max(1_000);
    let burst = rate / 50;
    let limits = format!("[commands]\norders = {{ per_second = {rate}, burst = {burst} }}\n");
    let target = Target::start(&limits);
    let (orders, cancels, _) = beside(&target, alone());
    let idle = (orders, cancels);
    for load in loads {
        check(BUDGETS, capacity, &idle, &target, *load);
    }
    target.stop();
}
