//! Converts an object whose values are the records to a list of them, while it is received:
//! `{"posts": {"17": {…}, "18": {…}}}` becomes `{"posts": [{…}, {…}]}`.
//!
//! It runs before the splitter, so that lists have no overhead. Anything that is not such an object
//! is passed on unchanged, for the splitter to check: a list too, which is how PHP writes an object
//! without members, or with the keys 0, 1, 2.

use crate::JsonPath;

use super::BYTE_ORDER_MARK;
use super::seek::{Found, Seeker};

/// The maximum length in bytes of a key that is inserted into its record.
const LONGEST_KEY: usize = 1024;

#[derive(Clone, Debug)]
enum State {
    /// The response itself is the object; this many bytes of a byte order mark were received.
    BeforeObject(usize),
    Seeking(Seeker),
    BeforeKey,
    /// In a key, and whether its next byte is escaped.
    Key(bool),
    BehindKey,
    BeforeValue,
    /// After a key that was inserted into its record: a comma follows if the record has members.
    PutIn,
    Value(Value),
    BehindValue,
    /// After the object, or if there is none.
    Rest,
}

/// In a value: the number of open brackets, and whether it is in a string.
#[derive(Clone, Copy, Debug, Default)]
struct Value {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

/// The state of converting one response.
#[derive(Clone, Debug)]
pub struct Unmap {
    state: State,
    /// The field that gets the keys, as JSON, with its colon.
    field: Option<Vec<u8>>,
    /// The last key, without its quotes but with its escapes.
    key: Vec<u8>,
    turned: Vec<u8>,
}

impl Unmap {
    /// For a response whose records are the values of the object at `path`. If `field` is given,
    /// each record gets its key as that field.
    #[must_use]
    pub fn new(path: &JsonPath, field: Option<&str>) -> Self {
        let field = field.map(|name| {
            let mut json = serde_json::Value::from(name).to_string().into_bytes();
            json.push(b':');
            json
        });
        Self {
            state: if path.keys().is_empty() {
                State::BeforeObject(0)
            } else {
                State::Seeking(Seeker::of_object(path.keys()))
            },
            field,
            key: Vec::new(),
            turned: Vec::new(),
        }
    }

    /// Converts the next bytes of the response.
    pub fn turn(&mut self, mut bytes: &[u8]) -> &[u8] {
        self.turned.clear();
        if let State::Seeking(seeker) = &mut self.state {
            let (length, next) = match seeker.advance(bytes) {
                Ok(None) => (bytes.len(), None),
                Ok(Some(Found::Object(length))) => (length - 1, Some(State::BeforeKey)),
                Ok(Some(Found::Array(_) | Found::Null(_))) | Err(_) => (0, Some(State::Rest)),
            };
            let (before, rest) = bytes.split_at(length);
            self.turned.extend_from_slice(before);
            bytes = rest;
            if matches!(next, Some(State::BeforeKey)) {
                self.turned.push(b'[');
                bytes = bytes.get(1..).unwrap_or_default();
            }
            if let Some(next) = next {
                self.state = next;
            }
        }
        for (index, byte) in bytes.iter().enumerate() {
            if matches!(self.state, State::Rest | State::Seeking(_)) {
                self.turned.extend_from_slice(&bytes[index..]);
                break;
            }
            self.take(*byte);
        }
        &self.turned
    }

    /// Processes a byte of the object, or one before it.
    fn take(&mut self, byte: u8) {
        let blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        if byte == b'{' && matches!(self.state, State::BeforeValue) && self.put_key_in() {
            return;
        }
        let (kept, next) = match (&self.state, byte) {
            (State::BeforeObject(_), _) if blank => return self.turned.push(byte),
            (State::BeforeObject(came), _) if BYTE_ORDER_MARK.get(*came) == Some(&byte) => {
                (Some(byte), State::BeforeObject(came + 1))
            }
            (State::BeforeObject(_), b'{') => (Some(b'['), State::BeforeKey),
            (State::BeforeKey | State::BehindKey | State::BeforeValue | State::BehindValue, _)
                if blank =>
            {
                return;
            }
            (State::BeforeKey, b'"') => {
                self.key.clear();
                (None, State::Key(false))
            }
            (State::BeforeKey | State::BehindValue, b'}') => (Some(b']'), State::Rest),
            (State::Key(false), b'"') => (None, State::BehindKey),
            (State::Key(escaped), _) => {
                let escaped = !*escaped && byte == b'\\';
                if self.key.len() <= LONGEST_KEY {
                    self.key.push(byte);
                }
                (None, State::Key(escaped))
            }
            (State::BehindKey, b':') => (None, State::BeforeValue),
            (State::BeforeValue, b',' | b'}' | b']') => (Some(byte), State::Rest),
            (State::BeforeValue, _) => return self.value(Value::default(), byte),
            (State::PutIn, _) if blank => (Some(byte), State::PutIn),
            (State::PutIn, _) => {
                if byte != b'}' {
                    self.turned.push(b',');
                }
                return self.value(
                    Value {
                        depth: 1,
                        ..Value::default()
                    },
                    byte,
                );
            }
            (State::Value(value), _) => {
                let value = *value;
                return self.value(value, byte);
            }
            (State::BehindValue, b',') => (Some(b','), State::BeforeKey),
            // Not an object after all: the splitter reports what is wrong with it.
            _ => (Some(byte), State::Rest),
        };
        self.turned.extend(kept);
        self.state = next;
    }

    /// Begins a record with its key; returns whether it was inserted.
    fn put_key_in(&mut self) -> bool {
        let Some(field) = self
            .field
            .as_ref()
            .filter(|_| self.key.len() <= LONGEST_KEY)
        else {
            return false;
        };
        self.turned.push(b'{');
        self.turned.extend_from_slice(field);
        self.turned.push(b'"');
        self.turned.extend_from_slice(&self.key);
        self.turned.push(b'"');
        self.state = State::PutIn;
        true
    }

    /// Processes a byte of a value.
    fn value(&mut self, mut value: Value, byte: u8) {
        let is_bare = value.depth == 0 && !value.in_string;
        if is_bare && matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\n' | b'\r') {
            self.state = State::BehindValue;
            return self.take(byte);
        }
        self.turned.push(byte);
        let ends = if value.in_string {
            let ends = !value.escaped && byte == b'"';
            value.escaped = !value.escaped && byte == b'\\';
            value.in_string = !ends;
            ends && value.depth == 0
        } else {
            match byte {
                b'"' => value.in_string = true,
                b'{' | b'[' => value.depth += 1,
                b'}' | b']' => value.depth = value.depth.saturating_sub(1),
                _ => {}
            }
            value.depth == 0 && matches!(byte, b'}' | b']')
        };
        self.state = if ends {
            State::BehindValue
        } else {
            State::Value(value)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn turned(text: &str, at: &str, field: Option<&str>, piece: usize) -> String {
        let mut unmap = Unmap::new(&at.parse().unwrap(), field);
        let mut turned = Vec::new();
        for piece in text.as_bytes().chunks(piece) {
            turned.extend_from_slice(unmap.turn(piece));
        }
        String::from_utf8(turned).unwrap()
    }

    #[test]
    fn an_object_becomes_a_list_of_its_values_whatever_the_pieces() {
        let cases = [
            (
                r#"{"17":{"a":1},"18":{"b":[{}]}}"#,
                "",
                r#"[{"a":1},{"b":[{}]}]"#,
            ),
            (
                "\u{feff} {\n \"17\" : {\"a\":1} ,\n \"18\":{} }\n",
                "",
                "\u{feff} [{\"a\":1},{}]\n",
            ),
            (
                r#"{"n":{"posts":{"x":1}},"posts":{"1":{"}":"\"}"}},"next":{"posts":{}}}"#,
                "posts",
                r#"{"n":{"posts":{"x":1}},"posts":[{"}":"\"}"}],"next":{"posts":{}}}"#,
            ),
            (
                r#"{"d":{"p":{"a\"b":{},"\\":{}},"t":2}}"#,
                "d.p",
                r#"{"d":{"p":[{},{}],"t":2}}"#,
            ),
            (r#"{"p":{}}"#, "p", r#"{"p":[]}"#),
            (
                r#"{"p":{"a":null,"b":7 ,"c":"}","d":[1],"e":true}}"#,
                "p",
                r#"{"p":[null,7,"}",[1],true]}"#,
            ),
            // What is not an object is passed on unchanged.
            (
                r#"{"p":[{"id":1}],"q":{}}"#,
                "p",
                r#"{"p":[{"id":1}],"q":{}}"#,
            ),
            (r#"{"p":null}"#, "p", r#"{"p":null}"#),
            (r#"{"q":{"1":{}}}"#, "p", r#"{"q":{"1":{}}}"#),
            ("[]", "", "[]"),
            ("", "", ""),
            (r#"{"p":{"a":{}"#, "p", r#"{"p":[{}"#),
        ];
        for (text, at, expected) in cases {
            for piece in 1..=text.len().max(1) {
                assert_eq!(turned(text, at, None, piece), expected, "{text} by {piece}");
            }
        }
    }

    #[test]
    fn a_record_gets_its_key_where_that_is_wanted() {
        let cases = [
            (r#"{"17":{"a":1}}"#, r#"[{"id":"17","a":1}]"#),
            (
                r#"{"-Mx":{ }, "b":{ "c":{}}}"#,
                r#"[{"id":"-Mx" },{"id":"b" ,"c":{}}]"#,
            ),
            (r#"{"a\"b":{}}"#, r#"[{"id":"a\"b"}]"#),
            (r#"{"1":5,"2":null,"3":[]}"#, "[5,null,[]]"),
        ];
        for (text, expected) in cases {
            for piece in 1..=text.len() {
                assert_eq!(turned(text, "", Some("id"), piece), expected, "{text}");
            }
        }
        let long = format!(r#"{{"{}":{{}}}}"#, "x".repeat(LONGEST_KEY + 1));
        assert_eq!(turned(&long, "", Some("id"), 100), "[{}]");
    }

    proptest! {
        #[test]
        fn the_values_are_those_that_serde_finds(
            values in prop::collection::btree_map("[a-z\\\\\"{}:,]{1,4}", "[a-z\\\\\"{}\\[\\]:, ]{0,6}", 0..5),
            piece in 1_usize..20,
        ) {
            let records: serde_json::Map<_, _> = values
                .iter()
                .map(|(key, text)| (key.clone(), serde_json::json!({ "v": text })))
                .collect();
            let text = serde_json::to_string(&records).unwrap();
            let list: Vec<serde_json::Value> =
                serde_json::from_str(&turned(&text, "", None, piece)).unwrap();
            prop_assert_eq!(&list, &records.values().cloned().collect::<Vec<_>>());
            let list: Vec<serde_json::Value> =
                serde_json::from_str(&turned(&text, "", Some("k"), piece)).unwrap();
            let keys: Vec<_> = list.iter().map(|record| record["k"].as_str().unwrap()).collect();
            prop_assert_eq!(keys, records.keys().map(String::as_str).collect::<Vec<_>>());
        }

        #[test]
        fn whatever_comes_is_turned_without_trouble(bytes in prop::collection::vec(any::<u8>(), 0..60), piece in 1_usize..9) {
            for at in ["", "p"] {
                let mut unmap = Unmap::new(&at.parse().unwrap(), Some("id"));
                for piece in bytes.chunks(piece) {
                    unmap.turn(piece);
                }
            }
        }
    }
}
