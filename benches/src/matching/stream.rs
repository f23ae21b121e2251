//! Operations to run, with the trades that they must make.

use super::engine::{Naming, Room, Tally};
use super::op::Op;

/// A stream: first the operations that fill the books, then those that are measured.
#[derive(Debug)]
pub struct Stream {
    /// The workload.
    pub name: &'static str,
    /// What an engine needs to be told beforehand.
    pub room: Room,
    /// How many operations fill the books.
    pub prefill: usize,
    /// Orders that rest when the measured part starts.
    pub resting: u32,
    /// Prices in use when the measured part starts.
    pub levels: u32,
    /// The trades of the measured part.
    pub expected: Tally,
    kept: Vec<Op>,
    renewed: Vec<Op>,
}

impl Stream {
    /// A stream of operations that keep their orders' ids.
    pub(super) fn new(
        name: &'static str,
        room: Room,
        prefill: usize,
        (resting, levels): (u32, u32),
        expected: Tally,
        kept: Vec<Op>,
    ) -> Self {
        Self {
            name,
            prefill,
            resting,
            levels,
            expected,
            renewed: renewed(&kept, room.orders.len()),
            room,
            kept,
        }
    }

    /// The operations that fill the books.
    pub fn filling(&self, naming: Naming) -> &[Op] {
        &self.ops(naming)[..self.prefill]
    }

    /// The operations that are measured.
    pub fn measured(&self, naming: Naming) -> &[Op] {
        &self.ops(naming)[self.prefill..]
    }

    /// 64 bits of FNV-1a over all operations: who prints it has run this very stream.
    pub fn hash(&self) -> u64 {
        let bytes = self.kept.iter().flat_map(Op::bytes);
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    fn ops(&self, naming: Naming) -> &[Op] {
        match naming {
            Naming::Kept => &self.kept,
            Naming::Renewed => &self.renewed,
        }
    }
}

/// The same operations under the names that [`Naming::Renewed`] gives.
fn renewed(kept: &[Op], symbols: usize) -> Vec<Op> {
    let ids = kept.iter().map(|op| op.id as usize + 1).max();
    let mut names = vec![0; ids.unwrap_or(0)];
    let mut entered = vec![0; symbols];
    let rename = |op: &Op| {
        let name = &mut names[op.id as usize];
        let entered = &mut entered[usize::from(op.symbol)];
        let meant = *name;
        if op.action.enters() {
            *name = *entered;
            *entered += 1;
        }
        let is_new = op.action.enters() && op.action != super::Action::Move;
        Op {
            id: if is_new { *name } else { meant },
            ..*op
        }
    };
    kept.iter().map(rename).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::Action;
    use types::Side;

    #[test]
    fn renewed_names_count_per_book() {
        let op = |action, symbol, id| Op {
            id,
            price: 1,
            quantity: 1,
            symbol,
            action,
            side: Side::Bid,
        };
        use Action::{Cancel, Immediate, Move, Place};
        let steps = [
            (Place, 0, 0, 0),
            (Place, 1, 1, 0),
            (Place, 0, 2, 1),
            (Move, 0, 0, 0), // now 2
            (Immediate, 0, 3, 3),
            (Move, 0, 0, 2), // now 4
            (Place, 0, 4, 5),
            (Cancel, 0, 0, 4),
            (Cancel, 0, 2, 1),
            (Cancel, 1, 1, 0),
        ];
        let kept: Vec<Op> = steps
            .map(|(action, symbol, id, _)| op(action, symbol, id))
            .into();
        let expected: Vec<Op> = steps
            .map(|(action, symbol, _, name)| op(action, symbol, name))
            .into();
        assert_eq!(renewed(&kept, 2), expected);
    }
}
