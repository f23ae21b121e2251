//! A book goes back, exactly, to where it was.
//!
//! While undo is on, everything that changes the book writes down what it takes to change it back.
//! Not operations are written down but what they are made of: an order joins, leaves, fills,
//! shrinks, or goes to the back. There are few of those, and each has one inverse.
//!
//! Changes are taken back newest first. So when one is, everything is as it was right after it: the
//! neighbors of an order that left are neighbors again and it goes back between them, and slabs,
//! which are stacks, hand out the slot that it gave back. Two things do not go back. Memory that has
//! grown stays, and so does `Book::newest`, which is only a bound: a lower id is searched for, and
//! not found. No answer depends on either.
//!
//! An ordinary change is 32 bytes. An order that leaves is 64 more, and 56 if it is special.

use crate::Book;
use crate::arena::Slot;
use crate::ladder::Key;
use crate::node::OrderNode;
use crate::queue::{LEVEL, OWNER};
use crate::special::Departed;
use crate::undo_log::UndoLog;
use types::BaseLots;

/// What it takes to take back one change.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// An order came to rest.
    Joined(Slot<OrderNode>),
    /// An order left: see [`Undo::left`].
    Left,
    /// Some of what an order showed filled, and it stands where it stood.
    Filled {
        slot: Slot<OrderNode>,
        quantity: BaseLots,
    },
    /// All that an iceberg showed filled, and it shows the next part at the end of its level. It
    /// stood first.
    Refreshed {
        slot: Slot<OrderNode>,
        quantity: BaseLots,
        part: BaseLots,
    },
    /// An order became smaller without a trade.
    Shrunk {
        slot: Slot<OrderNode>,
        shown: BaseLots,
        hidden: BaseLots,
    },
    /// An order queued anew. Where it stood, and what it showed and hid there.
    Requeued {
        slot: Slot<OrderNode>,
        key: Key,
        previous: Slot<OrderNode>,
        shown: BaseLots,
        hidden: BaseLots,
    },
    /// Whether the book collected before that changed.
    Collecting(bool),
}

const _: () = assert!(size_of::<Change>() == 32);

/// An order that left, as it last was.
#[derive(Clone, Copy)]
pub(crate) struct Left {
    node: OrderNode,
    /// How much of a plain order had filled.
    filled: BaseLots,
    slot: Slot<OrderNode>,
    /// Its price: the level may have gone with it.
    key: Key,
    /// Who stood before it in its level.
    before_in_level: Slot<OrderNode>,
    /// Who stood before it among its owner's orders.
    before_of_owner: Slot<OrderNode>,
}

const _: () = assert!(size_of::<Left>() == 64);

/// The log of a book. What is large or rare stands in stacks of its own, which grow and shrink with
/// the log: the newest [`Change::Left`] belongs to the newest of these.
#[derive(Default)]
pub(crate) struct Undo {
    log: UndoLog<Change>,
    left: Vec<Left>,
    departed: Vec<Departed>,
}

impl Undo {
    /// Whether changes are written down.
    #[inline]
    pub(crate) const fn is_on(&self) -> bool {
        self.log.is_on()
    }

    /// Writes down a change, if the log is on.
    #[inline]
    pub(crate) fn note(&mut self, change: Change) {
        if self.is_on() {
            self.log.push(change);
        }
    }
}

impl Book {
    /// From here on every change is recorded, so that it can be undone. Panics if that is so already.
    pub fn begin_undo(&mut self) {
        self.undo.log.begin();
        assert!(self.undo.left.is_empty() && self.undo.departed.is_empty());
    }

    /// The position in the log, to come back to. Panics unless changes are recorded.
    pub fn undo_mark(&self) -> usize {
        self.undo.log.mark()
    }

    /// Undoes everything after the mark, newest first. Later marks are gone with it, this one stays.
    pub fn undo_to(&mut self, mark: usize) {
        // Without its log the book records nothing of this.
        let mut undo = std::mem::take(&mut self.undo);
        while let Some(change) = undo.log.pop_after(mark) {
            match change {
                Change::Joined(slot) => self.forget(slot),
                Change::Left => {
                    let left = undo.left.pop().expect("every order that left is kept");
                    let special = left.node.is_special();
                    let departed = special.then(|| undo.departed.pop());
                    self.come_back(&left, departed.flatten());
                }
                Change::Filled { slot, quantity } => self.unfill(slot, quantity),
                Change::Refreshed {
                    slot,
                    quantity,
                    part,
                } => self.unrefresh(slot, quantity, part),
                Change::Shrunk {
                    slot,
                    shown,
                    hidden,
                } => self.unshrink(slot, shown, hidden),
                Change::Requeued {
                    slot,
                    key,
                    previous,
                    shown,
                    hidden,
                } => self.unqueue(slot, (key, previous), shown, hidden),
                Change::Collecting(was_collecting) => self.is_collecting = was_collecting,
            }
        }
        self.undo = undo;
    }

    /// Forgets all changes and records no more. The log's memory is kept for the next time.
    pub fn end_undo(&mut self) {
        self.undo.log.end();
        self.undo.left.clear();
        self.undo.departed.clear();
    }

    /// Writes down an order that is about to leave.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_leaving(&mut self, slot: Slot<OrderNode>) {
        let node = self.nodes[slot];
        let mut filled = BaseLots::ZERO;
        if node.is_special() {
            self.undo.departed.push(self.specials.departed(slot));
        } else {
            filled = self.specials.filled(&node, slot);
        }
        self.undo.left.push(Left {
            node,
            filled,
            slot,
            key: self.ladder(node.side()).level(node.level).key(),
            before_in_level: self.links.previous::<LEVEL>(slot),
            before_of_owner: self.links.previous::<OWNER>(slot),
        });
        self.undo.log.push(Change::Left);
    }

    /// Writes down an order that is about to queue anew.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_queueing(&mut self, slot: Slot<OrderNode>) {
        let node = &self.nodes[slot];
        self.undo.log.push(Change::Requeued {
            slot,
            key: self.ladder(node.side()).level(node.level).key(),
            previous: self.links.previous::<LEVEL>(slot),
            shown: node.shown(),
            hidden: self.specials.hidden(node, slot).quantity,
        });
    }

    fn come_back(&mut self, left: &Left, departed: Option<Departed>) {
        let slot = self.nodes.claim();
        assert_eq!(slot, left.slot, "the slot freed last is used next");
        let mut node = left.node;
        let ladder = &mut self.ladders[node.side() as usize];
        let before = left.before_in_level;
        node.level = ladder.rejoin(&mut self.links, (left.key, before), slot, node.shown());
        if let Some(departed) = departed {
            let hidden = departed.hidden();
            if !hidden.is_zero() {
                ladder.hide(node.level, hidden);
            }
            self.specials.come_back(&node, slot, departed);
        } else if node.is_partly_filled() {
            self.specials.set_filled(slot, left.filled);
        }
        self.nodes[slot] = node;
        let before = left.before_of_owner;
        (self.owners).rejoin(&mut self.links, node.account, slot, before);
        self.index_order(node.order_id, slot);
        if !node.client_order_id.is_none() {
            self.index_label(node.account, node.client_order_id, slot);
        }
    }

    fn unfill(&mut self, slot: Slot<OrderNode>, quantity: BaseLots) {
        let node = &mut self.nodes[slot];
        node.show(node.shown() + quantity);
        self.ladders[node.side() as usize].unreduce(node.level, quantity);
        self.specials.unfill(node, slot, quantity);
    }

    fn unrefresh(&mut self, slot: Slot<OrderNode>, quantity: BaseLots, part: BaseLots) {
        let node = &mut self.nodes[slot];
        assert_eq!(node.shown(), part);
        node.show(quantity);
        let ladder = &mut self.ladders[node.side() as usize];
        ladder.unrefresh(&mut self.links, node.level, slot, quantity, part);
        let hidden = self.specials.hidden(node, slot).quantity;
        self.specials.set_hidden(slot, hidden + part);
        self.specials.unfill(node, slot, quantity);
    }

    fn unshrink(&mut self, slot: Slot<OrderNode>, shown: BaseLots, hidden: BaseLots) {
        let node = &mut self.nodes[slot];
        let ladder = &mut self.ladders[node.side() as usize];
        node.show(node.shown() + shown);
        ladder.unreduce(node.level, shown);
        if !hidden.is_zero() {
            ladder.hide(node.level, hidden);
            let hides = self.specials.hidden(node, slot).quantity;
            self.specials.set_hidden(slot, hides + hidden);
        }
    }

    /// Back to where it stood, with what it showed and hid there.
    fn unqueue(
        &mut self,
        slot: Slot<OrderNode>,
        place: (Key, Slot<OrderNode>),
        shown: BaseLots,
        hidden: BaseLots,
    ) {
        let node = &mut self.nodes[slot];
        let ladder = &mut self.ladders[node.side() as usize];
        let hides = self.specials.hidden(node, slot).quantity;
        if !hides.is_zero() {
            ladder.unhide(node.level, hides);
        }
        ladder.leave(&mut self.links, node.level, slot, node.shown());
        node.level = ladder.rejoin(&mut self.links, place, slot, shown);
        node.show(shown);
        if node.is_special() {
            self.specials.set_hidden(slot, hidden);
        }
        if !hidden.is_zero() {
            ladder.hide(node.level, hidden);
        }
    }
}
