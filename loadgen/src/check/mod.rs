//! Reconciliation: what clients saw (`record`) against what a journal comes to.
//!
//! Whoever can replay a journal passes its blocks through a [`Check`]. It walks each client's record
//! beside them and holds on to no block, so it takes as little memory for a day as for a second: per
//! client some buffers, and a bit for each frame. It knows what the protocol says and nothing of the
//! engine: that outcomes are right is what replay is for; that clients were told them is shown here.
//!
//! - Every answer has its frame in the journal, once, at the sequence number that was told, with the
//!   outcomes that were told; every frame of a recorded key there was sent by its client.
//! - A refused frame is not there. One without an answer may be.
//! - Every fill and every end of an order was told to its owner, and nothing else was, in this order.
//! - The balances that a client was told before and after are those of the ledger at that point, and
//!   differ by exactly what its fills say.

mod client;
mod funds;
mod report;
mod told;

use std::collections::BTreeMap;
use std::path::Path;

use types::genesis::Genesis;
use types::outcome::{BlockOutcome, Event};
use types::wire::ack::{FillReport, Role};
use types::wire::ended::EndedReport;
use types::wire::query::Reference;
use types::{AccountId, AssetId, KeyId, SequenceNumber};

use crate::record::Reading;
pub use crate::record::RecordError;
use client::ClientCheck;
pub use report::CheckReport;
use report::Problems;

/// A reconciliation under way.
#[derive(Debug)]
pub struct Check {
    clients: Vec<ClientCheck>,
    /// Which client has a key, and which an account.
    by_key: BTreeMap<KeyId, usize>,
    by_account: BTreeMap<AccountId, usize>,
    problems: Problems,
    has_begun: bool,
}

impl Check {
    /// Of all clients that a folder has records of, which must be of this network.
    pub fn open(folder: &Path, genesis: &Genesis) -> Result<Self, RecordError> {
        let reference = Reference::of(genesis);
        let mut check = Self {
            clients: Vec::new(),
            by_key: BTreeMap::new(),
            by_account: BTreeMap::new(),
            problems: Problems::default(),
            has_begun: false,
        };
        for reading in Reading::all(folder)? {
            if reading.record.genesis_hash() != Some(genesis.hash()) {
                return Err(reading.damaged("it is of another network".to_owned()));
            }
            let client = ClientCheck::open(&reading, &reference, &mut check.problems)?;
            let index = check.clients.len();
            let twice = [
                check.by_key.insert(client.key(), index),
                check.by_account.insert(client.account(), index),
            ];
            if twice != [None, None] {
                return Err(reading.damaged("another client has the same account".to_owned()));
            }
            check.clients.push(client);
        }
        Ok(check)
    }

    /// The next block of the journal: its first sequence number, what came of it, and what an account
    /// has of an asset behind it, free and held atoms.
    pub fn block(
        &mut self,
        first: SequenceNumber,
        outcome: &BlockOutcome,
        balance: impl Fn(AccountId, AssetId) -> [u128; 2],
    ) -> Result<(), RecordError> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let needed = self.clients.iter().map(ClientCheck::begins_after).min();
            if let Some(needed) = needed.filter(|needed| needed.next() < first) {
                return Err(RecordError::JournalBegins { first, needed });
            }
        }
        for (frame, receipts) in outcome.frames_with_receipts() {
            if let Some(&index) = self.by_key.get(&frame.key) {
                self.clients[index].frame(frame, receipts, &mut self.problems)?;
            }
        }
        for record in &outcome.events {
            self.event(&record.event())?;
        }
        for client in &mut self.clients {
            client.balances(outcome.last_sequence, &balance, &mut self.problems);
        }
        Ok(())
    }

    /// The end of the journal.
    pub fn finish(mut self) -> Result<CheckReport, RecordError> {
        let mut report = CheckReport::new(self.clients.len());
        for client in self.clients {
            let seen = client.finish(&mut self.problems)?;
            report.add(&seen);
        }
        report.judge(self.problems);
        Ok(report)
    }

    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        if let Event::Fill(fill) = event {
            for (party, role) in [(&fill.maker, Role::Maker), (&fill.taker, Role::Taker)] {
                if let Some(&index) = self.by_account.get(&party.account) {
                    let report = FillReport::new(fill, role);
                    self.clients[index].fill(&report, &mut self.problems)?;
                }
            }
        } else if let Some((owner, report)) = EndedReport::of_event(event)
            && let Some(&index) = self.by_account.get(&owner)
        {
            self.clients[index].ended(&report, &mut self.problems)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
