//! Whose leaf of the state tree a block may have changed.

use types::AccountId;
use types::outcome::{BlockOutcome, Event};

/// Appends every account whose balances a block may have changed, some more than once. The system's
/// accounts are not among them: fees change with every fill.
pub fn changed_accounts(outcome: &BlockOutcome, accounts: &mut Vec<AccountId>) {
    for record in &outcome.events {
        match record.event() {
            Event::Fill(fill) => accounts.extend([fill.maker.account, fill.taker.account]),
            Event::Rested(rested) => accounts.push(rested.owner.account),
            Event::Armed(armed) => accounts.push(armed.owner.account),
            Event::Triggered(triggered) => accounts.push(triggered.owner.account),
            Event::Done(done) => accounts.push(done.owner.account),
            Event::Reduced(reduced) => accounts.push(reduced.owner.account),
            Event::Transferred(moved) => accounts.extend([moved.from, moved.to]),
            Event::StatusChanged(_) | Event::Indicative(_) => {}
        }
    }
}
