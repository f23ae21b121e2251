//! What lies in section 1 of a checkpoint: parts with a tag, one after the other.
//!
//! Each part is its tag u32, four zero bytes, its length u64, so many bytes, and zeros up to the next
//! multiple of 16; tags ascend. What a part's bytes mean is known where it was made. In version 1 of
//! the format the section is the answers and nothing else.

use crate::aligned::AlignedBuffer;

/// The first version whose section 1 has parts.
const FIRST_WITH_PARTS: u32 = 2;
const HEAD: usize = 16;
const ALIGNMENT: usize = 16;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Tag {
    /// The last answers per key: `gateway/src/answers/snapshot.rs`.
    Answers = 1,
    /// Where the feeds stand: `engine/src/feeds/positions.rs`.
    Feeds = 2,
    /// Keys, policies and what they have done: `engine/src/snapshot/sessions.rs`.
    Sessions = 3,
    /// Whether the exchange is open: `engine/src/snapshot/restore.rs`.
    Phase = 4,
    /// What has crossed the edge of the ledger, agents and timers: `engine/src/snapshot/edge.rs`.
    Edge = 5,
}

/// The parts of a section, to be read.
#[derive(Debug, Default)]
pub struct Parts<'a> {
    found: Vec<(u32, &'a [u8])>,
}

/// A section is not a list of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its second section is not a list of parts")]
pub struct NotParts;

impl Tag {
    /// All of them.
    const ALL: [Self; 5] = [
        Self::Answers,
        Self::Feeds,
        Self::Sessions,
        Self::Phase,
        Self::Edge,
    ];

    /// The first version of the format that has it.
    const fn since(self) -> u32 {
        match self {
            Self::Answers | Self::Feeds | Self::Sessions => FIRST_WITH_PARTS,
            Self::Phase => 3,
            Self::Edge => 4,
        }
    }
}

impl<'a> Parts<'a> {
    /// Reads a section of a checkpoint of this version. Total: any bytes give parts or an error.
    pub fn read(version: u32, section: &'a [u8]) -> Result<Self, NotParts> {
        let mut parts = Self::default();
        if version < FIRST_WITH_PARTS {
            parts.found.push((Tag::Answers as u32, section));
            return Ok(parts);
        }
        let mut rest = section;
        while !rest.is_empty() {
            let (tag, part, behind) = split_part(rest).ok_or(NotParts)?;
            let known = Tag::ALL.iter().filter(|known| known.since() <= version);
            let is_known = { known }.any(|known| *known as u32 == tag);
            let is_next = parts.found.last().is_none_or(|(last, _)| *last < tag);
            (is_known && is_next).then_some(()).ok_or(NotParts)?;
            parts.found.push((tag, part));
            rest = behind;
        }
        Ok(parts)
    }

    /// The part with this tag, if it is there.
    pub fn part(&self, tag: Tag) -> Option<&'a [u8]> {
        let found = self.found.iter().find(|(found, _)| *found == tag as u32);
        found.map(|(_, part)| *part)
    }
}

/// Appends a part to a section. Tags must ascend.
pub fn append_part(section: &mut AlignedBuffer, tag: Tag, part: &[u8]) {
    section.extend_from_slice(&(tag as u64).to_le_bytes());
    section.extend_from_slice(&(part.len() as u64).to_le_bytes());
    section.extend_from_slice(part);
    let padding = part.len().next_multiple_of(ALIGNMENT) - part.len();
    section.extend_from_slice(&[0; ALIGNMENT][..padding]);
}

fn split_part(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let [tag, reserved, ..] = head.as_chunks::<4>().0 else {
        return None;
    };
    let length = u64::from_le_bytes(*head.last_chunk::<8>()?);
    let length = usize::try_from(length).ok()?;
    let (part, rest) = rest.split_at_checked(length)?;
    let padding = length.checked_next_multiple_of(ALIGNMENT)? - length;
    let (padding, rest) = rest.split_at_checked(padding)?;
    let is_zero = *reserved == [0; 4] && padding.iter().all(|byte| *byte == 0);
    is_zero.then_some((u32::from_le_bytes(*tag), part, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(parts: &[(Tag, &[u8])]) -> Vec<u8> {
        let mut section = AlignedBuffer::with_capacity(0);
        for (tag, part) in parts {
            append_part(&mut section, *tag, part);
        }
        section.bytes().to_vec()
    }

    #[test]
    fn parts_survive_their_section() {
        for (answers, feeds) in [(0, 0), (1, 16), (15, 17), (32, 1)] {
            let (answers, feeds) = (vec![1; answers], vec![2; feeds]);
            let section = section(&[(Tag::Answers, &answers), (Tag::Feeds, &feeds)]);
            assert!(section.len().is_multiple_of(ALIGNMENT));
            let parts = Parts::read(2, &section).unwrap();
            assert_eq!(parts.part(Tag::Answers), Some(&*answers));
            assert_eq!(parts.part(Tag::Feeds), Some(&*feeds));
        }
        let section = section(&[(Tag::Feeds, &[3])]);
        let parts = Parts::read(2, &section).unwrap();
        assert_eq!(parts.part(Tag::Answers), None);
        assert_eq!(parts.part(Tag::Feeds), Some(&[3][..]));
    }

    #[test]
    fn in_version_1_the_section_is_the_answers() {
        let parts = Parts::read(1, &[7, 8]).unwrap();
        assert_eq!(parts.part(Tag::Answers), Some(&[7, 8][..]));
        assert_eq!(parts.part(Tag::Feeds), None);
    }

    #[test]
    fn a_part_is_of_its_version_and_later_ones() {
        let section = section(&[(Tag::Sessions, &[1]), (Tag::Phase, &[1])]);
        assert_eq!(Parts::read(2, &section).err(), Some(NotParts));
        let parts = Parts::read(3, &section).unwrap();
        assert_eq!(parts.part(Tag::Phase), Some(&[1][..]));
    }

    #[test]
    fn the_layout_is_frozen() {
        let mut expected = vec![1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9];
        expected.extend([0; 13]);
        assert_eq!(section(&[(Tag::Answers, &[9; 3])]), expected);
    }

    #[test]
    fn other_bytes_are_refused() {
        let good = section(&[(Tag::Answers, &[1; 3]), (Tag::Feeds, &[2; 4])]);
        let check = |bytes: &[u8], what: &str| {
            assert_eq!(Parts::read(3, bytes).err(), Some(NotParts), "{what}");
        };
        for (at, value, what) in [
            (0, 2, "the same tag twice"),
            (0, 9, "no such tag"),
            (4, 1, "reserved"),
            (8, 17, "another length"),
            (15, 255, "a length beyond all memory"),
            (19, 1, "padding"),
        ] {
            let mut bytes = good.clone();
            bytes[at] = value;
            check(&bytes, what);
        }
        check(&good[..good.len() - 1], "cut");
        check(&good[..40], "a cut head");
    }
}
