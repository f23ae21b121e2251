//! One side's prices: which levels exist, which is best, and which comes next.
//!
//! Prices are 32 bits wide and anything from one tick to the last must cost the same, so neither a
//! flat array (16 GiB) nor a window around the best price (a fallback for strays, and a slide when
//! the market moves) will do. The ladder is a radix tree of 64-way tiers, six bits of the price
//! each; a tier is a bitmap of its occupied children and their slots. A tier of the last kind
//! covers 64 neighboring ticks and is called a leaf; its children are levels.
//!
//! - A known price costs no search: `recent` remembers where the leaves that were used last are,
//!   and within a leaf the tick is the place. A miss walks five tiers.
//! - The best price is cached. When its level empties, the next one is mostly in the same leaf
//!   (one bit scan), else at most ten bit scans away, however far.
//! - Empty leaves and tiers are recycled at once.
//!
//! Both sides run the same code on a [`Key`] that counts away from the best: an ask's key is its
//! price, a bid's key the complement of its price. Lower is better.
//!
//! What icebergs hide is added up in a table of its own, which grows only where there are any.
//!
//! **Memory.** A level takes 32 bytes, a tier 264, the sum of what is hidden at a price 16. Dense prices share a leaf: about 4 bytes per
//! tick. The worst an adversary can do is to place every order far from every other: an order then
//! owns at most four inner tiers and its leaf, below 1.4 KB, and since inner tiers are soon shared,
//! a full book (2^22 orders) stays below 1.4 GB of tiers: 2^22 leaves, and at most 2^20 + 2^14 +
//! 2^8 + 2^2 + 1 inner tiers.
//!
//! Two tiers (a table of pages of 8,192 leaves) would save steps on a miss, but a stray order would
//! own a page of 32 KiB, and some thousand strays in each of some hundred markets all of the
//! machine's memory.

use crate::arena::{Arena, Entry, Slot};
use crate::node::OrderNode;
use crate::queue::{LEVEL, Links, Queue};
use crate::view::Level;
use types::limits::PRICE_TICKS_MAX;
use types::{BaseLots, Side, Ticks};

/// Bits of a key that one tier resolves.
const TIER_BITS: u32 = 6;
/// Tiers above the leaves. The root sees what five tiers leave over: two bits.
const INNER_TIERS: u32 = 5;
/// How many leaves are remembered. Covers 4,096 ticks around the best price, 0.5 KiB.
const RECENT_COUNT: usize = 64;

const _: () = assert!(TIER_BITS * (INNER_TIERS + 1) >= u32::BITS);
// Both ends of the key space stay free, on either side: `Key::NONE` is no price.
const _: () = assert!(PRICE_TICKS_MAX < u32::MAX as u64);

/// A price as one side sees it: lower is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u32);

impl Key {
    /// Worse than every price.
    const NONE: Self = Self(u32::MAX);

    /// The number of the leaf that covers it.
    const fn leaf(self) -> LeafNumber {
        LeafNumber(self.0 >> TIER_BITS)
    }

    /// Its place in the leaf.
    const fn place(self) -> usize {
        self.0 as usize % 64
    }
}

/// The upper bits of a key: which 64 neighbors it is among.
#[derive(Clone, Copy, PartialEq, Eq)]
struct LeafNumber(u32);

impl LeafNumber {
    /// No leaf has this number: leaves have 26 bits.
    const NONE: Self = Self(u32::MAX);

    /// The place of the way to this leaf in the inner tier at `depth`.
    const fn place(self, depth: u32) -> usize {
        (self.0 >> Self::shift(depth)) as usize % 64
    }

    /// The lowest leaf below `place` in the inner tier at `depth` that this leaf is below, too.
    const fn turn(self, depth: u32, place: usize) -> Self {
        let shift = Self::shift(depth);
        let above = self.0 >> (shift + TIER_BITS) << (shift + TIER_BITS);
        Self(above | (place as u32) << shift)
    }

    const fn shift(depth: u32) -> u32 {
        TIER_BITS * (INNER_TIERS - 1 - depth)
    }
}

/// 64 children, of which some exist. Vacant tiers keep the next vacant one in the first child.
#[derive(Clone, Copy)]
struct Tier {
    occupied: u64,
    /// Slots of tiers, or in a leaf of levels; no slot where `occupied` has no bit, so that who
    /// knows the place need not look at the bits.
    children: [u32; 64],
}

impl Tier {
    /// The child at this place, if there is one.
    const fn child(&self, place: usize) -> Option<u32> {
        let child = self.children[place];
        if child == NO_CHILD { None } else { Some(child) }
    }

    const fn set(&mut self, place: usize, child: u32) {
        self.occupied |= 1 << place;
        self.children[place] = child;
    }

    const fn clear(&mut self, place: usize) {
        self.occupied &= !(1 << place);
        self.children[place] = NO_CHILD;
    }
}

/// The number of no slot.
const NO_CHILD: u32 = Slot::<Tier>::NONE.get();

impl Entry for Tier {
    const UNUSED: Self = Self {
        occupied: 0,
        children: [NO_CHILD; 64],
    };

    fn vacate(&mut self, next_vacant: Slot<Self>) {
        assert_eq!(self.occupied, 0, "only empty tiers are recycled");
        self.children[0] = next_vacant.get();
    }

    fn next_vacant(&self) -> Slot<Self> {
        Slot::new(self.children[0])
    }
}

/// All orders at one price.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub(crate) struct LevelNode {
    /// The orders, in the order in which they are met.
    pub(crate) queue: Queue<LEVEL>,
    /// The price. In a vacant level the next vacant one.
    key: Key,
    /// How many orders.
    pub(crate) orders: u32,
    /// The sum of what is shown, in lots. A full book of the largest orders passes 64 bits.
    pub(crate) shown: u128,
}

const _: () = assert!(size_of::<LevelNode>() == 32);

impl LevelNode {
    /// The price.
    pub(crate) const fn key(&self) -> Key {
        self.key
    }

    /// The sum of what is shown, bounded as the outside sees it.
    pub(crate) fn shown_bounded(&self) -> BaseLots {
        bounded(self.shown)
    }

    const fn new(key: Key) -> Self {
        Self {
            queue: Queue::EMPTY,
            key,
            orders: 0,
            shown: 0,
        }
    }
}

impl Entry for LevelNode {
    const UNUSED: Self = Self::new(Key::NONE);

    fn vacate(&mut self, next_vacant: Slot<Self>) {
        self.key = Key(next_vacant.get());
    }

    fn next_vacant(&self) -> Slot<Self> {
        Slot::new(self.key.0)
    }
}

/// Where a leaf was found.
#[derive(Clone, Copy)]
struct Recent {
    number: LeafNumber,
    leaf: Slot<Tier>,
}

impl Recent {
    const NONE: Self = Self {
        number: LeafNumber::NONE,
        leaf: Slot::NONE,
    };
}

/// One side's levels.
#[derive(Clone)]
pub(crate) struct Ladder {
    /// Turns a price into a key and back: nothing for asks, every bit for bids.
    flip: u32,
    best: Key,
    best_level: Slot<LevelNode>,
    root: Slot<Tier>,
    tiers: Arena<Tier>,
    levels: Arena<LevelNode>,
    /// By level, the sum of what its orders hide. Beyond its end, and in vacant levels, zero.
    hidden: Vec<u128>,
    recent: [Recent; RECENT_COUNT],
}

impl Ladder {
    /// No levels, with room for some.
    pub(crate) fn with_capacity(side: Side, levels: usize) -> Self {
        let mut tiers = Arena::with_capacity(levels / 64 + INNER_TIERS as usize + 1);
        let mut hidden = vec![0; levels];
        hidden.clear();
        Self {
            flip: match side {
                Side::Bid => u32::MAX,
                Side::Ask => 0,
            },
            best: Key::NONE,
            best_level: Slot::NONE,
            root: tiers.claim(),
            tiers,
            levels: Arena::with_capacity(levels),
            hidden,
            recent: [Recent::NONE; RECENT_COUNT],
        }
    }

    /// The key of a legal price.
    #[inline]
    pub(crate) fn key(&self, price: Ticks) -> Key {
        let ticks = price.get();
        assert!(
            0 < ticks && ticks <= PRICE_TICKS_MAX,
            "the price {ticks} is not legal"
        );
        Key(ticks as u32 ^ self.flip)
    }

    /// The best price, if there is any.
    pub(crate) fn best(&self) -> Option<Ticks> {
        (self.best != Key::NONE).then(|| self.ticks(self.best))
    }

    /// Whether the best price is `limit` or better.
    #[inline]
    pub(crate) fn reaches(&self, limit: Key) -> bool {
        self.best <= limit
    }

    /// The level of the best price. Only if there is one.
    pub(crate) const fn best_level(&self) -> Slot<LevelNode> {
        self.best_level
    }

    /// The level at this price, if there is one.
    pub(crate) fn find(&self, key: Key) -> Option<Slot<LevelNode>> {
        let leaf = self.walk(key.leaf())?;
        self.tiers[leaf].child(key.place()).map(Slot::new)
    }

    /// A level by its slot.
    pub(crate) fn level(&self, slot: Slot<LevelNode>) -> &LevelNode {
        &self.levels[slot]
    }

    /// The price of a level.
    pub(crate) fn price(&self, slot: Slot<LevelNode>) -> Ticks {
        self.ticks(self.levels[slot].key)
    }

    /// The sum of what the orders of a level hide.
    #[inline]
    pub(crate) fn hidden(&self, slot: Slot<LevelNode>) -> u128 {
        self.hidden.get(slot.index()).copied().unwrap_or(0)
    }

    /// Hangs an order that shows `shown` behind the others at its price.
    #[inline]
    pub(crate) fn join(
        &mut self,
        links: &mut Links,
        key: Key,
        order: Slot<OrderNode>,
        shown: BaseLots,
    ) -> Slot<LevelNode> {
        let slot = self.open(key);
        let level = &mut self.levels[slot];
        level.orders += 1;
        level.shown += u128::from(shown.get());
        level.queue.append(links, order);
        slot
    }

    /// Takes an order, with all that it shows, out of its level; an empty level goes. What the order
    /// hides was taken out before.
    #[inline]
    pub(crate) fn leave(
        &mut self,
        links: &mut Links,
        slot: Slot<LevelNode>,
        order: Slot<OrderNode>,
        shown: BaseLots,
    ) {
        let level = &mut self.levels[slot];
        level.orders -= 1;
        level.shown -= u128::from(shown.get());
        level.queue.unlink(links, order);
        if level.orders == 0 {
            self.close(slot);
        }
    }

    /// Hangs an order that shows `shown` at this price behind `previous`, or before all others if
    /// that is none: the inverse of [`Ladder::leave`].
    pub(crate) fn rejoin(
        &mut self,
        links: &mut Links,
        (key, previous): (Key, Slot<OrderNode>),
        order: Slot<OrderNode>,
        shown: BaseLots,
    ) -> Slot<LevelNode> {
        let slot = self.open(key);
        let level = &mut self.levels[slot];
        level.orders += 1;
        level.shown += u128::from(shown.get());
        level.queue.insert_after(links, previous, order);
        slot
    }

    /// An order in this level shows more again: the inverse of [`Ladder::reduce`].
    pub(crate) fn unreduce(&mut self, slot: Slot<LevelNode>, quantity: BaseLots) {
        self.levels[slot].shown += u128::from(quantity.get());
    }

    /// An order in this level shows less.
    pub(crate) fn reduce(&mut self, slot: Slot<LevelNode>, quantity: BaseLots) {
        self.levels[slot].shown -= u128::from(quantity.get());
    }

    /// An order in this level hides this much more.
    pub(crate) fn hide(&mut self, slot: Slot<LevelNode>, quantity: BaseLots) {
        if self.hidden.len() <= slot.index() {
            self.hidden.resize(slot.index() + 1, 0);
        }
        self.hidden[slot.index()] += u128::from(quantity.get());
    }

    /// An order in this level hides this much less.
    pub(crate) fn unhide(&mut self, slot: Slot<LevelNode>, quantity: BaseLots) {
        self.hidden[slot.index()] -= u128::from(quantity.get());
    }

    /// An iceberg in this level has used up `filled`, all that it showed, and shows the next part
    /// at the end of the queue.
    pub(crate) fn refresh(
        &mut self,
        links: &mut Links,
        slot: Slot<LevelNode>,
        order: Slot<OrderNode>,
        filled: BaseLots,
        part: BaseLots,
    ) {
        self.unhide(slot, part);
        self.show_next(links, slot, order, filled, part);
    }

    /// An order in this level has used up `filled`, all that it showed, and shows `part` at the end
    /// of the queue. Where that comes from is not known here.
    pub(crate) fn show_next(
        &mut self,
        links: &mut Links,
        slot: Slot<LevelNode>,
        order: Slot<OrderNode>,
        filled: BaseLots,
        part: BaseLots,
    ) {
        let level = &mut self.levels[slot];
        level.shown = level.shown - u128::from(filled.get()) + u128::from(part.get());
        level.queue.requeue(links, order);
    }

    /// The inverse of [`Ladder::refresh`] for an order that stood first.
    pub(crate) fn unrefresh(
        &mut self,
        links: &mut Links,
        slot: Slot<LevelNode>,
        order: Slot<OrderNode>,
        filled: BaseLots,
        part: BaseLots,
    ) {
        self.hide(slot, part);
        let level = &mut self.levels[slot];
        level.shown = level.shown - u128::from(part.get()) + u128::from(filled.get());
        level.queue.unlink(links, order);
        level.queue.insert_after(links, Slot::NONE, order);
    }

    /// The levels, best first.
    pub(crate) fn levels(&self) -> impl Iterator<Item = Slot<LevelNode>> + '_ {
        let mut open = 0_u64;
        let mut leaf = self.root;
        let mut next_leaf = (self.best != Key::NONE).then(|| self.best.leaf());
        std::iter::from_fn(move || {
            if open == 0 {
                let number;
                (number, leaf) = self.leaf_from(self.root, 0, next_leaf?)?;
                open = self.tiers[leaf].occupied;
                // Beyond the last leaf nothing is found: its number has a bit no leaf has.
                next_leaf = Some(LeafNumber(number.0 + 1));
            }
            let place = open.trailing_zeros() as usize;
            open &= open - 1;
            Some(Slot::new(self.tiers[leaf].children[place]))
        })
    }

    /// The levels up to and including `limit`, best first.
    pub(crate) fn levels_within(&self, limit: Key) -> impl Iterator<Item = Slot<LevelNode>> + '_ {
        self.levels()
            .take_while(move |slot| self.levels[*slot].key <= limit)
    }

    /// The level as the outside sees it.
    pub(crate) fn view(&self, slot: Slot<LevelNode>) -> Level {
        let level = &self.levels[slot];
        Level {
            price: self.ticks(level.key),
            quantity: level.shown_bounded(),
            hidden: bounded(self.hidden(slot)),
            orders: level.orders,
        }
    }

    /// Checks what must hold of tiers, caches and counts. Orders are checked by the book.
    pub(crate) fn assert_invariants(&self) {
        let levels: Vec<&LevelNode> = self.levels().map(|slot| &self.levels[slot]).collect();
        let open: u128 = self.levels().map(|slot| self.hidden(slot)).sum();
        assert_eq!(
            open,
            self.hidden.iter().sum(),
            "nothing hides where no level is"
        );
        assert!(levels.is_sorted_by(|a, b| a.key < b.key));
        assert_eq!(levels.len(), self.levels.len() as usize, "no level is lost");
        match levels.first() {
            Some(best) => {
                assert_eq!(best.key, self.best);
                assert_eq!(self.levels[self.best_level].key, self.best);
            }
            None => assert_eq!(self.best, Key::NONE),
        }
        assert_eq!(
            self.assert_tiers(self.root, 0, LeafNumber(0)),
            self.tiers.len(),
            "no tier is lost"
        );
        for recent in &self.recent {
            let is_free = recent.number == LeafNumber::NONE;
            assert!(is_free || self.walk(recent.number) == Some(recent.leaf));
        }
    }

    fn ticks(&self, key: Key) -> Ticks {
        Ticks::new(u64::from(key.0 ^ self.flip))
    }

    /// The level at this price, made if need be.
    #[inline]
    fn open(&mut self, key: Key) -> Slot<LevelNode> {
        let recent = &self.recent[key.leaf().0 as usize % RECENT_COUNT];
        if recent.number == key.leaf()
            && let Some(level) = self.tiers[recent.leaf].child(key.place())
        {
            return Slot::new(level);
        }
        self.find_or_make(key)
    }

    /// The same where the leaf was not used of late, or the level is new.
    #[inline(never)]
    fn find_or_make(&mut self, key: Key) -> Slot<LevelNode> {
        let leaf = match self.find_leaf(key.leaf()) {
            Some(leaf) => leaf,
            None => self.open_leaf(key.leaf()),
        };
        let tier = &mut self.tiers[leaf];
        if let Some(level) = tier.child(key.place()) {
            return Slot::new(level);
        }
        let slot = self.levels.claim();
        self.levels[slot] = LevelNode::new(key);
        tier.set(key.place(), slot.get());
        if key < self.best {
            self.best = key;
            self.best_level = slot;
        }
        slot
    }

    /// Recycles an empty level, and what then is empty above it.
    #[inline(never)]
    fn close(&mut self, slot: Slot<LevelNode>) {
        let LevelNode { key, shown, .. } = self.levels[slot];
        assert_eq!(shown, 0, "a level's total is the sum of its orders");
        assert_eq!(self.hidden(slot), 0, "nobody is left to hide anything");
        let number = key.leaf();
        let leaf = self.find_leaf(number).expect("a level hangs in a leaf");
        self.levels.release(slot);
        let tier = &mut self.tiers[leaf];
        tier.clear(key.place());
        let occupied = tier.occupied;
        if occupied == 0 {
            self.close_leaf(number);
        }
        if key == self.best {
            // The best level was the first, so what is left in its leaf comes next.
            let next = if occupied == 0 {
                self.leaf_from(self.root, 0, number)
            } else {
                Some((number, leaf))
            };
            self.set_best(next);
        }
    }

    /// The first level of this leaf, the first one that there is, is now the best.
    fn set_best(&mut self, first: Option<(LeafNumber, Slot<Tier>)>) {
        let Some((number, leaf)) = first else {
            self.best = Key::NONE;
            self.best_level = Slot::NONE;
            return;
        };
        let tier = &self.tiers[leaf];
        let place = tier.occupied.trailing_zeros();
        self.best = Key(number.0 << TIER_BITS | place);
        self.best_level = Slot::new(tier.children[place as usize]);
    }

    fn find_leaf(&mut self, number: LeafNumber) -> Option<Slot<Tier>> {
        let recent = &self.recent[number.0 as usize % RECENT_COUNT];
        if recent.number == number {
            return Some(recent.leaf);
        }
        let leaf = self.walk(number)?;
        self.remember(number, leaf);
        Some(leaf)
    }

    fn walk(&self, number: LeafNumber) -> Option<Slot<Tier>> {
        (0..INNER_TIERS).try_fold(self.root, |tier, depth| {
            let child = self.tiers[tier].child(number.place(depth))?;
            Some(Slot::new(child))
        })
    }

    /// Makes the leaf, and what is missing above it.
    fn open_leaf(&mut self, number: LeafNumber) -> Slot<Tier> {
        let mut tier = self.root;
        for depth in 0..INNER_TIERS {
            let place = number.place(depth);
            tier = match self.tiers[tier].child(place) {
                Some(child) => Slot::new(child),
                None => {
                    let child = self.tiers.claim();
                    // All other children left before it was vacated.
                    self.tiers[child].children[0] = NO_CHILD;
                    self.tiers[tier].set(place, child.get());
                    child
                }
            };
        }
        self.remember(number, tier);
        tier
    }

    /// Recycles an empty leaf, and what then is empty above it; the root stays.
    fn close_leaf(&mut self, number: LeafNumber) {
        let mut way = [self.root; INNER_TIERS as usize + 1];
        for depth in 0..INNER_TIERS {
            let tier = &self.tiers[way[depth as usize]];
            way[depth as usize + 1] = Slot::new(tier.children[number.place(depth)]);
        }
        self.recent[number.0 as usize % RECENT_COUNT] = Recent::NONE;
        for depth in (0..INNER_TIERS).rev() {
            self.tiers.release(way[depth as usize + 1]);
            let above = &mut self.tiers[way[depth as usize]];
            above.clear(number.place(depth));
            if above.occupied != 0 {
                return;
            }
        }
    }

    fn remember(&mut self, number: LeafNumber, leaf: Slot<Tier>) {
        self.recent[number.0 as usize % RECENT_COUNT] = Recent { number, leaf };
    }

    /// The first leaf at or after `from` below `tier`. No tier is empty but the root, so at most
    /// two children per tier are tried: the one on the way, and the one after it.
    fn leaf_from(
        &self,
        tier: Slot<Tier>,
        depth: u32,
        from: LeafNumber,
    ) -> Option<(LeafNumber, Slot<Tier>)> {
        if depth == INNER_TIERS {
            return Some((from, tier));
        }
        let first = from.place(depth);
        let mut open = self.tiers[tier].occupied & (u64::MAX << first);
        while open != 0 {
            let place = open.trailing_zeros() as usize;
            let child = Slot::new(self.tiers[tier].children[place]);
            let from = if place == first {
                from
            } else {
                from.turn(depth, place)
            };
            if let Some(found) = self.leaf_from(child, depth + 1, from) {
                return Some(found);
            }
            open &= open - 1;
        }
        None
    }

    /// Counts the tiers from here down; none but the root may be empty.
    fn assert_tiers(&self, slot: Slot<Tier>, depth: u32, number: LeafNumber) -> u32 {
        let tier = &self.tiers[slot];
        assert!(depth == 0 || tier.occupied != 0, "empty tiers are recycled");
        for place in 0..64 {
            let has_bit = tier.occupied >> place & 1 == 1;
            assert_eq!(tier.child(place).is_some(), has_bit);
        }
        if depth == INNER_TIERS {
            assert_eq!(self.walk(number), Some(slot));
            return 1;
        }
        (0..64)
            .filter_map(|place| Some((Slot::new(tier.child(place)?), number.turn(depth, place))))
            .map(|(child, number)| self.assert_tiers(child, depth + 1, number))
            .sum::<u32>()
            + 1
    }
}

/// As much of a sum as the outside can be told.
fn bounded(lots: u128) -> BaseLots {
    BaseLots::new(u64::try_from(lots).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        ladder: Ladder,
        links: Links,
    }

    impl Rig {
        fn new(side: Side) -> Self {
            Self {
                ladder: Ladder::with_capacity(side, 0),
                links: Links::with_capacity(0),
            }
        }

        fn join(&mut self, price: u64, order: u32) -> Slot<LevelNode> {
            let key = self.ladder.key(Ticks::new(price));
            let order = Slot::new(order);
            self.links.cover(order);
            self.ladder
                .join(&mut self.links, key, order, BaseLots::new(1))
        }

        fn leave(&mut self, level: Slot<LevelNode>, order: u32) {
            let order = Slot::new(order);
            self.ladder
                .leave(&mut self.links, level, order, BaseLots::new(1));
        }

        fn prices(&self) -> Vec<u64> {
            let levels = self.ladder.levels();
            levels.map(|level| self.ladder.price(level).get()).collect()
        }
    }

    #[test]
    fn every_distance_between_neighbors_is_bridged() {
        for side in Side::BOTH {
            let mut rig = Rig::new(side);
            // One price per tier that a search may have to climb to, and both ends.
            let mut prices = vec![1, PRICE_TICKS_MAX];
            prices.extend((1..32).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]));
            prices.sort_unstable();
            prices.dedup();
            if side == Side::Bid {
                prices.reverse();
            }
            let mut levels = Vec::new();
            for (order, price) in prices.iter().rev().enumerate() {
                levels.push(rig.join(*price, order as u32));
                rig.ladder.assert_invariants();
            }
            assert_eq!(rig.prices(), prices);
            for (rank, price) in prices.iter().enumerate() {
                assert_eq!(rig.ladder.best(), Some(Ticks::new(*price)));
                let order = prices.len() - 1 - rank;
                rig.leave(levels[order], order as u32);
                rig.ladder.assert_invariants();
            }
            assert_eq!(rig.ladder.best(), None);
        }
    }

    #[test]
    fn strays_own_five_tiers_at_most_and_give_them_back() {
        let mut rig = Rig::new(Side::Ask);
        let mut levels = Vec::new();
        for stray in 0..1 << 14 {
            // The leaves are as far from each other as they can be.
            levels.push(rig.join(1 + (u64::from(stray) << 18), stray));
            let owned = rig.ladder.tiers.len() - 1;
            assert!(owned <= 5 * (stray + 1));
        }
        // Root, 4, 2^8, 2^14, and from there on one of each kind per stray.
        assert_eq!(rig.ladder.tiers.len(), 1 + 4 + (1 << 8) + 3 * (1 << 14));
        for (order, level) in levels.into_iter().enumerate() {
            rig.leave(level, order as u32);
        }
        assert_eq!(rig.ladder.tiers.len(), 1);
        rig.ladder.assert_invariants();
    }
}
