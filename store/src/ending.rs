//! Where no good record follows: the next segment, a clean end, a torn tail, or rot.
//!
//! The rule is told in [`format`](crate::format), section "Tear or rot". This file only looks; what
//! to do about it is up to [`Recovery`](crate::Recovery) and its caller.

use std::path::PathBuf;

use types::Height;
use types::planted::{Bug, is_planted};

use crate::chain::Chain;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::format::{Identity, InstanceId, PAGE, RecordHeader, SegmentHeader, is_zero};
use crate::segment::SegmentNumber;
use crate::window::{HeaderPage, Window, split_header};

/// How a journal ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its last record; zeros follow.
    Clean,
    /// With what a crash left of a batch that was never durable.
    Torn(TornTail),
}

/// Bytes that are no records and were, as far as can be known, never durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub segment: SegmentNumber,
    /// Its file.
    pub file: PathBuf,
    /// Where the tail starts.
    pub offset: u64,
    /// Its length, to the end of the last page that is not zero.
    pub bytes: u64,
}

impl TornTail {
    /// The tail, seen by somebody who knows that this height was durable.
    pub(crate) fn denied(&self, height: Height) -> StoreError {
        StoreError::Corruption {
            file: self.file.clone(),
            offset: self.offset,
            what: format!(
                "no record is here, and it was durable: there is a checkpoint of height {height}"
            ),
        }
    }
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Damage {
    /// Which part of it.
    pub(crate) part: &'static str,
    /// How much of the file it takes, as far as is known; a page if its header is unreadable.
    pub(crate) length: u64,
}

/// What comes after the last good record of a segment.
#[derive(Debug)]
pub(crate) enum Sequel {
    /// The next segment, its header checked.
    Segment(Window),
    /// Nothing.
    End(Ending),
}

/// Decides what follows the last good record. `at` is the place that holds no good record, in its
/// window, and what is wrong there if it is not just zeros.
pub(crate) fn find_sequel(
    disk: &dyn Disk,
    owner: (Identity, InstanceId),
    chain: Chain,
    at: (&mut Window, u64, Option<Damage>),
    later: &[SegmentNumber],
) -> Result<Sequel, StoreError> {
    let (window, offset, damage) = at;
    let mut survey = Survey::new(owner.1, chain);
    let skip = damage.map_or(0, |damage| damage.length);
    survey.visit(window, offset, offset + skip)?;
    if let Some((next, others)) = later.split_first() {
        let mut next = Window::open(disk, *next)?;
        if let HeaderPage::Valid(header) = next.header_page()? {
            check_owner(&next, &header, owner)?;
            return enter(window, offset, &survey, chain, (next, &header));
        }
        survey.visit(&mut next, 0, 0)?;
        for number in others {
            survey.visit(&mut Window::open(disk, *number)?, 0, 0)?;
        }
    }
    conclude(disk, window, offset, damage, &survey)
}

/// A begun segment follows, so the one before it ended at `offset`, durably.
fn enter(
    window: &Window,
    offset: u64,
    survey: &Survey,
    chain: Chain,
    next: (Window, &SegmentHeader),
) -> Result<Sequel, StoreError> {
    if let Some(what) = chain.mismatch(next.1) {
        return Err(window.corruption(offset, what));
    }
    if let Some((_, nonzero)) = survey.first_nonzero {
        return Err(window.corruption(nonzero, "the unused rest of a full segment is not zero"));
    }
    Ok(Sequel::Segment(next.0))
}

/// A header whose checksum holds was written on purpose. If it belongs elsewhere, no crash put it
/// here.
fn check_owner(
    window: &Window,
    header: &SegmentHeader,
    owner: (Identity, InstanceId),
) -> Result<(), StoreError> {
    if (header.identity, header.instance) != owner {
        let what = format!("a segment of another instance, {}", header.instance);
        return Err(window.corruption(0, what));
    }
    if header.segment != window.number() || header.length != window.length() {
        let what = format!("the header is that of segment {}", header.segment.get());
        return Err(window.corruption(0, what));
    }
    Ok(())
}

/// No begun segment follows: the journal ends here, unless there is proof that it went on.
fn conclude(
    disk: &dyn Disk,
    window: &Window,
    offset: u64,
    damage: Option<Damage>,
    survey: &Survey,
) -> Result<Sequel, StoreError> {
    let (Some(first), Some(last)) = (survey.first_nonzero, survey.last_nonzero) else {
        return Ok(Sequel::End(Ending::Clean));
    };
    // If all is zero up to the end of the segment, what is wrong begins with the next one.
    let next = window.number().next();
    let (segment, start) = if first.0 == window.number() {
        (first.0, offset)
    } else {
        (next, 0)
    };
    let file = disk.path(&segment.file_name());
    let part = match damage {
        Some(damage) => format!("the record's {} is damaged", damage.part),
        None if segment == next => "the segment header is damaged or gone".to_owned(),
        None => "a record is gone".to_owned(),
    };
    let proof = if let Some(witness) = &survey.witness {
        Some(witness.clone())
    } else if first.0 != segment || last.0 != segment {
        let place = last.0.file_name();
        Some(format!(
            "there are bytes as far as {place}, where only a durable batch leads"
        ))
    } else {
        None
    };
    if let Some(proof) = proof.filter(|_| !is_planted(Bug::DurableRecordsCut)) {
        let height = survey.chain.next_height;
        return Err(StoreError::Corruption {
            file,
            offset: start,
            what: format!("{part} where height {height} belongs, and {proof}"),
        });
    }
    Ok(Sequel::End(Ending::Torn(TornTail {
        segment,
        file,
        offset: start,
        bytes: last.1 + PAGE as u64 - start,
    })))
}

/// What lies beyond the last good record.
struct Survey {
    instance: InstanceId,
    chain: Chain,
    /// Segment and offset of the first page that is not zero.
    first_nonzero: Option<(SegmentNumber, u64)>,
    last_nonzero: Option<(SegmentNumber, u64)>,
    /// The first proof that the missing record was durable, in words.
    witness: Option<String>,
}

impl Survey {
    fn new(instance: InstanceId, chain: Chain) -> Self {
        Self {
            instance,
            chain,
            first_nonzero: None,
            last_nonzero: None,
            witness: None,
        }
    }

    /// Looks at all pages of a segment from `from`; takes those from `headers_from` as possible
    /// headers. What is before that is the payload of a record, and says nothing by itself.
    fn visit(
        &mut self,
        window: &mut Window,
        from: u64,
        headers_from: u64,
    ) -> Result<(), StoreError> {
        let number = window.number();
        for offset in (from..window.length()).step_by(PAGE) {
            let page = window.bytes(offset, PAGE as u64)?;
            if is_zero(page) {
                continue;
            }
            self.first_nonzero.get_or_insert((number, offset));
            self.last_nonzero = Some((number, offset));
            if self.witness.is_none() {
                self.witness = self.astray(number, offset, page);
            }
            if headers_from <= offset && self.witness.is_none() {
                let same_segment = 0 < from;
                self.witness = self.testimony(number, offset, page, same_segment);
            }
        }
        Ok(())
    }

    /// A header of this instance was written on purpose, and only there where it says. Looked for
    /// in payloads too: no payload holds one, unless a write went astray.
    fn astray(&self, segment: SegmentNumber, offset: u64, page: &[u8]) -> Option<String> {
        let (bytes, _) = split_header(page);
        let ours = |instance| instance == self.instance;
        let named = if let Ok(header) = SegmentHeader::decode(bytes) {
            ours(header.instance).then_some((header.segment, 0))?
        } else {
            let header = RecordHeader::decode(bytes).ok()?;
            ours(header.instance).then_some((header.segment, header.offset))?
        };
        (named != (segment, offset)).then(|| {
            let (file, number, named) = (segment.file_name(), named.0.get(), named.1);
            format!("the header of segment {number}, offset {named} is at {file}:{offset}, where no crash puts it")
        })
    }

    /// What a header proves about the missing record, if it is where it says.
    fn testimony(
        &self,
        segment: SegmentNumber,
        offset: u64,
        page: &[u8],
        same_segment: bool,
    ) -> Option<String> {
        let missing = self.chain.next_height;
        let (bytes, _) = split_header(page);
        let file = segment.file_name();
        if let Ok(header) = SegmentHeader::decode(bytes) {
            let first = header.first_height;
            let later = header.instance == self.instance && missing < first;
            return later.then(|| format!("it was durable: {file} begins with height {first}"));
        }
        let header = RecordHeader::decode(bytes).ok()?;
        if header.instance != self.instance {
            return None;
        }
        if missing <= header.durable_upto {
            return Some(format!(
                "it was durable: height {} at {file}:{offset} was written after the sync of height {}",
                header.height, header.durable_upto
            ));
        }
        let lowest = if same_segment {
            missing.next()
        } else {
            missing
        };
        (header.height < lowest).then(|| {
            format!(
                "height {} at {file}:{offset} cannot come after it",
                header.height
            )
        })
    }
}
