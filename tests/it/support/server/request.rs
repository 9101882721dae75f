//! What the server was asked.

use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read};

/// More than a request of ours ever has.
const HEAD_LIMIT: u64 = 64 * 1024;

/// One request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// In the client's letters.
    pub(crate) method: String,
    /// Without the query, not decoded.
    pub(crate) path: String,
    /// Without the question mark, not decoded; empty where there is none.
    pub(crate) query: String,
    /// In the order they came, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Empty where there is none.
    pub(crate) body: Vec<u8>,
    /// Which connection it came over, counted from 0 in the order they were accepted.
    pub(crate) connection: usize,
}

impl Request {
    /// The value of the first header with this name, in any letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut same = self
            .headers
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name));
        same.next().map(|(_, value)| value.as_str())
    }

    pub(super) fn wants_close(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Reads the next request; `None` where the client has left. One that breaks off in the middle of
    /// a request is an error, but no complaint: a client may be killed at any time.
    ///
    /// # Errors
    /// `InvalidData` for what is no request that this server understands.
    pub(super) fn read(reader: &mut impl BufRead, connection: usize) -> io::Result<Option<Self>> {
        let mut limited = reader.by_ref().take(HEAD_LIMIT);
        let head = Self::read_head(&mut limited);
        if limited.limit() == 0 {
            return Err(invalid("a head that does not end"));
        }
        let Some(mut request) = head? else {
            return Ok(None);
        };
        request.connection = connection;
        if request.header("transfer-encoding").is_some() {
            return Err(invalid(&format!(
                "{request}: a chunked body is not understood here"
            )));
        }
        let length = request.header("content-length").map_or(Ok(0), str::parse);
        request.body = vec![0; length.map_err(|_| invalid("a Content-Length that is no number"))?];
        reader.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first) = read_line(reader)? else {
            return Ok(None);
        };
        let mut request = match first.split(' ').collect::<Vec<_>>()[..] {
            [method, target, "HTTP/1.1"] if target.starts_with('/') => {
                let (path, query) = target.split_once('?').unwrap_or((target, ""));
                Self {
                    method: method.into(),
                    path: path.into(),
                    query: query.into(),
                    ..Self::default()
                }
            }
            _ => return Err(invalid(&first)),
        };
        loop {
            let line = read_line(reader)?.ok_or(ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(Some(request));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            request
                .headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.query.is_empty() { "" } else { "?" };
        write!(out, "{} {}{mark}{}", self.method, self.path, self.query)
    }
}

/// A line without its end; `None` at the end of the input.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if !line.ends_with(b"\n") {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let line = line
        .strip_suffix(b"\r\n")
        .ok_or_else(|| invalid("a line that ends in a bare LF"))?;
    Ok(Some(String::from_utf8_lossy(line).into_owned()))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
