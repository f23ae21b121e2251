//! What a node's threads are made of: a clock, a place to wait, a request to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_utils::sync::{Parker, Unparker};

/// Wall-clock time that never runs backwards: read once, then counted by the monotonic clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Monotonic { started: Instant, started_unix: u64 },
    Simulated(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's.
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let since_epoch = since_epoch.expect("the clock is past 1970");
        Self(Source::Monotonic {
            started: Instant::now(),
            started_unix: u64::try_from(since_epoch.as_nanos()).expect("the clock is before 2554"),
        })
    }

    /// One that stands wherever a simulation has put it, in nanoseconds since the Unix epoch.
    pub const fn simulated(now: Arc<AtomicU64>) -> Self {
        Self(Source::Simulated(now))
    }

    /// Nanoseconds since the Unix epoch.
    pub(crate) fn unix_nanos(&self) -> u64 {
        match &self.0 {
            Source::Monotonic {
                started,
                started_unix,
            } => {
                let elapsed = u64::try_from(started.elapsed().as_nanos());
                started_unix + elapsed.expect("a node runs less than 500 years")
            }
            // A simulation has one thread.
            Source::Simulated(now) => now.load(Ordering::Relaxed),
        }
    }
}

/// Where a thread without work waits.
#[derive(Debug)]
pub struct Parking(Parker);

impl Parking {
    /// Nobody waits yet.
    #[allow(clippy::new_without_default)] // There is no usual place to wait.
    pub fn new() -> Self {
        Self(Parker::new())
    }

    /// Returns at once if woken since the last time.
    pub(crate) fn park(&self) {
        self.0.park();
    }

    /// The same, but returns after `wait` at the latest.
    pub(crate) fn park_for(&self, wait: Duration) {
        self.0.park_timeout(wait);
    }

    /// Wakes whoever waits here.
    pub fn waker(&self) -> Waker {
        Waker(self.0.unparker().clone())
    }
}

/// Wakes a parked thread; cheap if it is not.
#[derive(Clone, Debug)]
pub struct Waker(Unparker);

impl Waker {
    pub(crate) fn wake(&self) {
        self.0.unpark();
    }
}

/// Wakes a thread that has gone to sleep, and leaves one alone that looks again by itself soon.
#[derive(Clone, Debug)]
pub struct Nudge {
    waker: Waker,
    is_asleep: Arc<AtomicBool>,
}

impl Nudge {
    /// For whoever waits here.
    pub fn new(parking: &Parking) -> Self {
        Self {
            waker: parking.waker(),
            is_asleep: Arc::new(AtomicBool::new(false)),
        }
    }

    /// After something was pushed.
    pub fn nudge(&self) {
        // Between the push before it and the look at the flag; pairs with the one below.
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) {
            self.waker.wake();
        }
    }

    /// The thread is about to sleep, and must look once more before it does. Of two SeqCst fences
    /// one comes first: either that look sees what was pushed, or whoever pushed it sees the flag.
    pub(crate) fn fall_asleep(&self) {
        self.is_asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// It looks again by itself from here on.
    pub(crate) fn wake_up(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
    }
}

/// A request to a thread to finish its work and end.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Release pairs with the Acquire in [`Stop::requested`]: a thread that sees the request also
    /// sees everything that was pushed to it before.
    pub(crate) fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Whether a thread still runs, for whoever watches.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    name: &'static str,
    is_over: Arc<AtomicBool>,
}

impl Life {
    /// Of a thread of this name that is about to start.
    pub(crate) fn of(name: &'static str) -> Self {
        Self {
            name,
            is_over: Arc::default(),
        }
    }

    /// The thread has ended.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// The thread's name, if it has ended.
    pub(crate) fn ended(&self) -> Option<&'static str> {
        self.is_over.load(Ordering::Relaxed).then_some(self.name)
    }
}

/// One thread with its way to be stopped.
pub(crate) struct Worker<T> {
    thread: JoinHandle<T>,
    stop: Stop,
    waker: Waker,
    life: Life,
}

impl<T: Send + 'static> Worker<T> {
    pub(crate) fn start(
        name: &'static str,
        parking: Parking,
        body: impl FnOnce(&Parking, &Stop) -> T + Send + 'static,
    ) -> Self {
        let (stop, waker) = (Stop::default(), parking.waker());
        let seen = stop.clone();
        let life = Life::of(name);
        let lived = life.clone();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let left = body(&parking, &seen);
                lived.end();
                left
            })
            .expect("the node's few threads can be started");
        Self {
            thread,
            stop,
            waker,
            life,
        }
    }

    /// Whether it still runs.
    pub(crate) fn life(&self) -> Life {
        self.life.clone()
    }

    /// Lets it finish its work and returns what it leaves. A panic has ended the process already.
    pub(crate) fn finish(self) -> T {
        self.stop.request();
        self.waker.wake();
        self.thread.join().expect("a panic ends the process")
    }
}
