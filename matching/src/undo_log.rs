//! A list of changes that can be taken back, newest first.
//!
//! It is off until it is switched on, and then costs whoever changes something one comparison. What
//! is written down is the owner's choice, and so is how a change is taken back.

use std::fmt;

/// Changes of kind `T`, oldest first.
pub struct UndoLog<T> {
    is_on: bool,
    changes: Vec<T>,
}

impl<T> UndoLog<T> {
    /// From here on changes are written down. Panics if they already are.
    pub fn begin(&mut self) {
        assert!(!self.is_on, "a log has one owner");
        self.is_on = true;
    }

    /// Forgets all changes and writes down no more. The memory is kept for the next time.
    pub fn end(&mut self) {
        self.is_on = false;
        self.changes.clear();
    }

    /// Whether changes are written down.
    #[inline]
    pub const fn is_on(&self) -> bool {
        self.is_on
    }

    /// How many changes have been written down. Panics if they are not.
    pub const fn mark(&self) -> usize {
        assert!(self.is_on, "only what is written down can be taken back");
        self.changes.len()
    }

    /// Writes down a change. Only if the log is on: who has nothing to write must not look for it.
    // Out of line and away from the usual way, which is that the log is off.
    #[cold]
    #[inline(never)]
    pub fn push(&mut self, change: T) {
        assert!(self.is_on, "whoever writes has looked");
        self.changes.push(change);
    }

    /// Takes the newest change off the log; `None` once only those before the mark are left. Panics
    /// if the mark has been taken back itself.
    pub fn pop_after(&mut self, mark: usize) -> Option<T> {
        assert!(mark <= self.mark(), "a mark is gone once it is undone");
        if mark < self.changes.len() {
            self.changes.pop()
        } else {
            None
        }
    }
}

// Derives would ask the same of `T`.
impl<T> Default for UndoLog<T> {
    fn default() -> Self {
        Self {
            is_on: false,
            changes: Vec::new(),
        }
    }
}

/// A copy of the owner has a history of its own, which begins with nothing and switched off.
impl<T> Clone for UndoLog<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> fmt::Debug for UndoLog<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UndoLog")
            .field("is_on", &self.is_on)
            .field("changes", &self.changes.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_begins_without() {
        let mut log = UndoLog::default();
        log.begin();
        log.push(1);
        assert!(!log.clone().is_on());
        assert_eq!(log.mark(), 1);
    }
}
