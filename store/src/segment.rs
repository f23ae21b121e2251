//! Names and lengths of segments, the files that a journal is made of.

use crate::format::PAGE;

/// Position of a segment in the journal, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(u64);

impl SegmentNumber {
    /// The first segment of every journal.
    pub const FIRST: Self = Self(1);

    const DIGITS: usize = 20;
    const EXTENSION: &str = ".keel";

    /// Wraps the number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The segment after this one. Panics at the end of the range.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// `00000000000000000001.keel`: zero-padded, so that names sort like numbers.
    pub fn file_name(self) -> String {
        format!("{self}{}", Self::EXTENSION)
    }

    /// The segment with this file name, if it is the name of one.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let digits = name.strip_suffix(Self::EXTENSION)?;
        let plain = digits.len() == Self::DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse().ok().map(Self))?
    }
}

impl std::fmt::Display for SegmentNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:0width$}", self.0, width = Self::DIGITS)
    }
}

/// Length of a segment file in bytes: whole pages, one for the header and at least one for records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentLength(u64);

impl SegmentLength {
    /// 64 MiB: a new segment about once a second at a million orders a second, and the unused rest
    /// is read at start-up in well under 100 ms.
    pub const DEFAULT: Self = Self(64 << 20);

    /// `None` unless it is a multiple of the page size and holds two pages.
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes.is_multiple_of(PAGE as u64) && 2 * PAGE as u64 <= bytes {
            Some(Self(bytes))
        } else {
            None
        }
    }

    /// The length in bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Bytes that an empty segment has for records.
    pub const fn room(self) -> u64 {
        self.0 - PAGE as u64
    }
}

impl Default for SegmentLength {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        for number in [1, 42, u64::MAX] {
            let number = SegmentNumber::new(number);
            assert_eq!(
                SegmentNumber::from_file_name(&number.file_name()),
                Some(number)
            );
        }
        for name in [
            "1.keel",
            "00000000000000000001.tmp",
            "+0000000000000000001.keel",
            "99999999999999999999.keel",
            "lock",
        ] {
            assert_eq!(SegmentNumber::from_file_name(name), None, "{name}");
        }
    }

    #[test]
    fn lengths_are_whole_pages() {
        for (bytes, legal) in [(0, false), (4_096, false), (8_192, true), (8_193, false)] {
            assert_eq!(SegmentLength::new(bytes).is_some(), legal, "{bytes}");
        }
        assert!(SegmentLength::new(SegmentLength::DEFAULT.get()).is_some());
    }
}
