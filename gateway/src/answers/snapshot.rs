//! The last answers as they lie in a checkpoint, so that a frame that is repeated after a restart
//! still gets its first answer.
//!
//! Little-endian, one after the other: the last sequence number u64; the number of keys u32; then
//! per key its id u32, its highest executed nonce u64, the number of its answers u32, and per answer
//! nonce u64, first sequence number u64, reason of a refusal u16 (0: none), length u32, and so many
//! bytes of packed outcomes. Keys and answers ascend by key and by slot.

use types::planted::{Bug, is_planted};
use types::{KeyId, Nonce, RejectReason, SequenceNumber};

use super::{AnswerBook, KeyAnswers, PackedOutcomes, slot_index};

/// Bytes are not the answers that some book wrote down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of answers")]
pub struct NotAnswers;

impl AnswerBook {
    /// Appends all answers.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.last_sequence.get().to_le_bytes());
        let keys = self.keys.iter().zip(0u32..);
        let keys =
            keys.filter(|(answers, _)| answers.is_used() && !is_planted(Bug::AnswersMissing));
        bytes.extend_from_slice(&(keys.clone().count() as u32).to_le_bytes());
        for (answers, key) in keys {
            bytes.extend_from_slice(&key.to_le_bytes());
            bytes.extend_from_slice(&answers.highest.get().to_le_bytes());
            let slots = answers.slots.iter();
            let slots = slots.filter_map(|slot| Some((slot, slot.outcomes.as_ref()?)));
            bytes.extend_from_slice(&(slots.clone().count() as u32).to_le_bytes());
            for (slot, outcomes) in slots {
                bytes.extend_from_slice(&slot.nonce.get().to_le_bytes());
                bytes.extend_from_slice(&slot.first_sequence.get().to_le_bytes());
                let reason = slot.refused.map_or(0, RejectReason::code);
                bytes.extend_from_slice(&reason.to_le_bytes());
                bytes.extend_from_slice(&(outcomes.bytes.len() as u32).to_le_bytes());
                bytes.extend_from_slice(&outcomes.bytes);
            }
        }
    }

    /// Reads answers. Total: any bytes give answers or an error. `keys` bounds the ids.
    pub fn decode(bytes: &[u8], keys: u32) -> Result<Self, NotAnswers> {
        let mut rest = Rest(bytes);
        let mut book = Self {
            last_sequence: SequenceNumber::new(rest.u64()?),
            ..Self::default()
        };
        for _ in 0..rest.u32()? {
            let key = rest.u32()?;
            let is_next = book.keys.len() <= key as usize && key < keys;
            is_next.then_some(()).ok_or(NotAnswers)?;
            let key = KeyId::new(key).index();
            book.keys.resize_with(key + 1, KeyAnswers::default);
            read_key(&mut rest, &mut book.keys[key])?;
        }
        rest.0.is_empty().then_some(book).ok_or(NotAnswers)
    }
}

impl KeyAnswers {
    fn is_used(&self) -> bool {
        !self.slots.is_empty()
    }
}

fn read_key(rest: &mut Rest<'_>, answers: &mut KeyAnswers) -> Result<(), NotAnswers> {
    answers.highest = Nonce::new(rest.u64()?);
    for _ in 0..rest.u32()? {
        let nonce = Nonce::new(rest.u64()?);
        let is_next = answers.slots.len() <= slot_index(nonce);
        is_next.then_some(()).ok_or(NotAnswers)?;
        let slot = answers.slot_mut(nonce);
        slot.nonce = nonce;
        slot.first_sequence = SequenceNumber::new(rest.u64()?);
        slot.refused = match rest.u16()? {
            0 => None,
            code => Some(RejectReason::from_code(code).ok_or(NotAnswers)?),
        };
        let length = rest.u32()?;
        let outcomes = PackedOutcomes {
            bytes: rest.take(length as usize)?.to_vec(),
        };
        outcomes.is_whole().then_some(()).ok_or(NotAnswers)?;
        slot.outcomes = Some(outcomes);
    }
    Ok(())
}

/// Bytes that were not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], NotAnswers> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(NotAnswers)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NotAnswers> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(NotAnswers)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u64(&mut self) -> Result<u64, NotAnswers> {
        self.array().map(u64::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, NotAnswers> {
        self.array().map(u32::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, NotAnswers> {
        self.array().map(u16::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use types::BaseLots;
    use types::outcome::Receipt;

    use super::super::tests::{KEY, executed, frame, refused};
    use super::*;
    use types::outcome::FrameVerdict;

    fn book() -> AnswerBook {
        let mut book = AnswerBook::new();
        for nonce in [1, 7, 1_024, 2_000] {
            executed(&mut book, nonce, nonce * 2);
        }
        refused(&mut book, 2_001, RejectReason::Expired);
        let receipts = [
            Receipt::accepted(SequenceNumber::new(9), u32::MAX, BaseLots::new(u64::MAX)),
            Receipt::rejected(SequenceNumber::new(10), RejectReason::SelfTransfer),
        ];
        let mut other = frame(4, 9, 2, FrameVerdict::Executed);
        other.key = KeyId::new(9);
        book.follow_frame(&other, &receipts);
        book.advance(SequenceNumber::new(4_000));
        book
    }

    fn encoded(book: &AnswerBook) -> Vec<u8> {
        let mut bytes = Vec::new();
        book.encode(&mut bytes);
        bytes
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let book = book();
        let bytes = encoded(&book);
        let read = AnswerBook::decode(&bytes, 10).unwrap();
        assert_eq!(encoded(&read), bytes);
        assert_eq!(read.last_sequence(), book.last_sequence());
        for key in [KEY, KeyId::new(9), KeyId::new(5)] {
            assert_eq!(read.next_nonce(key), book.next_nonce(key));
            for nonce in 0..3_000 {
                let answers = [&book, &read].map(|book| {
                    let answer = book.answer(key, Nonce::new(nonce))?;
                    let mut outcomes = Vec::new();
                    answer.outcomes(&mut outcomes);
                    Some((answer.first_sequence, answer.refused, outcomes))
                });
                assert_eq!(answers[0], answers[1], "key {key}, nonce {nonce}");
            }
        }
        assert_eq!(AnswerBook::decode(&bytes, 9).err(), Some(NotAnswers));
    }

    #[test]
    fn other_bytes_are_refused_or_read_and_never_a_panic() {
        let bytes = encoded(&book());
        for length in 0..bytes.len() {
            let cut = AnswerBook::decode(&bytes[..length], 10);
            assert_eq!(cut.err(), Some(NotAnswers), "{length} bytes");
        }
        let mut outcomes = Vec::new();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let Ok(book) = AnswerBook::decode(&damaged, 10) else {
                continue;
            };
            for nonce in (0..2_100).map(Nonce::new) {
                if let Some(answer) = book.answer(KEY, nonce) {
                    answer.outcomes(&mut outcomes);
                }
            }
        }
    }
}
