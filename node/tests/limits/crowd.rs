//! Many connections that do nothing, come and go, do not read, or drip.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use types::RejectReason;
use types::wire::query::{Query, Question};
use zerocopy::IntoBytes as _;

use crate::honest::{Habit, Honest, order};
use crate::raw::{Dialer, Raw, frame};
use crate::{CROWDED, PATIENCE, Target, is_long, row, runtime, size};

const HONEST: &str = "dev-0";
const HOSTILE: &str = "dev-1";
/// For an idle, authenticated connection.
const BYTES_PER_CONNECTION_MAX: u64 = 32 * 1024;
/// What a trader alone is watched for.
const ALONE: Duration = Duration::from_secs(3);
/// Floods until one finds the door full.
const FLOODS_MAX: usize = 10;

/// A metric of open sessions.
const OPEN: &str = "keel_connections{class=\"open\"}";

/// Opens so many sessions, some at a time.
async fn open_sessions(dialer: &Arc<Dialer>, count: usize) -> Vec<Raw> {
    let mut sessions = Vec::with_capacity(count);
    let started = Instant::now();
    while sessions.len() < count {
        assert!(
            started.elapsed() < 10 * PATIENCE,
            "{} of {count}",
            sessions.len()
        );
        let batch = (count - sessions.len()).min(32);
        let opened = join_all((0..batch).map(|_| {
            let dialer = Arc::clone(dialer);
            async move { dialer.open(HOSTILE).await }
        }));
        sessions.extend(opened.await.into_iter().flatten().map(|it| it.0));
    }
    sessions
}

/// All of them, at the same time.
async fn join_all<F>(futures: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut running: JoinSet<F::Output> = futures.collect();
    let mut outputs = Vec::with_capacity(running.len());
    while let Some(ended) = running.join_next().await {
        outputs.push(ended.unwrap());
    }
    outputs
}

#[test]
fn idle_connections_are_small() {
    let count = size(1_000, 10_000);
    let target = Target::start(CROWDED);
    let runtime = runtime();
    runtime.block_on(async {
        let dialer = Arc::new(Dialer::new(target.node.address));
        // What the first ones bring is for all; and until there is a crowd each may have more.
        let first = open_sessions(&dialer, 600).await;
        let before = target.memory();
        let sessions = open_sessions(&dialer, count).await;
        let open = target.metric(OPEN);
        let each = target.memory().saturating_sub(before) / (open - first.len() as u64);
        let fits = each <= BYTES_PER_CONNECTION_MAX;
        println!("memory: {before} bytes with {} sessions", first.len());
        row(
            "idle authenticated connections",
            &format!("{count} at <= 32 KiB each"),
            &format!("{open} open, {:.1} KiB each", each as f64 / 1024.0),
            fits,
        );
        // How much of its memory an allocator uses moves by a few hundredths.
        assert!(
            each <= BYTES_PER_CONNECTION_MAX * 9 / 8,
            "{each} bytes each"
        );
        // They are alive: the first are answered, but for those that this side forgot to keep alive.
        let count = first.len();
        let mut answered = 0;
        for mut raw in first {
            let query = Query::new(1, Question::Reference);
            let mut byte = [0];
            let asked = raw.send.write_all(query.as_bytes()).await.is_ok();
            let read = tokio::time::timeout(PATIENCE, raw.receive.read_exact(&mut byte));
            answered += usize::from(asked && read.await.unwrap().is_ok());
        }
        assert!(answered * 2 > count, "{answered} of {count}");
        drop(sessions);
        dialer.endpoint.close(0u32.into(), b"");
    });
    target.stop();
}

#[test]
fn newcomers_do_not_hold_up_a_trader() {
    let (per_second, seconds) = (size(100, 1_000), size(2, 60));
    let target = Target::start(CROWDED);
    let options = || target.node.options(HONEST);
    let alone = Honest::alone(options(), Habit::Orders, ALONE);
    let honest = Honest::start(options(), Habit::Orders);
    let accepted = target.metric("keel_connections_total{result=\"accepted\"}");
    let (tried, opened) = runtime().block_on(arrivals(&target, per_second, seconds));
    let beside = honest.finish();
    let accepted = target.metric("keel_connections_total{result=\"accepted\"}") - accepted;
    let (before, during) = (alone.quantile(990), beside.quantile(990));
    row(
        "new connections beside one trader",
        &format!("{per_second}/s for {seconds} s, his p99 within 3x"),
        &format!(
            "{tried} tried, {accepted} let in, {opened} sessions; alone {}; beside {} ({:.1}x)",
            alone.text(),
            beside.text(),
            during.as_secs_f64() / before.as_secs_f64()
        ),
        during <= before * 3,
    );
    assert!(beside.refused.is_empty(), "{:?}", beside.refused);
    assert!(opened > 0 && accepted >= opened as u64);
    target.stop();
}

/// Each opens a session and leaves. How many tried, and how many got one.
async fn arrivals(target: &Target, per_second: usize, seconds: usize) -> (usize, usize) {
    // A hundredth of a second's arrivals at a time.
    let mut ticks = interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut running = JoinSet::new();
    let (mut tried, mut opened) = (0, 0);
    let started = Instant::now();
    let dialers = [(); 4].map(|()| Arc::new(Dialer::new(target.node.address)));
    while started.elapsed() < Duration::from_secs(seconds as u64) {
        ticks.tick().await;
        for _ in 0..per_second.div_ceil(100) {
            let dialer = Arc::clone(&dialers[tried % dialers.len()]);
            running.spawn(arrive(dialer));
            tried += 1;
        }
        while let Some(ended) = running.try_join_next() {
            opened += usize::from(ended.unwrap());
        }
    }
    while let Some(ended) = running.join_next().await {
        opened += usize::from(ended.unwrap());
    }
    (tried, opened)
}

async fn arrive(dialer: Arc<Dialer>) -> bool {
    let opened = dialer.open(HOSTILE).await;
    // Whoever did not get in leaves too.
    opened.is_some_and(|(raw, _)| {
        raw.connection.close(0u32.into(), b"");
        true
    })
}

#[test]
fn readers_that_do_not_read_lose_their_sessions() {
    let count = size(20, 500);
    let target = Target::start(CROWDED);
    let options = || target.node.options(HONEST);
    let alone = Honest::alone(options(), Habit::Orders, ALONE);
    let honest = Honest::start(options(), Habit::Orders);
    let (closed, most) = runtime().block_on(async {
        let dialer = Arc::new(Dialer::new(target.node.address));
        let sessions = open_sessions(&dialer, count).await;
        let before = target.memory();
        let mut running = JoinSet::new();
        for raw in sessions {
            running.spawn(never_read(raw));
        }
        let (mut closed, mut most) = (0, 0);
        while let Some(reason) = running.join_next().await {
            assert_ended(reason.unwrap());
            closed += 1;
            if closed % 16 == 1 {
                most = most.max(target.memory().saturating_sub(before));
            }
        }
        (closed, most)
    });
    let beside = honest.finish();
    row(
        "readers that do not read",
        &format!("{count}, closed, and the trader never refused"),
        &format!(
            "{closed} closed with TIMEOUT, {} MiB more at most; alone {}; beside {}",
            most >> 20,
            alone.text(),
            beside.text()
        ),
        closed == count,
    );
    assert!(beside.refused.is_empty(), "{:?}", beside.refused);
    target.stop();
}

/// For its slowness, as far as it has heard.
#[track_caller]
fn assert_ended(reason: Option<RejectReason>) {
    assert!(
        matches!(reason, None | Some(RejectReason::Timeout)),
        "{reason:?}"
    );
}

/// Asks for more than it reads, until it is shown out.
async fn never_read(mut raw: Raw) -> Option<RejectReason> {
    let question = Query::new(1, Question::Reference);
    let questions = question.as_bytes().repeat(256);
    // Asking ends when the connection does.
    while raw.send.write_all(&questions).await.is_ok() {}
    raw.closed().await
}

#[test]
fn writers_that_drip_lose_their_sessions() {
    let count = size(50, 2_000);
    let target = Target::start(CROWDED);
    let options = || target.node.options(HONEST);
    let alone = Honest::alone(options(), Habit::Orders, ALONE);
    let honest = Honest::start(options(), Habit::Orders);
    let (slowest, grown) = runtime().block_on(async {
        let dialer = Arc::new(Dialer::new(target.node.address));
        let sessions = open_sessions(&dialer, count).await;
        let before = target.memory();
        let mut running = JoinSet::new();
        for raw in sessions {
            running.spawn(drip(raw));
        }
        let mut slowest = Duration::ZERO;
        let mut unheard = 0;
        while let Some(ended) = running.join_next().await {
            let (reason, after) = ended.unwrap();
            assert_ended(reason);
            unheard += usize::from(reason.is_none());
            slowest = slowest.max(after);
        }
        println!("{unheard} missed their dismissal and heard of it by a reset");
        (slowest, target.memory().saturating_sub(before))
    });
    let beside = honest.finish();
    row(
        "writers that drip",
        &format!("{count}, closed when a message is a second old"),
        &format!(
            "all closed with TIMEOUT, the last after {:.1} s, {} MiB more; alone {}; beside {}",
            slowest.as_secs_f64(),
            grown >> 20,
            alone.text(),
            beside.text()
        ),
        !is_long() || slowest < Duration::from_secs(5),
    );
    assert!(beside.refused.is_empty(), "{:?}", beside.refused);
    target.stop();
}

/// A good frame that says it is the longest there may be, byte by byte.
async fn drip(mut raw: Raw) -> (Option<RejectReason>, Duration) {
    let started = Instant::now();
    let mut ticks = interval(Duration::from_millis(200));
    let bytes: Vec<u8> = [&[0, 0, 1, 0, 3, 1, 1, 0][..], &[0; 64]].concat();
    for byte in bytes {
        ticks.tick().await;
        if raw.send.write_all(&[byte]).await.is_err() {
            break;
        }
    }
    (raw.closed().await, started.elapsed())
}

/// More pending handshakes than there are places, from strangers who go no further; then lengths that
/// lie. Whoever has a session goes on, and memory stays.
#[test]
fn floods_at_the_door_cost_no_memory() {
    let count = size(300, 3_000);
    // In the short form few places, for a slow machine cannot fill many at once.
    let limits = match is_long() {
        true => CROWDED.to_owned(),
        false => format!("{CROWDED}handshakes = 16\n"),
    };
    let target = Target::start(&limits);
    let honest = Honest::start(target.node.options(HONEST), Habit::Orders);
    let (turned_away, grown) = runtime().block_on(async {
        let dialer = Arc::new(Dialer::new(target.node.address));
        drop(open_sessions(&dialer, 64).await);
        let before = target.memory();
        let mut turned_away = 0;
        for _ in 0..FLOODS_MAX {
            flood(&dialer, count).await;
            turned_away = target.metric("keel_connections_total{result=\"refused\"}");
            if 0 < turned_away {
                break;
            }
        }
        let liars = open_sessions(&dialer, 64).await.into_iter();
        let ended = join_all(liars.map(|mut raw| async move {
            // The longest length there may be, and nothing behind it.
            let claim = [0, 0, 1, 0, 3, 1, 1, 0];
            raw.send.write_all(&claim).await.unwrap();
            raw.closed().await
        }));
        ended.await.into_iter().for_each(assert_ended);
        (turned_away, target.memory().saturating_sub(before))
    });
    let beside = honest.finish();
    let retried = target.metric("keel_connections_total{result=\"retried\"}");
    row(
        "handshakes without a hello",
        &format!("{count} at once, memory flat"),
        &format!(
            "{turned_away} turned away, {retried} asked for proof, {} KiB more; beside {}",
            grown >> 10,
            beside.text()
        ),
        grown < 16 << 20,
    );
    assert!(0 < turned_away && 0 < retried);
    assert!(grown < 16 << 20, "{grown}");
    assert!(beside.refused.is_empty(), "{:?}", beside.refused);
    target.stop();
}

/// So many strangers at once, none of whom says hello; until the last is gone.
async fn flood(dialer: &Arc<Dialer>, count: usize) {
    let strangers = join_all((0..count).map(|_| {
        let dialer = Arc::clone(dialer);
        async move { dialer.connect().await }
    }));
    for raw in strangers.await.into_iter().flatten() {
        assert_ended(raw.closed().await);
    }
}

/// A session that sends beside all that, in one frame: it must be executed as usual.
#[test]
fn an_oversize_length_ends_only_its_own_session() {
    let target = Target::start(CROWDED);
    let honest = Honest::start(target.node.options(HONEST), Habit::Orders);
    runtime().block_on(async {
        let dialer = Arc::new(Dialer::new(target.node.address));
        let before = target.memory();
        for length in [u32::MAX, 1 << 30, (1 << 16) + 1] {
            let (mut raw, terms) = dialer.open(HOSTILE).await.unwrap();
            let mut bytes = frame(&terms, HOSTILE, 1, &[order()]);
            bytes[..4].copy_from_slice(&length.to_le_bytes());
            raw.send.write_all(&bytes).await.unwrap();
            assert_eq!(raw.closed().await, Some(RejectReason::Oversize));
        }
        // Less than the least of them, even if the honest one has made the node grow.
        assert!(target.memory().saturating_sub(before) < 1 << 28);
    });
    let times = honest.finish();
    assert!(times.refused.is_empty() && !times.answered.is_empty());
    target.stop();
}
