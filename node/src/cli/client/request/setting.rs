//! Settings: what an account's quotes may trade, and what may happen in a market.

use types::command::{MarketStatus, ProtectionLimits, SetMarketStatus, SetProtection};
use types::keys::SessionPolicy;
use types::{Atoms, BaseLots, RejectReason};

use super::super::line::{
    SetMarketStatusLine, SetProtectionLine, SetSessionPolicyLine, StatusText,
};
use super::{NANOS_PER_MS, Reader, Refusal, quantity};

impl Reader<'_> {
    /// The node is told 0 where there is no limit, so zero itself cannot be asked for.
    pub(super) fn protection(&self, line: &SetProtectionLine) -> Result<SetProtection, Refusal> {
        let (market, spec) = self.market(&line.market)?;
        let window_ns = match line.window_ms {
            Some(window) => above_zero("window_ms", window)?
                .checked_mul(NANOS_PER_MS)
                .ok_or_else(|| Refusal::malformed("window_ms: too long"))?,
            None => 0,
        };
        let fills = line.max_fills;
        let fills = fills.map(|fills| above_zero("max_fills", fills));
        let lots = line.max_quantity.as_ref();
        let lots = lots.map(|text| {
            let lots = quantity("max_quantity", spec, text)?;
            above_zero("max_quantity", lots.get()).map(BaseLots::new)
        });
        let notional = line.max_notional.as_ref();
        let notional = notional.map(|text| {
            let quote = &self.reference.assets[spec.quote.index()];
            let atoms = quote.parse(text).map_err(|error| {
                Refusal::decimal("max_notional", error, RejectReason::QuantityTooLarge)
            })?;
            above_zero("max_notional", atoms.get()).map(Atoms::new)
        });
        Ok(SetProtection {
            market,
            group: line.group,
            limits: ProtectionLimits {
                window_ns,
                fills: fills.transpose()?.unwrap_or(0),
                lots: lots.transpose()?.unwrap_or(BaseLots::ZERO),
                notional: notional.transpose()?.unwrap_or(Atoms::ZERO),
            },
        })
    }

    pub(super) fn market_status(
        &self,
        line: &SetMarketStatusLine,
    ) -> Result<SetMarketStatus, Refusal> {
        Ok(SetMarketStatus {
            market: self.market(&line.market)?.0,
            status: line.status.into(),
        })
    }
}

/// Without a silence: none.
pub(super) fn session_policy(line: &SetSessionPolicyLine) -> Result<SessionPolicy, Refusal> {
    let silence_ns = nanos("silence_ms", line.silence_ms)?;
    let is_void = silence_ns == 0 && (line.good_till_cancelled || line.whole_account);
    if is_void {
        let detail = "good_till_cancelled and whole_account need a silence_ms";
        return Err(Refusal::malformed(detail));
    }
    Ok(SessionPolicy {
        silence_ns,
        good_till_cancelled: line.good_till_cancelled,
        whole_account: line.whole_account,
    })
}

/// Milliseconds in nanoseconds; none are 0.
pub(super) fn nanos(name: &str, millis: Option<u64>) -> Result<u64, Refusal> {
    let Some(millis) = millis else {
        return Ok(0);
    };
    let nanos = above_zero(name, millis)?.checked_mul(NANOS_PER_MS);
    nanos.ok_or_else(|| Refusal::malformed(format!("{name}: too long")))
}

fn above_zero<N: Default + PartialEq>(name: &str, number: N) -> Result<N, Refusal> {
    if number == N::default() {
        let detail = format!("{name}: 0 is no limit; leave it out where there is none");
        return Err(Refusal::malformed(detail));
    }
    Ok(number)
}

impl From<StatusText> for MarketStatus {
    fn from(text: StatusText) -> Self {
        match text {
            StatusText::Open => Self::Open,
            StatusText::PostOnly => Self::PostOnly,
            StatusText::Auction => Self::Auction,
            StatusText::CancelOnly => Self::CancelOnly,
            StatusText::Halted => Self::Halted,
        }
    }
}

#[cfg(test)]
mod tests {
    use types::{Command, MarketId};

    use super::super::tests::{BTC_USD, check, check_refused};
    use super::*;

    fn check_protection(line: &str, group: u8, limits: ProtectionLimits) {
        let expected = SetProtection {
            market: BTC_USD,
            group,
            limits,
        };
        check(line, Command::SetProtection(expected));
    }

    #[test]
    fn a_protection_has_a_window_and_limits_or_nothing() {
        let line = r#"{"op":"set_protection","market":"BTC-USD","group":255,"window_ms":1000,"max_fills":3,"max_quantity":"1.5","max_notional":"100000"}"#;
        let full = ProtectionLimits {
            window_ns: 1_000_000_000,
            fills: 3,
            lots: BaseLots::new(1_500_000),
            notional: Atoms::new(10_000_000_000_000),
        };
        check_protection(line, 255, full);
        let nothing = r#"{"op":"set_protection","market":"BTC-USD"}"#;
        check_protection(nothing, 0, ProtectionLimits::NONE);
        // Half a protection can be said, and is the node's to reject.
        let half = nothing.replacen('}', r#","window_ms":1}"#, 1);
        let window = ProtectionLimits {
            window_ns: 1_000_000,
            ..ProtectionLimits::NONE
        };
        check_protection(&half, 0, window);
        for (from, to, expected) in [
            ("BTC-USD", "BTC-EUR", "there is no market BTC-EUR"),
            (r#""market":"BTC-USD","#, "", "missing field `market`"),
            ("255", "256", "invalid value"),
            ("1000", "0", "window_ms: 0 is no limit"),
            ("1000", "18446744073710", "window_ms: too long"),
            (":3", ":0", "max_fills: 0 is no limit"),
            (":3", ":-1", "invalid value"),
            ("1.5", "0", "max_quantity: 0 is no limit"),
            ("1.5", "1.5000001", "max_quantity: finer"),
            ("1.5", "281474976.710656", "max_quantity: too large"),
            ("\"100000\"", "\"0.0\"", "max_notional: 0 is no limit"),
            ("\"100000\"", "100000", "invalid type"),
            ("\"100000\"", "\"0.000000001\"", "max_notional: finer"),
        ] {
            check_refused(&line.replacen(from, to, 1), expected);
        }
    }

    #[test]
    fn a_session_policy_has_a_silence_or_nothing() {
        let line = r#"{"op":"set_session_policy","silence_ms":500,"good_till_cancelled":true,"whole_account":true}"#;
        let policy = |silence_ns, good_till_cancelled, whole_account| {
            Command::SetSessionPolicy(SessionPolicy {
                silence_ns,
                good_till_cancelled,
                whole_account,
            })
        };
        check(line, policy(500_000_000, true, true));
        let plain = r#"{"op":"set_session_policy","silence_ms":500}"#;
        check(plain, policy(500_000_000, false, false));
        check(r#"{"op":"set_session_policy"}"#, policy(0, false, false));
        for (from, to, expected) in [
            (r#""silence_ms":500,"#, "", "need a silence_ms"),
            ("500", "0", "silence_ms: 0 is no limit"),
            ("500", "18446744073710", "silence_ms: too long"),
            ("true", "1", "invalid type"),
        ] {
            check_refused(&line.replacen(from, to, 1), expected);
        }
    }

    #[test]
    fn timers_and_keys_are_numbers() {
        let timer = r#"{"op":"set_timer","after_ms":1500}"#;
        check(timer, Command::SetTimer(1_500_000_000));
        check(r#"{"op":"set_timer"}"#, Command::SetTimer(0));
        check_refused(&timer.replacen("1500", "0", 1), "after_ms: 0 is no limit");
        let revoke = r#"{"op":"revoke_key","key":65}"#;
        check(revoke, Command::RevokeKey(types::KeyId::new(65)));
        check_refused(&revoke.replacen("65", "-1", 1), "invalid value");
    }

    #[test]
    fn a_market_has_one_of_five_statuses() {
        for status in MarketStatus::ALL {
            let line = format!(
                r#"{{"op":"set_market_status","market":"ETH-USD","status":"{}"}}"#,
                status.name()
            );
            let market = MarketId::new(1);
            let expected = SetMarketStatus { market, status };
            check(&line, Command::SetMarketStatus(expected));
            let misspelled = line.replacen(status.name(), "closed", 1);
            check_refused(&misspelled, "unknown variant `closed`");
        }
    }
}
