//! One ordered value, as JSON text and as MessagePack bytes.
//!
//! MessagePack is written in its shortest form and read in no other, so that bytes and value are
//! one-to-one: what was hashed can be written down as bytes and read again with the same meaning.
//! Numbers are whole; prices and sizes travel as text.

/// A value of an action. Keys of a map keep their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number from zero.
    Unsigned(u64),
    /// A whole number below zero.
    Negative(i64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// Named values, each name once.
    Map(Vec<(String, Self)>),
}

/// The bytes are no such value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no value of an action: {0}")]
pub struct NotValue(&'static str);

/// Lists within lists, at most.
const DEPTH_MAX: usize = 16;
/// Names in one map, at most.
const KEYS_MAX: usize = 32;

impl Value {
    /// Reads one JSON text.
    pub fn from_json(text: &[u8]) -> Result<Self, NotValue> {
        let text = std::str::from_utf8(text).map_err(|_| NotValue("not UTF-8"))?;
        let mut json = Json { text, at: 0 };
        let value = json.value(0)?;
        json.skip_space();
        match json.peek() {
            None => Ok(value),
            Some(_) => Err(NotValue("more after the end")),
        }
    }

    /// Writes it as JSON, as short as it goes.
    pub fn to_json(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text);
        text
    }

    /// Reads one MessagePack value in its shortest form.
    pub fn from_msgpack(bytes: &[u8]) -> Result<Self, NotValue> {
        let mut rest = bytes;
        let value = read_msgpack(&mut rest, 0)?;
        if rest.is_empty() {
            Ok(value)
        } else {
            Err(NotValue("more after the end"))
        }
    }

    /// Writes it as MessagePack in its shortest form.
    pub fn to_msgpack(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_msgpack(&mut bytes);
        bytes
    }

    /// The value of this name, if it is a map that has it.
    pub fn field(&self, name: &str) -> Option<&Self> {
        let Self::Map(fields) = self else { return None };
        let found = fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value)
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one from zero.
    pub const fn as_unsigned(&self) -> Option<u64> {
        match self {
            Self::Unsigned(number) => Some(*number),
            _ => None,
        }
    }

    fn write_json(&self, text: &mut String) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Bool(yes) => text.push_str(if *yes { "true" } else { "false" }),
            Self::Unsigned(number) => text.push_str(&number.to_string()),
            Self::Negative(number) => text.push_str(&number.to_string()),
            Self::Text(inner) => write_json_text(inner, text),
            Self::List(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    item.write_json(text);
                }
                text.push(']');
            }
            Self::Map(fields) => {
                text.push('{');
                for (index, (key, item)) in fields.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    write_json_text(key, text);
                    text.push(':');
                    item.write_json(text);
                }
                text.push('}');
            }
        }
    }

    fn write_msgpack(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Null => bytes.push(0xc0),
            Self::Bool(false) => bytes.push(0xc2),
            Self::Bool(true) => bytes.push(0xc3),
            Self::Unsigned(number) => write_unsigned(*number, bytes),
            Self::Negative(number) => write_negative(*number, bytes),
            Self::Text(text) => {
                write_length(text.len(), (0xa0, 32), Some(0xd9), 0xda, bytes);
                bytes.extend_from_slice(text.as_bytes());
            }
            Self::List(items) => {
                write_length(items.len(), (0x90, 16), None, 0xdc, bytes);
                items.iter().for_each(|item| item.write_msgpack(bytes));
            }
            Self::Map(fields) => {
                write_length(fields.len(), (0x80, 16), None, 0xde, bytes);
                for (key, item) in fields {
                    write_length(key.len(), (0xa0, 32), Some(0xd9), 0xda, bytes);
                    bytes.extend_from_slice(key.as_bytes());
                    item.write_msgpack(bytes);
                }
            }
        }
    }
}

fn write_json_text(inner: &str, text: &mut String) {
    text.push('"');
    for character in inner.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\0'..='\u{1f}' => text.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => text.push(character),
        }
    }
    text.push('"');
}

/// Big-endian, and no longer than needed.
#[allow(clippy::cast_possible_truncation)] // Each range fits.
fn write_unsigned(number: u64, bytes: &mut Vec<u8>) {
    match number {
        0..=0x7f => bytes.push(number as u8),
        0x80..=0xff => bytes.extend_from_slice(&[0xcc, number as u8]),
        0x100..=0xffff => {
            bytes.push(0xcd);
            bytes.extend_from_slice(&(number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            bytes.push(0xce);
            bytes.extend_from_slice(&(number as u32).to_be_bytes());
        }
        _ => {
            bytes.push(0xcf);
            bytes.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn write_negative(number: i64, bytes: &mut Vec<u8>) {
    if let Ok(short) = i8::try_from(number) {
        if short < -32 {
            bytes.push(0xd0);
        }
        bytes.extend_from_slice(&short.to_be_bytes());
    } else if let Ok(short) = i16::try_from(number) {
        bytes.push(0xd1);
        bytes.extend_from_slice(&short.to_be_bytes());
    } else if let Ok(short) = i32::try_from(number) {
        bytes.push(0xd2);
        bytes.extend_from_slice(&short.to_be_bytes());
    } else {
        bytes.push(0xd3);
        bytes.extend_from_slice(&number.to_be_bytes());
    }
}

/// The first byte and the length: within the first byte, or in 1 byte where there is such a form, or
/// in 2 or 4 bytes; the form of 4 has the number behind that of 2.
#[allow(clippy::cast_possible_truncation)] // Each range fits; messages are shorter than 4 GiB.
fn write_length(
    length: usize,
    (fixed, below): (u8, usize),
    in_1: Option<u8>,
    in_2: u8,
    bytes: &mut Vec<u8>,
) {
    if length < below {
        bytes.push(fixed | length as u8);
    } else if let Some(form) = in_1.filter(|_| length <= 0xff) {
        bytes.extend_from_slice(&[form, length as u8]);
    } else if length <= 0xffff {
        bytes.push(in_2);
        bytes.extend_from_slice(&(length as u16).to_be_bytes());
    } else {
        bytes.push(in_2 + 1);
        bytes.extend_from_slice(&(length as u32).to_be_bytes());
    }
}

fn read_msgpack(rest: &mut &[u8], depth: usize) -> Result<Value, NotValue> {
    if depth > DEPTH_MAX {
        return Err(NotValue("too deep"));
    }
    let form = take::<1>(rest)?[0];
    Ok(match form {
        0..=0x7f => Value::Unsigned(form.into()),
        0xc0 => Value::Null,
        0xc2 | 0xc3 => Value::Bool(form == 0xc3),
        0xcc..=0xcf => Value::Unsigned(read_unsigned(form - 0xcc, rest)?),
        0xd0..=0xd3 | 0xe0..=0xff => Value::Negative(read_negative(form, rest)?),
        0xa0..=0xbf | 0xd9..=0xdb => Value::Text(read_text(form, rest)?),
        0x90..=0x9f | 0xdc | 0xdd => {
            let count = read_length(form, (0x90, 16), None, 0xdc, rest)?;
            let items = (0..count).map(|_| read_msgpack(rest, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        0x80..=0x8f | 0xde | 0xdf => {
            let count = read_length(form, (0x80, 16), None, 0xde, rest)?;
            let mut fields = Vec::new();
            for _ in 0..count {
                let form = take::<1>(rest)?[0];
                let key = read_text(form, rest)?;
                push_field(&mut fields, key, read_msgpack(rest, depth + 1)?)?;
            }
            Value::Map(fields)
        }
        _ => return Err(NotValue("a form that actions do not have")),
    })
}

fn push_field(
    fields: &mut Vec<(String, Value)>,
    key: String,
    value: Value,
) -> Result<(), NotValue> {
    if fields.len() == KEYS_MAX {
        return Err(NotValue("too many names"));
    }
    if fields.iter().any(|(known, _)| *known == key) {
        return Err(NotValue("a name twice"));
    }
    fields.push((key, value));
    Ok(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], NotValue> {
    let (first, after) = rest.split_first_chunk::<N>().ok_or(NotValue("cut off"))?;
    *rest = after;
    Ok(*first)
}

const LONG_WINDED: NotValue = NotValue("longer than needed");

/// A number of 1, 2, 4 or 8 bytes: `power` is 0 to 3.
fn read_unsigned(power: u8, rest: &mut &[u8]) -> Result<u64, NotValue> {
    let (number, least) = match power {
        0 => (u64::from(take::<1>(rest)?[0]), 0x80),
        1 => (u64::from(u16::from_be_bytes(take(rest)?)), 0x100),
        2 => (u64::from(u32::from_be_bytes(take(rest)?)), 0x1_0000),
        _ => (u64::from_be_bytes(take(rest)?), 0x1_0000_0000),
    };
    if number < least {
        return Err(LONG_WINDED);
    }
    Ok(number)
}

fn read_negative(form: u8, rest: &mut &[u8]) -> Result<i64, NotValue> {
    let (number, above) = match form {
        0xd0 => (i64::from(i8::from_be_bytes(take(rest)?)), -33),
        0xd1 => (i64::from(i16::from_be_bytes(take(rest)?)), -0x81),
        0xd2 => (i64::from(i32::from_be_bytes(take(rest)?)), -0x8001),
        0xd3 => (i64::from_be_bytes(take(rest)?), -0x8000_0001),
        _ => return Ok(i64::from(i8::from_be_bytes([form]))),
    };
    if number > above {
        return Err(LONG_WINDED);
    }
    Ok(number)
}

fn read_text(form: u8, rest: &mut &[u8]) -> Result<String, NotValue> {
    let length = match form {
        0xa0..=0xbf | 0xd9..=0xdb => read_length(form, (0xa0, 32), Some(0xd9), 0xda, rest)?,
        _ => return Err(NotValue("a name that is no text")),
    };
    let (text, after) = rest.split_at_checked(length).ok_or(NotValue("cut off"))?;
    *rest = after;
    let text = std::str::from_utf8(text).map_err(|_| NotValue("not UTF-8"))?;
    Ok(text.to_owned())
}

fn read_length(
    form: u8,
    (fixed, below): (u8, usize),
    in_1: Option<u8>,
    in_2: u8,
    rest: &mut &[u8],
) -> Result<usize, NotValue> {
    let (length, least) = if Some(form) == in_1 {
        (usize::from(take::<1>(rest)?[0]), below)
    } else if form == in_2 {
        let least = if in_1.is_some() { 0x100 } else { below };
        (usize::from(u16::from_be_bytes(take(rest)?)), least)
    } else if form == in_2 + 1 {
        let length = u32::from_be_bytes(take(rest)?);
        (usize::try_from(length).unwrap_or(usize::MAX), 0x1_0000)
    } else {
        return Ok(usize::from(form - fixed));
    };
    if length < least {
        return Err(LONG_WINDED);
    }
    // Each item takes a byte, so nothing is allocated for what cannot be there.
    if length > rest.len() {
        return Err(NotValue("cut off"));
    }
    Ok(length)
}

/// Where a reader of JSON is.
struct Json<'a> {
    text: &'a str,
    at: usize,
}

impl Json<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, token: &'static str) -> Result<(), NotValue> {
        if self.text[self.at..].starts_with(token) {
            self.at += token.len();
            Ok(())
        } else {
            Err(NotValue("not JSON"))
        }
    }

    /// Whether the next character but spaces is this one; then it is taken.
    fn takes(&mut self, character: u8) -> bool {
        self.skip_space();
        let is_there = self.peek() == Some(character);
        self.at += usize::from(is_there);
        is_there
    }

    fn value(&mut self, depth: usize) -> Result<Value, NotValue> {
        if depth > DEPTH_MAX {
            return Err(NotValue("too deep"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'n') => self.expect("null").map(|()| Value::Null),
            Some(b't') => self.expect("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.expect("false").map(|()| Value::Bool(false)),
            Some(b'"') => self.text().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'[') => self.list(depth),
            Some(b'{') => self.map(depth),
            _ => Err(NotValue("not JSON")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, NotValue> {
        self.expect("[")?;
        let mut items = Vec::new();
        if self.takes(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.takes(b']') {
                return Ok(Value::List(items));
            }
            self.expect(",")?;
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, NotValue> {
        self.expect("{")?;
        let mut fields = Vec::new();
        if self.takes(b'}') {
            return Ok(Value::Map(fields));
        }
        loop {
            self.skip_space();
            let key = self.text()?;
            self.skip_space();
            self.expect(":")?;
            push_field(&mut fields, key, self.value(depth + 1)?)?;
            if self.takes(b'}') {
                return Ok(Value::Map(fields));
            }
            self.expect(",")?;
        }
    }

    fn number(&mut self) -> Result<Value, NotValue> {
        let rest = &self.text[self.at..];
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        let is_whole = !matches!(digits.as_bytes().get(count), Some(b'.' | b'e' | b'E'));
        let is_plain = count == 1 || count > 1 && !digits.starts_with('0');
        if !is_whole || !is_plain {
            return Err(NotValue("not a whole number"));
        }
        let length = rest.len() - digits.len() + count;
        self.at += length;
        let number = match rest[..length].parse() {
            Ok(number) => Value::Unsigned(number),
            Err(_) => match rest[..length].parse() {
                Ok(0) => Value::Unsigned(0),
                Ok(number) => Value::Negative(number),
                Err(_) => return Err(NotValue("a number beyond 64 bits")),
            },
        };
        Ok(number)
    }

    fn text(&mut self) -> Result<String, NotValue> {
        self.expect("\"")?;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(['"', '\\']).ok_or(NotValue("cut off"))?;
            if rest[..plain].bytes().any(|byte| byte < 0x20) {
                return Err(NotValue("a control character"));
            }
            text.push_str(&rest[..plain]);
            self.at += plain + 1;
            if rest.as_bytes()[plain] == b'"' {
                return Ok(text);
            }
            text.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Result<char, NotValue> {
        let escape = self.peek().ok_or(NotValue("cut off"))?;
        self.at += 1;
        Ok(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.code_unit()?;
                let mut units = vec![first];
                if (0xd800..0xdc00).contains(&first) {
                    self.expect("\\u")?;
                    units.push(self.code_unit()?);
                }
                let decoded = char::decode_utf16(units).next();
                let decoded = decoded.and_then(Result::ok);
                decoded.ok_or(NotValue("half a character"))?
            }
            _ => return Err(NotValue("no such escape")),
        })
    }

    fn code_unit(&mut self) -> Result<u16, NotValue> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        self.at += 4;
        unit.ok_or(NotValue("not JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_msgpack_say_the_same() {
        for (json, hex) in [
            ("null", "c0"),
            ("true", "c3"),
            ("0", "00"),
            ("127", "7f"),
            ("128", "cc80"),
            ("256", "cd0100"),
            ("65536", "ce00010000"),
            ("4294967296", "cf0000000100000000"),
            ("18446744073709551615", "cfffffffffffffffff"),
            ("-1", "ff"),
            ("-32", "e0"),
            ("-33", "d0df"),
            ("-129", "d1ff7f"),
            ("-32769", "d2ffff7fff"),
            ("-2147483649", "d3ffffffff7fffffff"),
            (r#""a""#, "a161"),
            (r#"{"b":[1,{"a":null}]}"#, "81a1629201 81a161c0"),
            (r#""é€😀""#, "a9c3a9e282acf09f9880"),
        ] {
            let value = Value::from_json(json.as_bytes()).unwrap();
            let bytes = crate::decimal::from_hex(&hex.replace(' ', "")).unwrap();
            assert_eq!(value.to_msgpack(), bytes, "{json}");
            assert_eq!(Value::from_msgpack(&bytes), Ok(value.clone()), "{json}");
            assert_eq!(value.to_json(), json);
        }
        let escaped = Value::from_json(r#""\u00e9\ud83d\ude00\n\"""#.as_bytes());
        assert_eq!(escaped, Ok(Value::Text("é😀\n\"".to_owned())));
    }

    #[test]
    fn lengths_have_one_form_each() {
        for length in [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
            let text = Value::Text("x".repeat(length));
            let list = Value::List(vec![Value::Null; length]);
            for value in [text, list] {
                let bytes = value.to_msgpack();
                assert_eq!(Value::from_msgpack(&bytes).as_ref(), Ok(&value), "{length}");
                let cut = &bytes[..bytes.len() - 1];
                assert!(Value::from_msgpack(cut).is_err());
            }
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for json in [
            "",
            "1.0",
            "1e3",
            "01",
            "-",
            "nul",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "1 2",
            "18446744073709551616",
            "{\"a\":1,\"a\":2}",
            "\"\n\"",
            "\"\\u12",
        ] {
            assert!(Value::from_json(json.as_bytes()).is_err(), "{json}");
        }
        let deep = ["[".repeat(40), "]".repeat(40)].concat();
        assert!(Value::from_json(deep.as_bytes()).is_err());
        for hex in [
            "",
            "cc7f",
            "cd00ff",
            "ce0000ffff",
            "cf00000000ffffffff",
            "d0e0",
            "d900",
            "da000161",
            "dc0001c0",
            "cb0000000000000000",
            "c400",
            "81c0c0",
            "dd7fffffff",
            "a2c328",
            "0000",
        ] {
            let bytes = crate::decimal::from_hex(hex).unwrap();
            assert!(Value::from_msgpack(&bytes).is_err(), "{hex}");
        }
    }
}
