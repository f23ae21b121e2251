//! What leaves a node: each answer is held against those before, and kept to be held against the truth.

use std::sync::Arc;

use gateway::AnswerBook;
use types::block::ReleasedBlock;
use types::outcome::{BlockOutcome, DoneReason, Event, FrameVerdict};
use types::wire::orders::OrdersFrame;
use types::{KeyId, RejectReason, SequenceNumber};

use crate::node::Node;
use crate::run::{Oracle, Violation, World};
use crate::truth::{Answer, Written};

impl World {
    /// What the gateway does: follows the answers, and tells whoever waits.
    pub(crate) fn take_released(&mut self, node: &mut Node) -> Result<(), Violation> {
        while let Ok(block) = node.released.pop() {
            self.note_released(&mut node.answers, &block)?;
        }
        while let Ok(refused) = node.refused.pop() {
            let is_full = refused.reason == RejectReason::DiskFull;
            let is_needed = self.watch.is_full || !self.disk.triggered().is_empty();
            Violation::unless(is_full && is_needed, Oracle::Progress, || {
                format!("refused without need: {:?}", refused.reason)
            })?;
            if self.watch.is_full {
                self.watch.refused_orders += 1;
                self.trace.reach("a full disk refused an order");
            } else {
                self.trace.reach("a failed preparation stopped nothing");
            }
        }
        Ok(())
    }

    fn note_released(
        &mut self,
        answers: &mut AnswerBook,
        block: &Arc<ReleasedBlock>,
    ) -> Result<(), Violation> {
        let outcome = &block.outcome;
        let expected = self.watch.released.next();
        Violation::unless(outcome.height == expected, Oracle::Ledger, || {
            format!("block {} left after {}", outcome.height, expected)
        })?;
        self.trace.note("released", "", outcome.hash.as_bytes());
        let reached = self.watch.reopening.follow(block)?;
        reached.into_iter().for_each(|it| self.trace.reach(it));
        self.watch.released = outcome.height;
        self.watch.blocks.push(Written::from(&**block));
        self.watch.outcomes.push((outcome.height, outcome.hash));
        answers.follow(outcome);
        let frames = block.block.frames().map(|it| it.frame.frame());
        for ((sequence, answer), frame) in Answer::all(outcome).into_iter().zip(frames) {
            if let FrameVerdict::Repeated { first_sequence } = answer.verdict {
                self.note_repeated(answers, &answer, (sequence, first_sequence))?;
            }
            self.note_verdict(answer.verdict, frame);
            self.watch.answers.push((outcome.height, sequence, answer));
        }
        self.note_keys(outcome);
        Ok(())
    }

    fn note_repeated(
        &self,
        answers: &AnswerBook,
        answer: &Answer,
        (sequence, first_sequence): (u64, SequenceNumber),
    ) -> Result<(), Violation> {
        if first_sequence.get() <= self.watch.started_at {
            let state = "a repeated frame was answered after a restart";
            self.trace.reach(state);
        }
        // A wallet's last answer is the engine's to remember.
        if answer.key == KeyId::WALLET {
            return Ok(());
        }
        let found = answers.answer(answer.key, answer.nonce);
        let first = found.map(|found| found.first_sequence);
        Violation::unless(first == Some(first_sequence), Oracle::Ledger, || {
            format!("sequence {sequence}: a repeated frame gets no first answer")
        })
    }

    fn note_verdict(&self, verdict: FrameVerdict, frame: &OrdersFrame) {
        let state = match verdict {
            FrameVerdict::Refused(reason) => match reason {
                RejectReason::NonceReused => "a nonce was used for another frame",
                RejectReason::Expired => "a frame came too late",
                RejectReason::KeyRevoked => "a revoked key was refused",
                RejectReason::KeyExpired => "a key was refused after its time",
                RejectReason::StaleEpoch => "a key of an earlier epoch was refused",
                RejectReason::WrongWallet => "a wallet of somebody else was refused",
                _ => return,
            },
            FrameVerdict::Executed if 0 < self.watch.refused_orders && frame.is_cancel() => {
                "a full disk took a cancel"
            }
            FrameVerdict::Executed | FrameVerdict::Repeated { .. } => return,
        };
        self.trace.reach(state);
    }

    /// What came of session keys, silences and timers.
    fn note_keys(&self, outcome: &BlockOutcome) {
        for receipt in &outcome.receipts {
            let state = match receipt.reject_reason() {
                Some(RejectReason::KeyScope) => "a command out of a key's scope was rejected",
                Some(RejectReason::KeyMarket) => "a command in another market was rejected",
                Some(RejectReason::KeyOrderNotional) => "an order was too large for its key",
                Some(RejectReason::KeyOpenNotional) => "a key had enough open",
                Some(RejectReason::KeyDailyLoss) => "a key could have lost too much",
                _ => continue,
            };
            self.trace.reach(state);
        }
        for record in &outcome.events {
            let Event::Done(done) = record.event() else {
                continue;
            };
            let state = match done.reason {
                DoneReason::Disconnected => "a silence took an order off",
                DoneReason::Timer => "a timer took an order off",
                DoneReason::KeyRevoked => "a revocation took an order off",
                _ => continue,
            };
            self.trace.reach(state);
        }
    }
}
