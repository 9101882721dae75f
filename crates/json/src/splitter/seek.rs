//! Finds the array of records inside a response that wraps it: `{"data": [ … ], "next": …}`.

/// Scans a response until the array at a path of keys begins.
#[derive(Clone, Debug)]
pub(super) struct Seeker {
    keys: Vec<String>,
    /// The opening bracket of the target.
    opening: u8,
    /// How many keys of the path have been entered.
    matched: usize,
    /// How many brackets are open.
    depth: usize,
    string: InString,
    /// The key being read, or the last one, with its escapes.
    key: Vec<u8>,
    /// Whether the next string, in an object on the path, is a key.
    expects_key: bool,
    /// Whether the next value is on the path.
    on_path: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InString {
    No,
    Yes,
    BehindBackslash,
}

/// What is at the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An array: the number of bytes up to and including its opening bracket.
    Array(usize),
    /// A literal in its place, and the number of bytes before it. Only `null` is valid there, which
    /// some APIs send if there is nothing.
    Null(usize),
    /// An object, if that is the target: the number of bytes up to and including its opening
    /// bracket.
    Object(usize),
}

/// The target is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The path does not exist: a key is absent or null, or the response itself is null or an
    /// array. Some APIs send this if there is nothing.
    Absent,
    /// Something else is in its place; this is its first byte.
    Other(u8),
}

impl Seeker {
    /// Seeks an array.
    pub(super) fn new(keys: &[String]) -> Self {
        Self {
            keys: keys.to_vec(),
            opening: b'[',
            matched: 0,
            depth: 0,
            string: InString::No,
            key: Vec::new(),
            expects_key: false,
            on_path: false,
        }
    }

    /// Seeks an object.
    pub(super) fn of_object(keys: &[String]) -> Self {
        Self {
            opening: b'{',
            ..Self::new(keys)
        }
    }

    /// Scans `bytes` until the target begins.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<Option<Found>, Missing> {
        for (index, byte) in bytes.iter().enumerate() {
            if self.string != InString::No {
                self.take_string(*byte);
            } else if *byte == b'n' && self.is_home() && self.on_path && self.is_last() {
                return Ok(Some(Found::Null(index)));
            } else if self.structure(*byte)? {
                return Ok(Some(match byte {
                    b'{' => Found::Object(index + 1),
                    _ => Found::Array(index + 1),
                }));
            }
        }
        Ok(None)
    }

    /// Whether the next key is the last one of the path.
    fn is_last(&self) -> bool {
        self.matched + 1 == self.keys.len()
    }

    /// Whether we are in the object that contains the next key of the path.
    fn is_home(&self) -> bool {
        self.depth == self.matched + 1
    }

    fn take_string(&mut self, byte: u8) {
        self.string = match (self.string, byte) {
            (InString::Yes, b'"') => InString::No,
            (InString::Yes, b'\\') => InString::BehindBackslash,
            _ => InString::Yes,
        };
        if self.string != InString::No && self.is_home() && self.expects_key {
            self.key.push(byte);
        }
    }

    /// Processes a byte outside of strings; returns whether it opens the target.
    fn structure(&mut self, byte: u8) -> Result<bool, Missing> {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b'[' | b'n' if self.depth == 0 => return Err(Missing::Absent),
            _ if self.depth == 0 && byte != b'{' => return Err(Missing::Other(byte)),
            b'"' => {
                self.string = InString::Yes;
                if self.is_home() && self.expects_key {
                    self.key.clear();
                } else if self.is_home() && self.on_path {
                    return Err(Missing::Other(byte));
                }
            }
            b':' if self.is_home() => {
                self.expects_key = false;
                self.on_path = self
                    .keys
                    .get(self.matched)
                    .is_some_and(|key| is_key(&self.key, key));
            }
            b',' if self.is_home() => self.expects_key = true,
            b'{' | b'[' => {
                if self.is_home() && self.on_path {
                    match (byte, self.is_last()) {
                        (opening, true) if opening == self.opening => return Ok(true),
                        (b'{', false) => self.matched += 1,
                        _ => return Err(Missing::Other(byte)),
                    }
                }
                self.depth += 1;
                if self.is_home() {
                    self.expects_key = true;
                    self.on_path = false;
                }
            }
            b'}' | b']' => {
                // Leaving the object on the path without having found the key.
                if self.is_home() {
                    return Err(Missing::Absent);
                }
                self.depth -= 1;
            }
            // A number or literal on the path.
            b'n' if self.is_home() && self.on_path => return Err(Missing::Absent),
            _ if self.is_home() && self.on_path => return Err(Missing::Other(byte)),
            _ => {}
        }
        Ok(false)
    }
}

/// Compares a key in JSON, with escapes, with one in plain text.
fn is_key(raw: &[u8], key: &str) -> bool {
    if !raw.contains(&b'\\') {
        return raw == key.as_bytes();
    }
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).is_ok_and(|plain| plain == key)
}
