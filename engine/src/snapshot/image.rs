//! A snapshot in memory that is brought up to date, instead of being written anew.
//!
//! Nearly all of a large state are the two tables of the ledger, and they keep their place from one
//! snapshot to the next. So only the rows that have changed are copied, and everything else, which
//! is small, is written over what was there.

use std::ops::Range;

use ledger::{Ledger, StateTree};
use rkyv::api::high::to_bytes_in;
use rkyv::rancor::Panic;
use rkyv::ser::{Positional, Writer};
use types::AccountId;

use crate::state::State;

/// Memory that grows; its first byte lies at a place that is aligned to 16.
pub trait Memory {
    /// Appends so many bytes.
    fn append(&mut self, length: usize);
    /// Forgets what is beyond this length.
    fn truncate(&mut self, length: usize);
    /// The content.
    fn bytes_mut(&mut self) -> &mut [u8];
}

/// The snapshot of some state.
#[derive(Debug)]
pub struct Image<M> {
    memory: M,
    /// Where the accounts and the balances lie, once they do.
    tables: [Range<usize>; 2],
}

impl<M: Memory> Image<M> {
    /// No snapshot yet.
    pub const fn new(memory: M) -> Self {
        Self {
            memory,
            tables: [0..0, 0..0],
        }
    }

    /// The snapshot.
    pub const fn memory(&self) -> &M {
        &self.memory
    }

    /// The next update writes everything anew.
    pub fn forget(&mut self) {
        self.tables = [0..0, 0..0];
    }

    /// Makes this the snapshot of a state. Every account that has changed since the last update must
    /// be among `changed`, and the tree up to date with the state's ledger.
    pub fn update(&mut self, state: &State, tree: &StateTree, changed: &[AccountId]) {
        let tables = state.ledger().tables();
        if self
            .tables
            .iter()
            .map(Range::len)
            .eq(tables.map(<[u8]>::len))
        {
            self.patch(state.ledger(), changed);
        } else {
            self.forget();
        }
        let over = Over {
            image: self,
            ledger: tables,
            position: 0,
        };
        // Only a writer can fail, and this one cannot.
        let Ok(over) = to_bytes_in::<_, Panic>(&state.snapshot(tree), over);
        let length = over.position;
        self.memory.truncate(length);
    }

    fn patch(&mut self, ledger: &Ledger, changed: &[AccountId]) {
        let bytes = self.memory.bytes_mut();
        for account in changed.iter().filter(|account| ledger.contains(**account)) {
            let rows = ledger.rows(*account);
            for (table, row) in self.tables.iter().zip(rows) {
                let start = table.start + account.index() * row.len();
                bytes[start..start + row.len()].copy_from_slice(row);
            }
        }
    }
}

/// Writes an archive over the image of an earlier one.
struct Over<'a, M> {
    image: &'a mut Image<M>,
    /// The tables of the ledger, to be known again when they come by.
    ledger: [&'a [u8]; 2],
    position: usize,
}

impl<M> Positional for Over<'_, M> {
    fn pos(&self) -> usize {
        self.position
    }
}

impl<M: Memory, E> Writer<E> for Over<'_, M> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), E> {
        let place = self.position..self.position + bytes.len();
        self.position = place.end;
        if let Some(table) = self
            .ledger
            .iter()
            .position(|table| std::ptr::eq(*table, bytes))
        {
            if self.image.tables[table] == place {
                return Ok(());
            }
            self.image.tables[table] = place.clone();
        }
        let length = self.image.memory.bytes_mut().len();
        if length < place.end {
            self.image.memory.append(place.end - length);
        }
        self.image.memory.bytes_mut()[place].copy_from_slice(bytes);
        Ok(())
    }
}
