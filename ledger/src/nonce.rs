//! Each key uses each nonce for one frame: a sliding window, as IPsec has it against replay.
//!
//! The window decides the [`NONCE_WINDOW`] nonces from its base, in any order. A nonce above the
//! window slides it up until that nonce is its highest; what falls out below can never be used
//! again. So a client may have as many frames under way as the window is wide, and the state per
//! key stays bounded.
//!
//! Which nonces are legal: every u64 from 0 to [`NONCE_MAX`]; they need not start anywhere nor be
//! consecutive. Above the maximum the answer is [`NonceCheck::TooHigh`], whatever was used before,
//! and the window never moves there, so base + width cannot wrap. A client that jumps to the
//! maximum has used up its key: only the nonces just below remain.
//!
//! For every used nonce in the window we keep the first 8 bytes of the frame's digest and its first
//! sequence number, so that the same bytes sent again find their first answer. Two frames of one
//! key with one nonce and one fingerprint would need a 64-bit collision made by the key's own
//! owner, and would win him an old answer of his own.

use types::limits::{NONCE_MAX, NONCE_WINDOW};
use types::outcome::Digest;
use types::{AccountId, KeyId, Nonce, SequenceNumber};

use crate::Ledger;

/// What may become of a frame with this nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceCheck {
    /// Never used: the frame may execute.
    Fresh,
    /// Used for the same bytes, and the first answer holds.
    Repeated {
        /// The sequence number that the frame's first command had then.
        first_sequence: SequenceNumber,
    },
    /// Used for other bytes.
    Reused,
    /// Below the window: whether it was used is no longer known, so it may not be.
    TooOld,
    /// Above the highest legal nonce.
    TooHigh,
}

/// The nonces that one key has used lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonceWindow {
    /// The lowest nonce that is still decided.
    base: u64,
    /// One bit per nonce of the window, at nonce modulo width, so that sliding clears but moves
    /// nothing.
    used: [u64; WORDS],
    /// What each used nonce was used for, at the same place; stale where the bit is clear.
    uses: Box<[Use]>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Use {
    fingerprint: u64,
    first_sequence: SequenceNumber,
}

const WORDS: usize = (NONCE_WINDOW / 64) as usize;

impl NonceWindow {
    fn new() -> Self {
        Self::at(Nonce::ZERO)
    }

    /// A window that begins here, with no nonce used.
    pub(crate) fn at(base: Nonce) -> Self {
        Self {
            base: base.get(),
            used: [0; WORDS],
            uses: vec![Use::default(); NONCE_WINDOW as usize].into_boxed_slice(),
        }
    }

    /// The lowest nonce that is still decided; all below are too old.
    pub const fn base(&self) -> Nonce {
        Nonce::new(self.base)
    }

    /// Which nonces of the window are used: bit `b` of word `w` is nonce `base + 64 w + b`.
    pub fn bits(&self) -> [u64; WORDS] {
        let mut bits = [0; WORDS];
        for offset in (0..NONCE_WINDOW).filter(|offset| self.is_used(self.base + offset)) {
            let (word, bit) = place(offset);
            bits[word] |= bit;
        }
        bits
    }

    /// The same as one number of 256 hexadecimal digits, whose lowest bit is the base.
    pub fn bits_hex(&self) -> String {
        let words = self.bits();
        words
            .iter()
            .rev()
            .map(|word| format!("{word:016x}"))
            .collect()
    }

    /// The used nonces in ascending order, with fingerprint and first sequence number of each.
    pub(crate) fn uses(&self) -> impl Iterator<Item = (Nonce, u64, SequenceNumber)> {
        let window = self.base..self.base + NONCE_WINDOW;
        window.filter(|nonce| self.is_used(*nonce)).map(|nonce| {
            let usage = self.uses[slot(nonce)];
            (Nonce::new(nonce), usage.fingerprint, usage.first_sequence)
        })
    }

    /// Marks a nonce within the window as used.
    pub(crate) fn restore(&mut self, nonce: Nonce, fingerprint: u64, first: SequenceNumber) {
        assert!(nonce.get() - self.base < NONCE_WINDOW);
        let usage = Use {
            fingerprint,
            first_sequence: first,
        };
        self.insert(nonce.get(), usage);
    }

    fn check(&self, nonce: u64, fingerprint: u64) -> NonceCheck {
        if nonce < self.base {
            return NonceCheck::TooOld;
        }
        if self.base + NONCE_WINDOW <= nonce || !self.is_used(nonce) {
            return NonceCheck::Fresh;
        }
        let usage = self.uses[slot(nonce)];
        if usage.fingerprint == fingerprint {
            NonceCheck::Repeated {
                first_sequence: usage.first_sequence,
            }
        } else {
            NonceCheck::Reused
        }
    }

    /// The caller has seen that the nonce is fresh.
    fn insert(&mut self, nonce: u64, usage: Use) {
        if self.base + NONCE_WINDOW <= nonce {
            self.slide(nonce + 1 - NONCE_WINDOW);
        }
        let (word, bit) = place(nonce);
        self.used[word] |= bit;
        self.uses[slot(nonce)] = usage;
    }

    /// Moves the base up and forgets what falls below it.
    fn slide(&mut self, base: u64) {
        if NONCE_WINDOW <= base - self.base {
            self.used = [0; WORDS];
        } else {
            for nonce in self.base..base {
                let (word, bit) = place(nonce);
                self.used[word] &= !bit;
            }
        }
        self.base = base;
    }

    /// Only for nonces of the window.
    fn is_used(&self, nonce: u64) -> bool {
        let (word, bit) = place(nonce);
        self.used[word] & bit != 0
    }
}

const fn slot(nonce: u64) -> usize {
    (nonce % NONCE_WINDOW) as usize
}

/// Word and bit of a nonce.
const fn place(nonce: u64) -> (usize, u64) {
    (slot(nonce) / 64, 1 << (nonce % 64))
}

pub(crate) fn fingerprint(digest: &Digest) -> u64 {
    let first = digest.as_bytes().first_chunk().expect("32 bytes have 8");
    u64::from_le_bytes(*first)
}

impl Ledger {
    /// Whether a frame of this key, nonce and digest may execute. Panics on an unknown key.
    #[inline]
    pub fn check_nonce(&self, key: KeyId, nonce: Nonce, digest: &Digest) -> NonceCheck {
        if NONCE_MAX < nonce.get() {
            return NonceCheck::TooHigh;
        }
        match &self.windows[key.index()] {
            Some(window) => window.check(nonce.get(), fingerprint(digest)),
            None => NonceCheck::Fresh,
        }
    }

    /// Marks a nonce as used by the frame that begins at `first_sequence`. Panics unless
    /// [`Ledger::check_nonce`] says that it is fresh. The first use of a key allocates its window.
    #[inline]
    pub fn use_nonce(
        &mut self,
        key: KeyId,
        nonce: Nonce,
        digest: &Digest,
        first_sequence: SequenceNumber,
    ) {
        let check = self.check_nonce(key, nonce, digest);
        assert!(
            check == NonceCheck::Fresh,
            "nonce {nonce} of key {key}: {check:?}"
        );
        let usage = Use {
            fingerprint: fingerprint(digest),
            first_sequence,
        };
        self.windows[key.index()]
            .get_or_insert_with(NonceWindow::new)
            .insert(nonce.get(), usage);
    }

    /// The windows of all keys that have used a nonce, by key.
    pub fn nonces(&self) -> impl Iterator<Item = (KeyId, AccountId, &NonceWindow)> {
        let windows = (0..).map(KeyId::new).zip(&self.windows);
        windows
            .zip(self.keys.as_slice())
            .filter_map(|((id, window), key)| {
                let window = window.as_ref()?;
                Some((id, key.account, window))
            })
    }
}

#[cfg(test)]
mod tests {
    use types::genesis::development;

    use super::*;

    const KEY: KeyId = KeyId::new(3);

    fn digest(byte: u8) -> Digest {
        Digest::new([byte; 32])
    }

    /// One line per step: nonce, digest, expected check. A fresh nonce is used, at the sequence
    /// number that is its line.
    fn check(steps: &[(u64, u8, NonceCheck)]) -> Ledger {
        let mut ledger = Ledger::from_genesis(&development());
        for (line, (nonce, byte, expected)) in (0..).zip(steps) {
            let nonce = Nonce::new(*nonce);
            let found = ledger.check_nonce(KEY, nonce, &digest(*byte));
            assert_eq!(found, *expected, "line {line}: nonce {nonce}");
            if found == NonceCheck::Fresh {
                ledger.use_nonce(KEY, nonce, &digest(*byte), SequenceNumber::new(line));
            }
        }
        ledger
    }

    fn repeated(line: u64) -> NonceCheck {
        NonceCheck::Repeated {
            first_sequence: SequenceNumber::new(line),
        }
    }

    #[test]
    fn a_nonce_is_used_once() {
        use NonceCheck::{Fresh, Reused, TooOld};
        check(&[
            (0, 1, Fresh),
            (0, 1, repeated(0)),
            (0, 2, Reused),
            (1_023, 2, Fresh),
            (0, 1, repeated(0)),
            (1_024, 3, Fresh),
            (0, 1, TooOld),
            (0, 9, TooOld),
            (1, 4, Fresh),
            (1_023, 2, repeated(3)),
            (5_000, 5, Fresh),
            (3_976, 6, TooOld),
            (3_977, 6, Fresh),
            (5_000, 5, repeated(10)),
            (1_024, 3, TooOld),
        ]);
    }

    #[test]
    fn a_jump_forgets_everything_below_and_nothing_above() {
        use NonceCheck::{Fresh, TooOld};
        let ledger = check(&[
            (0, 1, Fresh),
            (1, 1, Fresh),
            (1_023, 1, Fresh),
            (2_046, 1, Fresh),
            (1_023, 1, repeated(2)),
            (1_022, 1, TooOld),
            (2_047, 1, Fresh),
            (1_023, 1, TooOld),
            (1_024, 1, Fresh),
        ]);
        let (key, account, window) = ledger.nonces().next().unwrap();
        assert_eq!((key, account), (KEY, AccountId::new(3)));
        assert_eq!(window.base(), Nonce::new(1_024));
        let mut bits = [0; WORDS];
        bits[0] = 1;
        bits[15] = 3 << 62;
        assert_eq!(window.bits(), bits);
        assert_eq!(window.bits_hex(), format!("c{:0>255}", 1));
        assert_eq!(ledger.nonces().count(), 1);
    }

    #[test]
    fn the_ends_of_the_range_are_safe() {
        use NonceCheck::{Fresh, Reused, TooHigh, TooOld};
        check(&[
            (NONCE_MAX + 1, 1, TooHigh),
            (u64::MAX, 1, TooHigh),
            (7, 1, Fresh),
            (NONCE_MAX, 1, Fresh),
            (NONCE_MAX, 1, repeated(3)),
            (NONCE_MAX, 2, Reused),
            (NONCE_MAX + 1, 1, TooHigh),
            (u64::MAX, 1, TooHigh),
            (NONCE_MAX - 1_023, 1, Fresh),
            (NONCE_MAX - 1_024, 1, TooOld),
            (7, 1, TooOld),
        ]);
    }

    #[test]
    fn the_fingerprint_is_the_first_eight_bytes() {
        let mut ledger = Ledger::from_genesis(&development());
        let nonce = Nonce::new(1);
        ledger.use_nonce(KEY, nonce, &digest(0), SequenceNumber::new(1));
        for byte in 0..32 {
            let mut bytes = [0; 32];
            bytes[byte] = 1;
            let expected = if byte < 8 {
                NonceCheck::Reused
            } else {
                repeated(1)
            };
            let found = ledger.check_nonce(KEY, nonce, &Digest::new(bytes));
            assert_eq!(found, expected, "byte {byte}");
        }
    }

    #[test]
    #[should_panic(expected = "nonce 1 of key 3: Reused")]
    fn using_a_used_nonce_is_a_broken_invariant() {
        let mut ledger = Ledger::from_genesis(&development());
        for byte in [1, 2] {
            ledger.use_nonce(KEY, Nonce::new(1), &digest(byte), SequenceNumber::new(1));
        }
    }
}
