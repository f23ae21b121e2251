//! Where reading a journal starts: at its front, or in the segment that leads on from a checkpoint.

use types::outcome::Digest;
use types::{Height, SequenceNumber};

use crate::chain::Chain;
use crate::disk::Disk;
use crate::error::{Context, StoreError};
use crate::format::{InstanceId, SegmentHeader};
use crate::segment::SegmentNumber;
use crate::window::{HeaderPage, Window};

/// A record that is known from a checkpoint; reading goes on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// The journal's instance.
    pub instance: InstanceId,
    /// The record's height.
    pub height: Height,
    /// Its last sequence number.
    pub sequence: SequenceNumber,
    /// Its hash.
    pub record_hash: Digest,
}

impl After {
    /// How the record of this height differs from the known one, if it does.
    pub(crate) fn mismatch(
        &self,
        record_hash: Digest,
        sequence: SequenceNumber,
    ) -> Option<&'static str> {
        if record_hash != self.record_hash {
            Some("it holds another record of that height")
        } else if sequence != self.sequence {
            Some("it holds another sequence number at that height")
        } else {
            None
        }
    }
}

/// Where to start.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    /// With the first record of all.
    Genesis,
    /// With the first record that is there.
    FirstSegment,
    /// After this one.
    After(&'a After),
}

/// All segments in order. Numbers are consecutive, or one is missing.
pub(crate) fn segments(disk: &dyn Disk) -> Result<Vec<SegmentNumber>, StoreError> {
    let names = disk.names().context("list", &disk.directory())?;
    let mut numbers: Vec<_> = names
        .iter()
        .filter_map(|name| SegmentNumber::from_file_name(name))
        .collect();
    numbers.sort_unstable();
    for pair in numbers.windows(2) {
        let expected = pair[0].next();
        if pair[1] != expected {
            let what = format!("the segment is missing, {} is there", pair[1].file_name());
            return Err(missing(disk, expected, what));
        }
    }
    Ok(numbers)
}

/// Opens the segment in which reading starts; with it, its header and the segments after it.
pub(crate) fn open_first(
    disk: &dyn Disk,
    start: Start<'_>,
) -> Result<(Window, SegmentHeader, Vec<SegmentNumber>), StoreError> {
    let mut numbers = segments(disk)?;
    let Some(first) = numbers.first().copied() else {
        let directory = disk.directory();
        return Err(match start {
            Start::After(after) => StoreError::RolledBack {
                directory,
                height: after.height,
                what: "it is gone".to_owned(),
            },
            Start::Genesis | Start::FirstSegment => StoreError::NoJournal { directory },
        });
    };
    if first != SegmentNumber::FIRST && matches!(start, Start::Genesis) {
        let what = format!("the segment is missing, {} is there", first.file_name());
        return Err(missing(disk, SegmentNumber::FIRST, what));
    }
    if let Start::After(after) = start {
        return open_before(disk, &numbers, after);
    }
    let (window, header) = open_begun(disk, first)?;
    Ok((window, header, numbers.split_off(1)))
}

/// The last segment that begins at or before the height after the checkpoint. Searched from the
/// end, where a checkpoint usually leads. What is not begun or damaged is passed over here: it is
/// judged when reading gets there.
fn open_before(
    disk: &dyn Disk,
    numbers: &[SegmentNumber],
    after: &After,
) -> Result<(Window, SegmentHeader, Vec<SegmentNumber>), StoreError> {
    for (index, number) in numbers.iter().enumerate().skip(1).rev() {
        let mut window = Window::open(disk, *number)?;
        if let HeaderPage::Valid(header) = window.header_page()?
            && leads_on(&header, after)
        {
            return Ok((window, header, numbers[index + 1..].to_vec()));
        }
    }
    let (window, header) = open_begun(disk, numbers[0])?;
    if !leads_on(&header, after) {
        let what = format!(
            "the segment is missing: {} begins with height {}, and the checkpoint ends with {}",
            numbers[0].file_name(),
            header.first_height,
            after.height
        );
        let number = SegmentNumber::new(numbers[0].get().saturating_sub(1));
        return Err(missing(disk, number, what));
    }
    Ok((window, header, numbers[1..].to_vec()))
}

/// Whether the record after the checkpoint is in this segment or later.
const fn leads_on(header: &SegmentHeader, after: &After) -> bool {
    header.first_height.get() <= after.height.get().saturating_add(1)
}

/// Opens a segment whose header must be there.
fn open_begun(
    disk: &dyn Disk,
    number: SegmentNumber,
) -> Result<(Window, SegmentHeader), StoreError> {
    let mut window = Window::open(disk, number)?;
    match window.header_page()? {
        HeaderPage::Valid(header) => Ok((window, header)),
        HeaderPage::Blank => Err(window.corruption(0, "the segment header is gone")),
        HeaderPage::Damaged => Err(window.corruption(0, "the segment header is damaged")),
    }
}

/// The chain at the start of the first segment that is read. Its header is believed about what came
/// before, if it is not the first of all.
pub(crate) fn check_first(window: &Window, header: &SegmentHeader) -> Result<Chain, StoreError> {
    let chain = match window.number() {
        SegmentNumber::FIRST => Chain::START,
        _ => Chain {
            next_height: header.first_height,
            next_sequence: header.first_sequence,
            previous_hash: header.previous_hash,
        },
    };
    let misplaced = header.segment != window.number() || header.length != window.length();
    let before_all = chain.next_height < Chain::START.next_height
        || chain.next_sequence < Chain::START.next_sequence;
    let wrong = if misplaced {
        Some("the header is that of another segment".to_owned())
    } else if before_all {
        Some("the segment header is not legal".to_owned())
    } else {
        chain.mismatch(header)
    };
    wrong.map_or(Ok(chain), |what| Err(window.corruption(0, what)))
}

fn missing(disk: &dyn Disk, number: SegmentNumber, what: String) -> StoreError {
    StoreError::Corruption {
        file: disk.path(&number.file_name()),
        offset: 0,
        what,
    }
}
