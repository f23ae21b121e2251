//! One client's record beside the journal.

use types::limits::NONCE_WINDOW;
use types::outcome::{FrameReceipt, FrameVerdict, Receipt};
use types::wire::Kind;
use types::wire::ack::{Ack, CommandOutcome, FillReport};
use types::wire::ended::EndedReport;
use types::wire::query::Reference;
use types::{AccountId, AssetId, KeyId, Nonce, SequenceNumber};

use super::funds::Movements;
use super::report::{Problems, Seen};
use crate::record::{BalancesRecord, ClientRecord, Messages, Reading, RecordError, Recorded};

/// Where the walk along one client's record is.
#[derive(Debug)]
pub(super) struct ClientCheck {
    record: ClientRecord,
    acks: Acks,
    fills: Reports<FillReport>,
    ended: Reports<EndedReport>,
    /// Frames that were refused before they were sequenced.
    refused: Nonces,
    /// The nonce of the last frame in the journal.
    last: Option<Nonce>,
    seen: Seen,
    /// How many the network has.
    assets: u16,
    /// Whether the balances before and after were compared with the ledger.
    compared: [bool; 2],
}

impl ClientCheck {
    pub(super) fn open(
        reading: &Reading,
        reference: &Reference,
        problems: &mut Problems,
    ) -> Result<Self, RecordError> {
        let mut check = Self {
            acks: Acks::new(reading.messages()?),
            fills: Reports::new(reading.messages()?),
            ended: Reports::new(reading.messages()?),
            refused: Nonces::new(reading.record.first_nonce),
            last: None,
            seen: Seen::default(),
            assets: u16::try_from(reference.assets.len()).expect("a genesis has few"),
            compared: [false; 2],
            record: reading.record.clone(),
        };
        check.read_through(reading, reference, problems)?;
        Ok(check)
    }

    pub(super) const fn key(&self) -> KeyId {
        KeyId::new(self.record.key)
    }

    pub(super) const fn account(&self) -> AccountId {
        AccountId::new(self.record.account)
    }

    /// A first pass: each frame has one answer, what was refused, and what its fills come to.
    fn read_through(
        &mut self,
        reading: &Reading,
        reference: &Reference,
        problems: &mut Problems,
    ) -> Result<(), RecordError> {
        let first = self.record.first_nonce;
        let end = self.next_nonce().unwrap_or(u64::MAX);
        // An answer has more than 16 bytes, and not more frames than these may be without one.
        let plausible = first..first.saturating_add(reading.length / 16 + 2 * NONCE_WINDOW);
        let mut answered = Nonces::new(first);
        let mut movements = Movements::new(reference);
        let mut messages = reading.messages()?;
        while messages.advance(&[Kind::Ack, Kind::Refused, Kind::Fills])? {
            let (nonce, is_refused) = match messages.current()? {
                Recorded::Ack(ack) => (ack.nonce, false),
                Recorded::Refused(nonce) => (nonce, true),
                Recorded::Fills(reports) => {
                    let added = reports.iter().try_for_each(|report| movements.add(report));
                    added.map_err(|why| reading.damaged(why))?;
                    continue;
                }
                Recorded::Ended(_) => continue,
            };
            if !plausible.contains(&nonce.get()) {
                return Err(reading.damaged(format!("nonce {nonce} cannot have been sent")));
            }
            if end <= nonce.get() || !answered.insert(nonce) {
                let name = &self.record.name;
                problems.add(format!(
                    "{name}: nonce {nonce} was answered twice, or never sent"
                ));
            } else if is_refused {
                self.refused.insert(nonce);
                self.seen.refused_frames += 1;
            } else {
                self.seen.answered_frames += 1;
            }
        }
        let answers = self.seen.refused_frames + self.seen.answered_frames;
        let sent = self.next_nonce().map_or(answers, |next| next - first);
        self.seen.unanswered_frames = sent.saturating_sub(answers);
        self.seen.is_whole = self.after().is_some();
        if let Some(after) = self.after() {
            let explained = movements.explain(&self.record, after, problems);
            explained.map_err(|why| reading.damaged(why))?;
        }
        Ok(())
    }

    /// A frame of this client's key in the journal.
    pub(super) fn frame(
        &mut self,
        frame: &FrameReceipt,
        receipts: &[Receipt],
        problems: &mut Problems,
    ) -> Result<(), RecordError> {
        let nonce = frame.nonce;
        if nonce.get() < self.record.first_nonce || self.is_over(frame.first_sequence) {
            return Ok(());
        }
        let name = &self.record.name;
        let at = frame.first_sequence;
        if self.last.is_some_and(|last| nonce <= last) {
            problems.add(format!(
                "{name}: nonce {nonce} is in the journal again, at {at}"
            ));
            return Ok(());
        }
        self.last = Some(nonce);
        while let Some((nonce, sequence)) = self.acks.next_before(nonce)? {
            problems.add(lost(name, nonce, sequence));
        }
        if let Some(ack) = self.acks.take(nonce)? {
            if let Some(why) = difference(&ack, frame, receipts) {
                problems.add(format!("{name}: nonce {nonce} at {at}: {why}"));
            }
            self.seen.commands += receipts.len() as u64;
        } else if self.refused.contains(nonce) {
            problems.add(format!(
                "{name}: nonce {nonce} was refused, and is in the journal at {at}"
            ));
        } else if self.next_nonce().is_some_and(|next| next <= nonce.get()) {
            problems.add(format!("{name}: nonce {nonce} at {at} was never sent"));
        } else {
            self.seen.unanswered_executed += 1;
        }
        Ok(())
    }

    /// An execution of an order of this account in the journal.
    pub(super) fn fill(
        &mut self,
        report: &FillReport,
        problems: &mut Problems,
    ) -> Result<(), RecordError> {
        if self.concerns(report.sequence()) {
            self.seen.fills += 1;
            let may_miss = !self.seen.is_whole;
            self.fills
                .expect(report, may_miss, &self.record.name, problems)?;
        }
        Ok(())
    }

    /// An end of an order of this account in the journal.
    pub(super) fn ended(
        &mut self,
        report: &EndedReport,
        problems: &mut Problems,
    ) -> Result<(), RecordError> {
        if self.concerns(report.sequence()) {
            self.seen.ended += 1;
            let may_miss = !self.seen.is_whole;
            self.ended
                .expect(report, may_miss, &self.record.name, problems)?;
        }
        Ok(())
    }

    /// A block has ended here: if the client was told its balances as of now, they are compared.
    pub(super) fn balances(
        &mut self,
        sequence: SequenceNumber,
        balance: &impl Fn(AccountId, AssetId) -> [u128; 2],
        problems: &mut Problems,
    ) {
        let account = self.account();
        for index in 0..2 {
            let told = match index {
                0 => Some(&self.record.before),
                _ => self.after(),
            };
            let Some(told) = told.filter(|told| told.sequence() == sequence) else {
                continue;
            };
            for asset in (0..self.assets).map(AssetId::new) {
                let (told, is) = (told.amounts(asset), balance(account, asset));
                if told != Some(is) {
                    problems.add(format!(
                        "{}: at {sequence} it was told {told:?} free and held of asset {asset}; the \
                         ledger has {is:?}",
                        self.record.name
                    ));
                }
            }
            self.compared[index] = true;
        }
    }

    /// The end of the journal: whatever was told beyond it was told wrongly.
    pub(super) fn finish(mut self, problems: &mut Problems) -> Result<Seen, RecordError> {
        let name = &self.record.name;
        while let Some((nonce, sequence)) = self.acks.next_before(Nonce::new(u64::MAX))? {
            problems.add(lost(name, nonce, sequence));
        }
        self.fills.finish(name, problems)?;
        self.ended.finish(name, problems)?;
        for (index, when) in ["before", "after"].into_iter().enumerate() {
            if !self.compared[index] && (index == 0 || self.seen.is_whole) {
                problems.add(format!(
                    "{name}: the balances {when} the run are of a sequence number at which no block \
                     of the journal ends"
                ));
            }
        }
        if self.record.end.is_none() {
            // Nobody has written down how many were sent; these were.
            self.seen.unanswered_frames = self.seen.unanswered_executed;
        } else if self.seen.unanswered_frames < self.seen.unanswered_executed {
            problems.add(format!("{name}: more frames were executed than sent"));
        }
        Ok(self.seen)
    }

    fn after(&self) -> Option<&BalancesRecord> {
        self.record.end.as_ref()?.after.as_ref()
    }

    fn next_nonce(&self) -> Option<u64> {
        self.record.end.as_ref().map(|end| end.next_nonce)
    }

    /// Whether this comes behind the record: another run may have used the same key.
    fn is_over(&self, sequence: SequenceNumber) -> bool {
        self.after()
            .is_some_and(|after| after.sequence() < sequence)
    }

    /// Whether this is between the balances before and after.
    fn concerns(&self, sequence: SequenceNumber) -> bool {
        self.record.before.sequence() < sequence && !self.is_over(sequence)
    }
}

fn lost(name: &str, nonce: Nonce, sequence: SequenceNumber) -> String {
    format!("{name}: nonce {nonce} was answered at {sequence} and is not in the journal")
}

/// What an answer says otherwise than the journal.
fn difference(ack: &Ack<'_>, frame: &FrameReceipt, receipts: &[Receipt]) -> Option<String> {
    let refused = match frame.verdict {
        FrameVerdict::Executed => None,
        FrameVerdict::Refused(reason) => Some(reason),
        FrameVerdict::Repeated { .. } => return Some("it was executed before".to_owned()),
    };
    if ack.first_sequence != frame.first_sequence {
        return Some(format!("it was answered at {}", ack.first_sequence));
    }
    if ack.refused != refused {
        let [told, is] = [ack.refused, refused].map(|reason| reason.map_or("none", |it| it.name()));
        return Some(format!("it was told the refusal {told}; it is {is}"));
    }
    if ack.repeated || ack.outcomes.len() != receipts.len() {
        let told = ack.outcomes.len();
        return Some(format!(
            "{} commands were executed; it was told of {told}",
            receipts.len()
        ));
    }
    let pairs = ack.outcomes.iter().zip(receipts);
    let mut others = pairs
        .enumerate()
        .filter(|(_, (told, is))| **told != CommandOutcome::from(*is));
    others.next().map(|(index, (told, is))| {
        format!(
            "command {index}: it was told {told:?}; it is {:?}",
            CommandOutcome::from(is)
        )
    })
}

/// The answers of a client, one ahead.
#[derive(Debug)]
struct Acks {
    messages: Messages,
    /// Whether the message that was read is still to be taken.
    is_ahead: bool,
}

impl Acks {
    const fn new(messages: Messages) -> Self {
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
    fn next_before(
        &mut self,
        nonce: Nonce,
    ) -> Result<Option<(Nonce, SequenceNumber)>, RecordError> {
        let next = self.peek()?.filter(|(next, _)| *next < nonce);
        self.is_ahead &= next.is_none();
        Ok(next)
    }

    /// Takes the next answer if it is of this nonce.
    fn take(&mut self, nonce: Nonce) -> Result<Option<Ack<'_>>, RecordError> {
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
struct Reports<Report> {
    messages: Messages,
    /// Those of the message that was read, from the last on.
    ahead: Vec<Report>,
}

/// A report of one kind.
trait Report: Copy + PartialEq + std::fmt::Debug {
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
    const fn new(messages: Messages) -> Self {
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
    fn expect(
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
    fn finish(&mut self, name: &str, problems: &mut Problems) -> Result<(), RecordError> {
        while let Some(told) = self.peek()? {
            self.ahead.pop();
            problems.add(format!("{name} was told what did not happen: {told:?}"));
        }
        Ok(())
    }
}

/// A set of nonces, a bit each.
#[derive(Debug)]
struct Nonces {
    first: u64,
    bits: Vec<u64>,
}

impl Nonces {
    const fn new(first: u64) -> Self {
        Self {
            first,
            bits: Vec::new(),
        }
    }

    /// Whether it was not there before.
    fn insert(&mut self, nonce: Nonce) -> bool {
        let (word, bit) = self.place(nonce);
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        is_new
    }

    fn contains(&self, nonce: Nonce) -> bool {
        let (word, bit) = self.place(nonce);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn place(&self, nonce: Nonce) -> (usize, u64) {
        let offset = nonce.get() - self.first;
        let word = usize::try_from(offset / 64).expect("nonces are within a record's length");
        (word, 1 << (offset % 64))
    }
}
