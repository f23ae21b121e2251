//! What one block reports to one account, in the order in which it happened.
//!
//! Runs of one kind become one message (or as many as they need): a block that fills an account's
//! orders a hundred times costs it one header, and still every end stands where it happened among
//! the fills.

use types::wire::ack::FillReport;
use types::wire::ended::EndedReport;

/// Reports on their way to all sessions of one account.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// Whole messages, before what the lists below hold.
    messages: Vec<u8>,
    /// Of the run that goes on; at most one of the two lists has any.
    fills: Vec<FillReport>,
    ended: Vec<EndedReport>,
}

impl Reports {
    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.fills.is_empty() && self.ended.is_empty()
    }

    /// Adds an execution.
    pub(crate) fn push_fill(&mut self, report: FillReport) {
        if !self.ended.is_empty() {
            self.finish_run();
        }
        self.fills.push(report);
    }

    /// Adds the end of an order.
    pub(crate) fn push_ended(&mut self, report: EndedReport) {
        if !self.fills.is_empty() {
            self.finish_run();
        }
        self.ended.push(report);
    }

    /// All of them as messages.
    pub(crate) fn messages(&mut self) -> &[u8] {
        self.finish_run();
        &self.messages
    }

    /// Forgets them and keeps the buffers.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.fills.clear();
        self.ended.clear();
    }

    fn finish_run(&mut self) {
        FillReport::encode(&self.fills, &mut self.messages);
        EndedReport::encode(&self.ended, &mut self.messages);
        self.fills.clear();
        self.ended.clear();
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use types::outcome::{Done, DoneReason, Fill, Party};
    use types::wire::ack::Role;
    use types::wire::{Kind, split_message};
    use types::*;

    use super::*;

    const PARTY: Party = Party {
        account: AccountId::new(0),
        order_id: OrderId::new(1),
        client_order_id: ClientOrderId::NONE,
    };

    fn fill() -> FillReport {
        let fill = Fill {
            sequence: SequenceNumber::new(1),
            market: MarketId::new(0),
            taker_side: Side::Bid,
            price: Ticks::new(1),
            quantity: BaseLots::new(1),
            maker: PARTY,
            taker: PARTY,
            maker_remaining: BaseLots::ZERO,
            maker_refreshed: false,
            auction: None,
            maker_fee: 0,
            taker_fee: Atoms::ZERO,
        };
        FillReport::new(&fill, Role::Maker)
    }

    fn ended() -> EndedReport {
        EndedReport::from(&Done {
            sequence: SequenceNumber::new(1),
            market: MarketId::new(0),
            side: Side::Bid,
            reason: DoneReason::Expired,
            price: Ticks::new(1),
            remaining: BaseLots::new(1),
            owner: PARTY,
            held: true,
        })
    }

    /// Pushes `pushed`, in which `f` is a fill and `e` an end, and reads the messages back.
    fn check(reports: &mut Reports, pushed: &str, expected: &[(Kind, usize)]) {
        for kind in pushed.chars() {
            match kind {
                'f' => reports.push_fill(fill()),
                _ => reports.push_ended(ended()),
            }
            assert!(!reports.is_empty());
        }
        let mut buffer = BytesMut::from(reports.messages());
        let mut messages = Vec::new();
        while let Some((kind, message)) = split_message(&mut buffer).unwrap() {
            let count = match kind {
                Kind::Fills => FillReport::parse_all(&message).unwrap().len(),
                _ => EndedReport::parse_all(&message).unwrap().len(),
            };
            messages.push((kind, count));
        }
        assert_eq!(messages, expected, "{pushed}");
        reports.clear();
        assert!(reports.is_empty());
    }

    #[test]
    fn runs_of_one_kind_are_one_message_and_keep_their_order() {
        let (f, e) = (Kind::Fills, Kind::Ended);
        let reports = &mut Reports::default();
        check(reports, "", &[]);
        check(reports, "f", &[(f, 1)]);
        check(reports, "ee", &[(e, 2)]);
        check(reports, "ffeff", &[(f, 2), (e, 1), (f, 2)]);
        check(reports, "efe", &[(e, 1), (f, 1), (e, 1)]);
        let most = FillReport::PER_MESSAGE_MAX;
        let many = "f".repeat(most + 1) + "e";
        check(reports, &many, &[(f, most), (f, 1), (e, 1)]);
    }
}
