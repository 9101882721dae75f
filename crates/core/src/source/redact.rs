//! Redacts possible credentials before a line of a source file is shown.

use std::ops::Range;

/// Parts of keys whose values are often credentials, rightly or not.
const TELLING: [&str; 9] = [
    "auth",
    "apikey",
    "bearer",
    "cookie",
    "credential",
    "passwd",
    "password",
    "secret",
    "token",
];

/// Keys of `[auth]` whose values are not credentials.
const PLAIN: [&str; 3] = ["name", "parameter", "file"];

/// `text` with the same length and lines, but with credentials replaced by stars.
///
/// Besides the known credential at `secret`, this redacts all values whose key suggests a
/// credential: the mistake on that line may be another one. `"${NAME}"` and `"{name}"` are kept,
/// because they are not credentials.
pub(super) fn covered(text: &str, secret: Option<Range<usize>>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut cover = |place: Range<usize>| {
        for byte in bytes.get_mut(place).into_iter().flatten() {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b'*';
            }
        }
    };
    cover(secret.unwrap_or_default());
    let mut auth = false;
    let mut open = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let places = if let Some(quotes) = open {
            let closing = line.find(quotes);
            open = closing.is_none().then_some(quotes);
            Vec::from([Range {
                start: 0,
                end: closing.unwrap_or(line.len()),
            }])
        } else {
            if let Some(table) = line.trim_start().strip_prefix('[') {
                auth = table.trim_start_matches(['[', ' ']).starts_with("auth");
            }
            values(line, auth)
        };
        for place in places {
            // A multi-line string continues on the next lines.
            let value = &line[place.clone()];
            let quotes = ["\"\"\"", "'''"].into_iter().find(|q| value.starts_with(q));
            open = open.or(quotes.filter(|quotes| value.matches(quotes).count() == 1));
            cover(start + place.start..start + place.end);
        }
        start += line.len();
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// The byte ranges of values on a line that must not be shown.
fn values(line: &str, auth: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut telling = auth;
    let mut at = 0;
    while let Some(equals) = line[at..].find('=').map(|equals| at + equals) {
        let key = plain(&line[at..equals]);
        telling |= TELLING.iter().any(|word| key.contains(word)) || key == "key";
        let value = &line[equals + 1..];
        let begin = equals + 1 + (value.len() - value.trim_start().len());
        let end = begin + value_length(&line[begin..]);
        let value = &line[begin..end];
        let url = value.contains("://") && value.contains('@');
        if (url || telling) && !PLAIN.contains(&key.as_str()) && !is_harmless(value) {
            found.push(begin..end);
        }
        // Into an inline table, and past anything else.
        at = if value.starts_with('{') {
            begin + 1
        } else {
            end
        };
    }
    found
}

/// References, placeholders, tables (whose values are checked one by one), and booleans.
fn is_harmless(value: &str) -> bool {
    if value.starts_with("\"\"\"") || value.starts_with("'''") {
        return false;
    }
    let inner = value.trim().trim_matches(['"', '\'']);
    let reference = inner.trim_start_matches('$').starts_with('{') && inner.ends_with('}');
    reference || value.starts_with('{') || matches!(inner, "" | "true" | "false")
}

/// The length of the value that a text begins with; the whole text if its end cannot be found.
fn value_length(text: &str) -> usize {
    let end = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let mut escaped = false;
            let closing = text.char_indices().skip(1).find(|(_, c)| {
                let closes = *c == quote && !escaped;
                escaped = quote == '"' && *c == '\\' && !escaped;
                closes
            });
            // Three quotes open a multi-line string.
            closing
                .map(|(at, _)| at + 1)
                .filter(|end| !text[*end..].starts_with(quote))
        }
        _ => text.find([',', '}', '#', '\n']),
    };
    end.unwrap_or(text.trim_end().len())
}

fn plain(key: &str) -> String {
    let key = key.to_lowercase();
    key.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_credential_is_covered_and_the_rest_stays() {
        let cases = [
            ("bearer = \"s3cret\"", "bearer = ********"),
            ("bearer = s3cret", "bearer = ******"),
            ("bearer = \"s3cret # x", "bearer = ***********"),
            ("bearer = 's3cret' # why", "bearer = ******** # why"),
            (
                "a = 1, token = \"a\\\"b\", b = 2",
                "a = 1, token = ******, b = *",
            ),
            ("bearer = \"${TOKEN}\"", "bearer = \"${TOKEN}\""),
            ("bearer = \"${TOKEN}s3cret\"", "bearer = ****************"),
            ("X-Api-Key = \"s\"", "X-Api-Key = ***"),
            (
                "[auth]\nvalue = \"s\"\nname = \"X-Key\"",
                "[auth]\nvalue = ***\nname = \"X-Key\"",
            ),
            (
                "[auth.basic]\nuser = \"s\"\n[posts]\npath = \"p\"",
                "[auth.basic]\nuser = ***\n[posts]\npath = \"p\"",
            ),
            (
                "auth = { header = { name = \"X\", value = \"s\" } }",
                "auth = { header = { name = \"X\", value = *** } }",
            ),
            ("auth = \"s\"", "auth = ***"),
            (
                "bearer = \"\"\"\ns3cret\n\"\"\"\nx = 1",
                "bearer = ***\n******\n\"\"\"\nx = 1",
            ),
            ("bearer = \"\"\"\ns3cret", "bearer = ***\n******"),
            ("user_id = \"user.id\"", "user_id = \"user.id\""),
            ("token = \"ä\"", "token = ****"),
            (
                "base_url = \"https://me:s@host",
                "base_url = ******************",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(covered(text, None), expected, "{text}");
        }
        assert_eq!(covered("x = \"s\"", Some(4..7)), "x = ***");
    }
}
