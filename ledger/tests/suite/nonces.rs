//! Nonce windows against a naive twin that remembers every nonce ever used.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Ledger, NonceCheck};
use types::genesis::development;
use types::limits::NONCE_MAX;
use types::outcome::Digest;
use types::{KeyId, Nonce, SequenceNumber};

use crate::common::for_seeds;

#[test]
fn nonces_are_decided_as_by_a_set_of_all_that_were_used() {
    for_seeds(200, |rng| {
        let mut ledger = Ledger::from_genesis(&development());
        let key = KeyId::new(5);
        let mut used: BTreeMap<u64, (u8, u64)> = BTreeMap::new();
        let start = rng.pick(&[0, 1_000, 1 << 40, NONCE_MAX - 3_000]);
        let reach = rng.pick(&[1, 3, 64, 1_500]);
        for line in 0..3_000 {
            let highest = used.keys().next_back().copied().unwrap_or(start);
            let nonce = highest
                .saturating_add(rng.below(reach))
                .saturating_sub(rng.below(1_100));
            let byte = rng.pick(&[1, 1, 1, 2]);
            let digest = Digest::new([byte; 32]);
            let expected = expected_check(&used, nonce, byte);
            let found = ledger.check_nonce(key, Nonce::new(nonce), &digest);
            assert_eq!(found, expected, "line {line} nonce {nonce}");
            if expected == NonceCheck::Fresh {
                let sequence = SequenceNumber::new(line);
                ledger.use_nonce(key, Nonce::new(nonce), &digest, sequence);
                used.insert(nonce, (byte, line));
            }
        }
        assert_window(&ledger, &used);
    });
}

fn expected_check(used: &BTreeMap<u64, (u8, u64)>, nonce: u64, byte: u8) -> NonceCheck {
    let highest = used.keys().next_back().copied().unwrap_or(0);
    match used.get(&nonce) {
        _ if NONCE_MAX < nonce => NonceCheck::TooHigh,
        _ if nonce + 1_023 < highest => NonceCheck::TooOld,
        None => NonceCheck::Fresh,
        Some((other, _)) if *other != byte => NonceCheck::Reused,
        Some((_, line)) => NonceCheck::Repeated {
            first_sequence: SequenceNumber::new(*line),
        },
    }
}

fn assert_window(ledger: &Ledger, used: &BTreeMap<u64, (u8, u64)>) {
    let (_, _, window) = ledger.nonces().next().unwrap();
    let highest = *used.keys().next_back().unwrap();
    let base = highest.saturating_sub(1_023);
    assert_eq!(window.base(), Nonce::new(base));
    let bits = window.bits();
    let found: BTreeSet<u64> = (0..1_024)
        .filter(|offset| bits[offset / 64] >> (offset % 64) & 1 == 1)
        .map(|offset| base + offset as u64)
        .collect();
    assert_eq!(found, used.range(base..).map(|(nonce, _)| *nonce).collect());
}
