//! The locks and atomics that workers share: real ones, or those of a model checker.

#[cfg(feature = "shuttle")]
mod checked {
    //! Shuttle's twins of everything below, behind the same names.

    use std::sync::PoisonError;

    pub(crate) use shuttle::sync::atomic::AtomicU64;

    /// A lock that shuttle schedules. Like a real one it is not poisoned: after a panic workers still
    /// take it, to stop.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    pub(crate) type Guard<'a, T> = shuttle::sync::MutexGuard<'a, T>;

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> Guard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn into_inner(self) -> T {
            let inner = self.0.into_inner();
            inner.unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// Where workers sleep.
    #[derive(Debug, Default)]
    pub(crate) struct Sleepers(shuttle::sync::Condvar);

    impl Sleepers {
        pub(crate) fn wait<'a, T>(&self, guard: Guard<'a, T>) -> Guard<'a, T> {
            self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn wake_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn wake_all(&self) {
            self.0.notify_all();
        }
    }
}

#[cfg(not(feature = "shuttle"))]
mod real {
    pub(crate) use std::sync::atomic::AtomicU64;

    pub(crate) use parking_lot::Mutex;

    pub(crate) type Guard<'a, T> = parking_lot::MutexGuard<'a, T>;

    /// Where workers sleep.
    #[derive(Debug, Default)]
    pub(crate) struct Sleepers(parking_lot::Condvar);

    impl Sleepers {
        pub(crate) fn wait<'a, T>(&self, mut guard: Guard<'a, T>) -> Guard<'a, T> {
            self.0.wait(&mut guard);
            guard
        }

        pub(crate) fn wake_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn wake_all(&self) {
            self.0.notify_all();
        }
    }
}

#[cfg(feature = "shuttle")]
pub(crate) use checked::*;
#[cfg(not(feature = "shuttle"))]
pub(crate) use real::*;
