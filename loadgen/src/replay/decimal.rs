//! Decimal text as recorders write it, rounded half to even, exactly and never through a float.
//!
//! Recordings carry signs and exponents (`7.18e-06`) and more digits than a market has. Text that
//! users type is stricter and is refused rather than rounded: that is `types::decimal`.

/// `text` in units of 10^-`decimals`, the nearest whole number, ties to the even one. `None` if it
/// is no decimal number or too large.
pub(super) fn round_half_even(text: &str, decimals: u8) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
        None => (unsigned, 0i32),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = 0i128;
    if whole.is_empty() {
        return None;
    }
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        digits = digits
            .checked_mul(10)?
            .checked_add(i128::from(byte - b'0'))?;
    }
    let fraction_digits = i32::try_from(fraction.len()).ok()?;
    let shift = exponent
        .checked_sub(fraction_digits)?
        .checked_add(i32::from(decimals))?;
    let magnitude = shifted(digits, shift)?;
    Some(if negative { -magnitude } else { magnitude })
}

/// `digits` x 10^`shift`, the nearest whole number, ties to the even one.
fn shifted(digits: i128, shift: i32) -> Option<i128> {
    let power = 10i128.checked_pow(shift.unsigned_abs());
    if shift >= 0 {
        return if digits == 0 {
            Some(0)
        } else {
            digits.checked_mul(power?)
        };
    }
    // A divisor beyond 128 bits is more than twice whatever it divides.
    let Some(divisor) = power else {
        return Some(0);
    };
    let (quotient, remainder) = (digits / divisor, digits % divisor);
    let above_half = remainder > divisor - remainder;
    let tie = remainder == divisor - remainder;
    Some(quotient + i128::from(above_half || (tie && quotient % 2 == 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_the_nearest_number_of_units() {
        for (text, decimals, expected) in [
            ("78318.0", 0, Some(78_318)),
            ("0.0", 0, Some(0)),
            ("1.53453667", 6, Some(1_534_537)),
            ("7.18e-06", 6, Some(7)),
            ("1e-08", 6, Some(0)),
            ("1e-60", 6, Some(0)),
            ("1.5E3", 2, Some(150_000)),
            ("0.0000005", 6, Some(0)),
            ("0.0000015", 6, Some(2)),
            ("0.0000025", 6, Some(2)),
            ("0.00000250001", 6, Some(3)),
            ("-2.6", 0, Some(-3)),
            ("0e400", 6, Some(0)),
            ("5", 6, Some(5_000_000)),
            ("5.", 0, Some(5)),
            ("", 0, None),
            (".5", 0, None),
            ("1e", 0, None),
            ("1e400", 0, None),
            ("0x10", 0, None),
            ("1_000", 0, None),
            ("nan", 0, None),
            ("--1", 0, None),
            ("1e-99999999999", 0, None),
        ] {
            assert_eq!(round_half_even(text, decimals), expected, "{text:?}");
        }
    }
}
