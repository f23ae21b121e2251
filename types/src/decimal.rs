//! Decimal text to whole units and back, exactly and never through a float; and hexadecimal text to
//! bytes and back.
//!
//! Prices, sizes and amounts cross the edge of the system as decimal text; inside they are whole
//! ticks, lots and atoms. A text that is not a whole number of units is refused, never rounded.

/// Why a decimal text is not a whole number of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not digits with at most one point between them.
    #[error("not a decimal number such as 12 or 0.25")]
    NotDecimal,
    /// More digits after the point than the unit has.
    #[error("finer than the smallest unit")]
    TooFine,
    /// More than 128 bits of units.
    #[error("too large")]
    TooLarge,
}

/// Parses `text` in units of 10^-`decimals`: ("1.5", 3) is 1500.
pub fn parse(text: &str, decimals: u8) -> Result<u128, DecimalError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(DecimalError::NotDecimal);
    }
    let significant = fraction.trim_end_matches('0');
    if significant.len() > usize::from(decimals) {
        return Err(DecimalError::TooFine);
    }
    let padding = usize::from(decimals) - significant.len();
    whole
        .bytes()
        .chain(significant.bytes())
        .chain(std::iter::repeat_n(b'0', padding))
        .try_fold(0u128, |units, digit| {
            units.checked_mul(10)?.checked_add(u128::from(digit - b'0'))
        })
        .ok_or(DecimalError::TooLarge)
}

/// Parses `text` in units of `step` x 10^-`decimals`: ("1.5", 1, 5) is 3.
pub fn parse_steps(text: &str, decimals: u8, step: u128) -> Result<u128, DecimalError> {
    let units = parse(text, decimals)?;
    if units.is_multiple_of(step) {
        Ok(units / step)
    } else {
        Err(DecimalError::TooFine)
    }
}

/// Writes `units` of 10^-`decimals` without needless zeros: (1500, 3) is "1.5".
pub fn format(units: u128, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let digits = format!("{units:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        significant => format!("{whole}.{significant}"),
    }
}

/// Bytes from exactly twice as many hexadecimal digits.
pub fn bytes_from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    (text.len() == 2 * N).then_some(())?;
    from_hex(text)?.try_into().ok()
}

/// Bytes from any even number of hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let is_hex = rest.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then_some(())?;
    let byte = |pair: &[u8; 2]| {
        let digits = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    pairs.iter().map(byte).collect()
}

/// Two hexadecimal digits for each byte.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_parse_exactly_or_not_at_all() {
        for (text, decimals, expected) in [
            ("0", 0, Ok(0)),
            ("1", 3, Ok(1_000)),
            ("1.5", 3, Ok(1_500)),
            ("1.500000000000000000000", 3, Ok(1_500)),
            ("0.001", 3, Ok(1)),
            ("0.0001", 3, Err(DecimalError::TooFine)),
            ("1.", 3, Err(DecimalError::NotDecimal)),
            (".5", 3, Err(DecimalError::NotDecimal)),
            ("", 3, Err(DecimalError::NotDecimal)),
            ("-1", 3, Err(DecimalError::NotDecimal)),
            ("+1", 3, Err(DecimalError::NotDecimal)),
            ("1e3", 3, Err(DecimalError::NotDecimal)),
            ("1.2.3", 3, Err(DecimalError::NotDecimal)),
            ("340282366920938463463374607431768211455", 0, Ok(u128::MAX)),
            (
                "340282366920938463463374607431768211456",
                0,
                Err(DecimalError::TooLarge),
            ),
        ] {
            assert_eq!(parse(text, decimals), expected, "{text:?} at {decimals}");
        }
    }

    #[test]
    fn text_survives_the_way_there_and_back() {
        for (text, decimals) in [("0", 8), ("100.5", 8), ("0.00000001", 8), ("7", 0)] {
            assert_eq!(format(parse(text, decimals).unwrap(), decimals), text);
        }
        assert_eq!(parse_steps("1.5", 1, 5), Ok(3));
        assert_eq!(parse_steps("1.6", 1, 5), Err(DecimalError::TooFine));
    }

    #[test]
    fn hex_has_exactly_the_digits() {
        assert_eq!(bytes_from_hex("00ff"), Some([0, 255]));
        assert_eq!(bytes_from_hex::<2>("00f"), None);
        assert_eq!(bytes_from_hex::<2>("00fg"), None);
        assert_eq!(bytes_from_hex::<2>("+0ff"), None);
        assert_eq!(bytes_from_hex::<2>("00ff00"), None);
        for bytes in [&[][..], &[0], &[0, 255, 16]] {
            assert_eq!(from_hex(&to_hex(bytes)), Some(bytes.to_vec()));
        }
        for text in ["0", "00f", "zz", "+0ff", " 0ff", "0é"] {
            assert_eq!(from_hex(text), None, "{text:?}");
        }
    }
}
