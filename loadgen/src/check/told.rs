//! What a client was told, read message by message: answers by nonce, reports in order, and sets of
//! nonces.

use types::wire::Kind;
use types::wire::ack::{Ack, FillReport};
use types::wire::ended::EndedReport;
use types::{Nonce, SequenceNumber};

use super::report::Problems;
use crate::record::{Messages, RecordError, Recorded};

/// The answers of a client, one ahead.
#[derive(Debug)]
pub(super) struct Acks {
    messages: Messages,
    /// Whether the message that was read is still to be taken.
    is_ahead: bool,
}

impl Acks {
    pub(super) const fn new(messages: Messages) -> Self {
        Self {
            messages,
            is_ahead: false,
        }
    }

    /// Nonce and sequence number of the next answer.
    fn peek(&mut self) -> Result<Option<(Nonce, SequenceNumber)>, RecordError> {
        if !self.is_ahead {
            self.is_ahead = self.messages.advance(&[Kind::Ack])?;
        }
        Ok(match self.is_ahead {
            true => Some(self.current()?).map(|ack| (ack.nonce, ack.first_sequence)),
            false => None,
        })
    }

    /// Takes the next answer if its nonce is below this one.
    pub(super) fn next_before(
        &mut self,
        nonce: Nonce,
    ) -> Result<Option<(Nonce, SequenceNumber)>, RecordError> {
        let next = self.peek()?.filter(|(next, _)| *next < nonce);
        self.is_ahead &= next.is_none();
        Ok(next)
    }

    /// Takes the next answer if it is of this nonce.
    pub(super) fn take(&mut self, nonce: Nonce) -> Result<Option<Ack<'_>>, RecordError> {
        if self.peek()?.is_none_or(|(next, _)| next != nonce) {
            return Ok(None);
        }
        self.is_ahead = false;
        self.current().map(Some)
    }

    fn current(&self) -> Result<Ack<'_>, RecordError> {
        match self.messages.current()? {
            Recorded::Ack(ack) => Ok(ack),
            other => unreachable!("only acks are asked for: {other:?}"),
        }
    }
}

/// What a client is told beside answers, one ahead.
#[derive(Debug)]
pub(super) struct Reports<Report> {
    messages: Messages,
    /// Those of the message that was read, from the last on.
    ahead: Vec<Report>,
}

/// A report of one kind.
pub(super) trait Report: Copy + PartialEq + std::fmt::Debug {
    const KIND: Kind;

    fn sequence(&self) -> SequenceNumber;

    /// Those of a message of this kind.
    fn of<'a>(message: &Recorded<'a>) -> &'a [Self];
}

impl Report for FillReport {
    const KIND: Kind = Kind::Fills;

    fn sequence(&self) -> SequenceNumber {
        self.sequence()
    }

    fn of<'a>(message: &Recorded<'a>) -> &'a [Self] {
        match message {
            Recorded::Fills(reports) => reports,
            _ => &[],
        }
    }
}

impl Report for EndedReport {
    const KIND: Kind = Kind::Ended;

    fn sequence(&self) -> SequenceNumber {
        self.sequence()
    }

    fn of<'a>(message: &Recorded<'a>) -> &'a [Self] {
        match message {
            Recorded::Ended(reports) => reports,
            _ => &[],
        }
    }
}

impl<R: Report> Reports<R> {
    pub(super) const fn new(messages: Messages) -> Self {
        Self {
            messages,
            ahead: Vec::new(),
        }
    }

    fn peek(&mut self) -> Result<Option<R>, RecordError> {
        while self.ahead.is_empty() && self.messages.advance(&[R::KIND])? {
            let message = self.messages.current()?;
            self.ahead.extend(R::of(&message).iter().rev());
        }
        Ok(self.ahead.last().copied())
    }

    /// The journal has this one: it must be the next that was told. Whoever `may_miss_the_last` need
    /// not have been told what comes behind all that he was.
    pub(super) fn expect(
        &mut self,
        is: &R,
        may_miss_the_last: bool,
        name: &str,
        problems: &mut Problems,
    ) -> Result<(), RecordError> {
        loop {
            match self.peek()? {
                None if may_miss_the_last => return Ok(()),
                Some(told) if told == *is => {}
                Some(told) if told.sequence() < is.sequence() => {
                    self.ahead.pop();
                    problems.add(format!("{name} was told what did not happen: {told:?}"));
                    continue;
                }
                Some(told) if told.sequence() == is.sequence() => {
                    problems.add(format!("{name} was told {told:?}; it is {is:?}"));
                }
                None | Some(_) => {
                    problems.add(format!("{name} was not told {is:?}"));
                    return Ok(());
                }
            }
            self.ahead.pop();
            return Ok(());
        }
    }

    /// The journal has no more.
    pub(super) fn finish(
        &mut self,
        name: &str,
        problems: &mut Problems,
    ) -> Result<(), RecordError> {
        while let Some(told) = self.peek()? {
            self.ahead.pop();
            problems.add(format!("{name} was told what did not happen: {told:?}"));
        }
        Ok(())
    }
}

/// A set of nonces, a bit each.
#[derive(Debug)]
pub(super) struct Nonces {
    first: u64,
    bits: Vec<u64>,
}

impl Nonces {
    pub(super) const fn new(first: u64) -> Self {
        Self {
            first,
            bits: Vec::new(),
        }
    }

    /// Whether it was not there before.
    pub(super) fn insert(&mut self, nonce: Nonce) -> bool {
        let (word, bit) = self.place(nonce);
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        is_new
    }

    pub(super) fn contains(&self, nonce: Nonce) -> bool {
        let (word, bit) = self.place(nonce);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn place(&self, nonce: Nonce) -> (usize, u64) {
        let offset = nonce.get() - self.first;
        let word = usize::try_from(offset / 64).expect("nonces are within a record's length");
        (word, 1 << (offset % 64))
    }
}
