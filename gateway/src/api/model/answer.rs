//! What became of a frame's commands, for whoever sent it.

use types::block::ReleasedBlock;
use types::genesis::OwnerAddress;
use types::outcome::{DoneReason, Event, Receipt};
use types::{OrderId, RejectReason, SequenceNumber};

use super::Model;

/// What became of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameAnswer {
    /// One each, in order.
    pub(crate) commands: Vec<CommandAnswer>,
    /// The address of the account that it opened.
    pub(crate) opened: Option<OwnerAddress>,
}

/// What became of one command.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CommandAnswer {
    pub(crate) rejected: Option<RejectReason>,
    /// The order that it placed or changed.
    pub(crate) order: Option<OrderId>,
    pub(crate) lots: u128,
    pub(crate) tick_lots: u128,
    /// Whether the order is on the book behind it, or waits.
    pub(crate) rests: bool,
}

impl Model {
    /// What became of a frame that this block executed; after the block was followed.
    pub(crate) fn answer(&self, released: &ReleasedBlock, receipts: &[Receipt]) -> FrameAnswer {
        let mut answer = FrameAnswer::default();
        let first = receipts
            .first()
            .map_or(SequenceNumber::ZERO, Receipt::sequence);
        answer.commands = receipts
            .iter()
            .map(|receipt| CommandAnswer {
                rejected: receipt.reject_reason(),
                ..CommandAnswer::default()
            })
            .collect();
        let at = |sequence: SequenceNumber| {
            let index = usize::try_from(sequence.get().checked_sub(first.get())?).ok()?;
            (index < receipts.len()).then_some(index)
        };
        for record in &released.outcome.events {
            match record.event() {
                Event::Fill(fill) if fill.auction.is_none() => {
                    let Some(index) = at(fill.sequence) else {
                        continue;
                    };
                    let command = &mut answer.commands[index];
                    // Those that it set off trade within it, too; its own order comes first.
                    let own = command.order.get_or_insert(fill.taker.order_id);
                    if *own == fill.taker.order_id {
                        command.lots += u128::from(fill.quantity.get());
                        command.tick_lots +=
                            u128::from(fill.price.get()) * u128::from(fill.quantity.get());
                    }
                }
                Event::Rested(rested) => {
                    let Some(index) = at(rested.sequence) else {
                        continue;
                    };
                    answer.commands[index].rest(rested.owner.order_id);
                }
                Event::Armed(armed) => {
                    let Some(index) = at(armed.sequence) else {
                        continue;
                    };
                    answer.commands[index].rest(armed.owner.order_id);
                }
                Event::Reduced(reduced) if reduced.reason == DoneReason::Replaced => {
                    let Some(index) = at(reduced.sequence) else {
                        continue;
                    };
                    answer.commands[index].rest(reduced.owner.order_id);
                }
                Event::AccountOpened(opened) if at(opened.sequence).is_some() => {
                    answer.opened = Some(self.account(opened.account).address);
                }
                _ => {}
            }
        }
        answer
    }
}

impl CommandAnswer {
    fn rest(&mut self, order: OrderId) {
        if *self.order.get_or_insert(order) == order {
            self.rests = true;
        }
    }
}
