//! A timer that is precise to microseconds.
//!
//! Tokio's own timer counts milliseconds, which would be most of the latency that is measured
//! here. The kernel's timer, as a file that becomes readable, is not rounded.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// One timer, used for one wait at a time.
#[derive(Debug)]
pub(crate) struct Pacer {
    timer: AsyncFd<OwnedFd>,
}

impl Pacer {
    /// Needs a tokio runtime.
    #[allow(
        deprecated,
        reason = "its safe constructor is unsound only for types that may change their file while \
                  they are registered, which an OwnedFd cannot; the new one is unsafe"
    )]
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self {
            timer: AsyncFd::new(timer)?,
        })
    }

    /// Returns once `wait` has passed.
    pub(crate) async fn sleep(&mut self, wait: Duration) -> io::Result<()> {
        if wait.is_zero() {
            return Ok(());
        }
        let once = Itimerspec {
            it_interval: timespec(Duration::ZERO),
            it_value: timespec(wait),
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        let mut expirations = [0; 8];
        loop {
            let mut ready = self.timer.readable().await?;
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut expirations)?));
            match read {
                Ok(read) => return read.map(|_| ()),
                Err(_would_block) => continue,
            }
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_wait_is_never_short() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut pacer = Pacer::new().unwrap();
            for micros in [0, 1, 50, 300, 2_000] {
                let wait = Duration::from_micros(micros);
                let start = Instant::now();
                pacer.sleep(wait).await.unwrap();
                assert!(start.elapsed() >= wait, "{wait:?}");
            }
        });
    }
}
