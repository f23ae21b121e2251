//! The executor's list without a lock: every execution that the memory model allows of some pushes and
//! a walk, with what is published behind loom's locks. Shown to fail with `Relaxed` in place of
//! `Release` or of `Acquire`, if who walks is not the thread that the others come from: then loom passes
//! over the failure.
//!
//! The list is compiled into this test once more, with loom's atomic under the name of the real one. So
//! the engine knows nothing of loom, and one build of it does for this and for shuttle.
#![allow(clippy::unwrap_used)] // A panic is a failed test.

#[allow(dead_code)] // The test clears no list.
#[path = "../../src/parallel/list.rs"]
mod list;

/// What the list takes its atomic from.
mod sync {
    pub(crate) use loom::sync::atomic::AtomicU64;
}

use loom::sync::{Arc, Mutex};
use loom::thread;

use list::{Head, Link, Place};

/// What each transaction has published, and the lists. Transaction 0 was there before.
struct Memory {
    heads: Vec<Head>,
    published: Vec<Mutex<Arc<Vec<Link>>>>,
}

impl Memory {
    fn new(transactions: usize, lists: usize) -> Arc<Self> {
        let nothing = || Mutex::new(Arc::new(Vec::new()));
        let memory = Self {
            heads: (0..lists).map(|_| Head::default()).collect(),
            published: (0..transactions).map(|_| nothing()).collect(),
        };
        memory.publish(0);
        Arc::new(memory)
    }

    /// One entry in each list, as `MvMemory::publish` does it.
    fn publish(&self, transaction: u32) {
        let links: Vec<_> = self.heads.iter().map(|_| Link::default()).collect();
        let links = Arc::new(links);
        *self.published[transaction as usize].lock().unwrap() = Arc::clone(&links);
        for (entry, link) in (0..).zip(&*links) {
            let place = Place { transaction, entry };
            self.heads[entry as usize].push(link, place);
        }
    }

    /// A later incarnation takes the place of the one before.
    fn publish_again(&self, transaction: u32) {
        let before = self.look(transaction);
        let links = before.iter().map(Link::copy).collect();
        *self.published[transaction as usize].lock().unwrap() = Arc::new(links);
    }

    fn look(&self, transaction: u32) -> Arc<Vec<Link>> {
        Arc::clone(&self.published[transaction as usize].lock().unwrap())
    }

    /// Who is in a list, as `MvMemory::visit` finds it: what was looked up once is not again.
    fn walk(&self, list: u32, seen: &mut [Option<Arc<Vec<Link>>>]) -> Vec<u32> {
        let mut found = Vec::new();
        let mut next = self.heads[list as usize].first();
        while let Some(Place { transaction, entry }) = next {
            assert_eq!(entry, list);
            assert!(!found.contains(&transaction), "a list is no circle");
            found.push(transaction);
            let slot = &mut seen[transaction as usize];
            if slot.as_ref().is_none_or(|links| links.is_empty()) {
                *slot = Some(self.look(transaction));
            }
            let links = slot.as_ref().unwrap();
            next = links[entry as usize].next();
        }
        assert_eq!(found.last(), Some(&0), "what was there before stays");
        found
    }

    /// All lists with one memory of what was seen.
    fn walk_all(&self) -> Vec<Vec<u32>> {
        let mut seen = vec![None; self.published.len()];
        let lists = 0..self.heads.len() as u32;
        lists.map(|list| self.walk(list, &mut seen)).collect()
    }

    fn assert_all(&self) {
        for mut found in self.walk_all() {
            found.sort_unstable();
            let all: Vec<u32> = (0..self.published.len() as u32).collect();
            assert_eq!(found, all);
        }
    }
}

#[test]
fn a_walk_beside_two_pushes() {
    loom::model(|| {
        let memory = Memory::new(3, 1);
        let pusher = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.publish(1))
        };
        let walker = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.walk_all())
        };
        memory.publish(2);
        pusher.join().unwrap();
        walker.join().unwrap();
        memory.assert_all();
    });
}

#[test]
fn a_walk_beside_an_incarnation_and_the_next() {
    loom::model(|| {
        let memory = Memory::new(2, 2);
        let walker = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.walk_all())
        };
        memory.publish(1);
        memory.publish_again(1);
        walker.join().unwrap();
        memory.assert_all();
    });
}
