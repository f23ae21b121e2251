//! The last answers per key, so that a repeated frame gets its first answer and a client that lost
//! a connection can ask what became of a nonce.
//!
//! Follows released outcomes, like every read model: a node feeds it the outcomes of its replay
//! before it opens the gateway, and the gateway goes on with the released blocks.
//!
//! Slots are addressed by nonce modulo the nonce window. Executed frames never collide there: the
//! engine executes a nonce only while it is within the window of the key's highest one, so of two
//! nonces in one slot the older has left the window. Outcomes are kept in one byte each where
//! nothing filled, which is most of them; buffers of displaced answers are reused.

mod snapshot;

pub use snapshot::NotAnswers;

use types::limits::NONCE_WINDOW;
use types::outcome::{BlockOutcome, FrameReceipt, FrameVerdict, Receipt};
use types::wire::ack::CommandOutcome;
use types::{BaseLots, KeyId, Nonce, RejectReason, SequenceNumber};

/// The last answers of all keys.
#[derive(Clone, Debug, Default)]
pub struct AnswerBook {
    keys: Vec<KeyAnswers>,
    last_sequence: SequenceNumber,
}

#[derive(Clone, Debug, Default)]
struct KeyAnswers {
    /// The highest nonce that was executed: a refused one is not used up.
    highest: Nonce,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    nonce: Nonce,
    first_sequence: SequenceNumber,
    refused: Option<RejectReason>,
    /// `None` in a slot that was never used.
    outcomes: Option<PackedOutcomes>,
}

/// The answer to one frame.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The sequence number that its first command had.
    pub first_sequence: SequenceNumber,
    /// Why the whole frame was refused.
    pub refused: Option<RejectReason>,
    outcomes: &'a PackedOutcomes,
}

impl Answer<'_> {
    /// Replaces what is in `outcomes` by the outcome of each command; none if the frame was
    /// refused.
    pub fn outcomes(&self, outcomes: &mut Vec<CommandOutcome>) {
        outcomes.clear();
        self.outcomes.unpack(self.first_sequence, outcomes);
    }
}

impl AnswerBook {
    /// No answers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of a block. Blocks come in order.
    pub fn follow(&mut self, outcome: &BlockOutcome) {
        for (frame, receipts) in outcome.frames_with_receipts() {
            self.follow_frame(frame, receipts);
        }
        self.last_sequence = outcome.last_sequence;
    }

    /// Takes note of one frame and the receipts of its commands.
    pub(crate) fn follow_frame(&mut self, frame: &FrameReceipt, receipts: &[Receipt]) {
        // A wallet's last answer is the engine's to remember, and there is but one.
        if frame.key == KeyId::WALLET {
            return;
        }
        let key = frame.key.index();
        if self.keys.len() <= key {
            self.keys.resize_with(key + 1, KeyAnswers::default);
        }
        let answers = &mut self.keys[key];
        let refused = match frame.verdict {
            FrameVerdict::Executed => None,
            FrameVerdict::Refused(reason) => Some(reason),
            FrameVerdict::Repeated { .. } => return,
        };
        if refused.is_some() && answers.window_holds(frame.nonce) {
            return;
        }
        if refused.is_none() {
            answers.highest = answers.highest.max(frame.nonce);
        }
        let slot = answers.slot_mut(frame.nonce);
        slot.nonce = frame.nonce;
        slot.first_sequence = frame.first_sequence;
        slot.refused = refused;
        let outcomes = slot.outcomes.get_or_insert_default();
        outcomes.pack(receipts);
    }

    /// Notes up to where the released blocks go.
    pub(crate) fn advance(&mut self, last_sequence: SequenceNumber) {
        self.last_sequence = last_sequence;
    }

    /// The last sequence number that the book includes.
    pub const fn last_sequence(&self) -> SequenceNumber {
        self.last_sequence
    }

    /// The answer to the frame of this nonce, if it is among the last ones.
    pub fn answer(&self, key: KeyId, nonce: Nonce) -> Option<Answer<'_>> {
        let slot = self.keys.get(key.index())?.slots.get(slot_index(nonce))?;
        let outcomes = slot.outcomes.as_ref()?;
        (slot.nonce == nonce).then_some(Answer {
            first_sequence: slot.first_sequence,
            refused: slot.refused,
            outcomes,
        })
    }

    /// One above the highest nonce that the key has used; 1 for a new key.
    pub fn next_nonce(&self, key: KeyId) -> Nonce {
        let answers = self.keys.get(key.index());
        let highest = answers.map_or(Nonce::ZERO, |answers| answers.highest);
        // A client may burn the last nonce of all; that must not stop a node.
        Nonce::new(highest.get().saturating_add(1))
    }
}

impl KeyAnswers {
    /// Whether the slot of this nonce holds an executed frame that may still be repeated. Such an
    /// answer is worth more than the refusal of another frame.
    fn window_holds(&self, nonce: Nonce) -> bool {
        self.slots.get(slot_index(nonce)).is_some_and(|slot| {
            slot.outcomes.is_some()
                && slot.refused.is_none()
                && self.highest.get() - slot.nonce.get() < NONCE_WINDOW
        })
    }

    fn slot_mut(&mut self, nonce: Nonce) -> &mut Slot {
        let index = slot_index(nonce);
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, Slot::default);
        }
        &mut self.slots[index]
    }
}

fn slot_index(nonce: Nonce) -> usize {
    usize::try_from(nonce.get() % NONCE_WINDOW).expect("the window is short")
}

/// Outcomes of one frame's commands. Each is a tag: the reason's number for a rejected command
/// (0: accepted, nothing filled or cancelled), or [`WITH_NUMBERS`] and two variable-length numbers.
#[derive(Clone, Debug, Default)]
struct PackedOutcomes {
    bytes: Vec<u8>,
}

const WITH_NUMBERS: u8 = u8::MAX;
// Reasons beyond one byte need another packing.
const _: () = {
    let last = RejectReason::ALL[RejectReason::ALL.len() - 1];
    assert!(last.code() < WITH_NUMBERS as u16);
};

impl PackedOutcomes {
    fn pack(&mut self, receipts: &[Receipt]) {
        self.bytes.clear();
        for receipt in receipts {
            let reason = receipt.reject_reason().map_or(0, RejectReason::code);
            if receipt.affected() == 0 && receipt.lots().is_zero() {
                self.bytes.push(reason as u8);
            } else {
                self.bytes.push(WITH_NUMBERS);
                self.push_number(u64::from(receipt.affected()));
                self.push_number(receipt.lots().get());
            }
        }
    }

    /// Seven bits a byte, lowest first; the high bit says that more follow.
    fn push_number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn unpack(&self, first_sequence: SequenceNumber, outcomes: &mut Vec<CommandOutcome>) {
        let mut bytes = self.bytes.iter().copied();
        let mut sequence = first_sequence;
        while let Some(tag) = bytes.next() {
            let receipt = if tag == WITH_NUMBERS {
                let mut number = || next_number(&mut bytes).expect("a packed number ends");
                let affected = u32::try_from(number()).expect("packed from 32 bits");
                Receipt::accepted(sequence, affected, BaseLots::new(number()))
            } else {
                match RejectReason::from_code(u16::from(tag)) {
                    Some(reason) => Receipt::rejected(sequence, reason),
                    None => Receipt::accepted(sequence, 0, BaseLots::ZERO),
                }
            };
            outcomes.push(CommandOutcome::from(&receipt));
            sequence = sequence.next();
        }
    }
}

impl PackedOutcomes {
    /// Whether these bytes were packed: every tag is one, and every number ends and fits.
    fn is_whole(&self) -> bool {
        let mut bytes = self.bytes.iter().copied();
        while let Some(tag) = bytes.next() {
            let is_whole = match tag {
                0 => true,
                WITH_NUMBERS => {
                    let affected = next_number(&mut bytes);
                    let lots = next_number(&mut bytes);
                    affected.is_some_and(|it| u32::try_from(it).is_ok()) && lots.is_some()
                }
                reason => RejectReason::from_code(u16::from(reason)).is_some(),
            };
            if !is_whole {
                return false;
            }
        }
        true
    }
}

/// A packed number; `None` if it does not end or does not fit.
fn next_number(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = bytes.next()?;
        let part = u64::from(byte & 0x7f);
        number |= part << shift;
        if byte & 0x80 == 0 {
            return (number >> shift == part).then_some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use types::AccountId;

    use super::*;

    pub(super) const KEY: KeyId = KeyId::new(3);

    pub(super) fn frame(nonce: u64, first: u64, count: u16, verdict: FrameVerdict) -> FrameReceipt {
        FrameReceipt {
            account: AccountId::new(0),
            key: KEY,
            nonce: Nonce::new(nonce),
            first_sequence: SequenceNumber::new(first),
            count,
            verdict,
        }
    }

    pub(super) fn executed(book: &mut AnswerBook, nonce: u64, first: u64) {
        let receipt = Receipt::accepted(SequenceNumber::new(first), 0, BaseLots::ZERO);
        book.follow_frame(&frame(nonce, first, 1, FrameVerdict::Executed), &[receipt]);
    }

    pub(super) fn refused(book: &mut AnswerBook, nonce: u64, reason: RejectReason) {
        book.follow_frame(&frame(nonce, 0, 1, FrameVerdict::Refused(reason)), &[]);
    }

    fn first(book: &AnswerBook, nonce: u64) -> Option<u64> {
        let answer = book.answer(KEY, Nonce::new(nonce))?;
        answer.refused.is_none().then_some(())?;
        Some(answer.first_sequence.get())
    }

    #[test]
    fn a_block_is_followed_frame_by_frame() {
        let sequence = SequenceNumber::new;
        let receipts = vec![
            Receipt::accepted(sequence(1), 0, BaseLots::ZERO),
            Receipt::rejected(sequence(2), RejectReason::SelfTransfer),
            Receipt::accepted(sequence(3), u32::MAX, BaseLots::new(u64::MAX)),
            Receipt::accepted(sequence(4), 1, BaseLots::new(127)),
            Receipt::accepted(sequence(6), 2, BaseLots::new(128)),
        ];
        let repeated = FrameVerdict::Repeated {
            first_sequence: sequence(1),
        };
        let outcome = BlockOutcome {
            last_sequence: sequence(6),
            frames: vec![
                frame(1, 1, 4, FrameVerdict::Executed),
                frame(1, 5, 1, repeated),
                frame(2, 6, 1, FrameVerdict::Executed),
            ],
            receipts: receipts.clone(),
            ..BlockOutcome::default()
        };
        let mut book = AnswerBook::new();
        book.follow(&outcome);
        assert_eq!(book.last_sequence(), sequence(6));
        assert_eq!(book.next_nonce(KEY), Nonce::new(3));
        let mut outcomes = Vec::new();
        for (nonce, expected) in [(1, &receipts[..4]), (2, &receipts[4..])] {
            let answer = book.answer(KEY, Nonce::new(nonce)).unwrap();
            answer.outcomes(&mut outcomes);
            let expected: Vec<_> = expected.iter().map(CommandOutcome::from).collect();
            assert_eq!(outcomes, expected, "nonce {nonce}");
        }
    }

    #[test]
    fn the_last_window_of_nonces_is_known() {
        let mut book = AnswerBook::new();
        for nonce in 1..=NONCE_WINDOW + 10 {
            executed(&mut book, nonce, nonce * 2);
        }
        for nonce in 1..=NONCE_WINDOW + 11 {
            let known = (11..=NONCE_WINDOW + 10).contains(&nonce);
            assert_eq!(first(&book, nonce), known.then_some(nonce * 2), "{nonce}");
        }
        assert_eq!(first(&book, 0), None);
    }

    #[test]
    fn a_refusal_never_displaces_an_answer_that_may_be_repeated() {
        let mut book = AnswerBook::new();
        executed(&mut book, 5, 50);
        refused(&mut book, 5, RejectReason::NonceReused);
        refused(&mut book, 5 + NONCE_WINDOW, RejectReason::Expired);
        assert_eq!(first(&book, 5), Some(50));
        assert_eq!(book.next_nonce(KEY), Nonce::new(6));

        refused(&mut book, 6, RejectReason::Expired);
        let answer = book.answer(KEY, Nonce::new(6)).unwrap();
        assert_eq!(answer.refused, Some(RejectReason::Expired));
        executed(&mut book, 6, 60);
        assert_eq!(first(&book, 6), Some(60));
    }

    #[test]
    fn the_last_nonce_of_all_stops_nobody() {
        let mut book = AnswerBook::new();
        executed(&mut book, u64::MAX, 1);
        assert_eq!(book.next_nonce(KEY), Nonce::new(u64::MAX));
        assert_eq!(book.next_nonce(KeyId::new(9)), Nonce::new(1));
    }
}
