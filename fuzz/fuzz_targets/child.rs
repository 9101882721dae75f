//! The URL of a record's children: a path of a source file with an id in the place of its placeholder.
//!
//! An input is a line with the path, and the id; an id of digits is a number as well.
#![no_main]

use activity_tracker::record::Id;
use activity_tracker::fuzzing::{child_url, is_child_template};
use activity_tracker::source::Source;
use activity_tracker_fuzz::first_line;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;

const PLACEHOLDER: &str = "{post_id}";

fuzz_target!(|input: &[u8]| {
    let (path, id) = first_line(input);
    let (Ok(path), Ok(id)) = (std::str::from_utf8(path), std::str::from_utf8(id)) else {
        return;
    };
    if !is_child_template(path) {
        return;
    }
    let source = Source::of_shape("fuzz", "https://api.test/v1").expect("a base URL");
    let plain = Id::Number(7);
    let expected = child_url(&source, path, &plain).expect("a number stands in every path");
    match child_url(&source, path, &Id::Text(id.into())) {
        Some(url) => {
            assert_eq!(url.origin(), source.base_url.origin());
            assert_eq!((url.query(), url.fragment()), (None, None));
            let segments = |url: &url::Url| -> Vec<String> {
                url.path().split('/').map(str::to_owned).collect()
            };
            let (found, expected) = (segments(&url), segments(&expected));
            assert_eq!(found.len(), expected.len(), "{url}");
            assert_eq!(found[..2], ["", "v1"], "{url}");
            let trimmed = path.trim_start_matches('/');
            let at = 2 + trimmed
                .split('/')
                .position(|part| part.contains(PLACEHOLDER))
                .expect("one");
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!(index == at || found == expected, "{url}");
            }
            let decoded = percent_decode_str(&found[at]).collect::<Vec<_>>();
            let holds = |needle: &[u8]| decoded.windows(needle.len()).any(|part| part == needle);
            assert!(holds(id.as_bytes()), "{url}");
            assert!(!id.is_empty() && !climbs(id), "{url}");
        }
        None => assert!(id.is_empty() || climbs_decoded(id), "{id:?}"),
    }
    if let Ok(number) = id.parse() {
        assert!(child_url(&source, path, &Id::Number(number)).is_some());
    }
});

/// Whether there are dots between slashes.
fn climbs(text: &str) -> bool {
    text.split(['/', '\\'])
        .any(|part| part == "." || part == "..")
}

/// Whether there are once it is decoded as often as that changes anything.
fn climbs_decoded(text: &str) -> bool {
    let mut text = text.to_owned();
    loop {
        if climbs(&text) {
            return true;
        }
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            return false;
        }
        text = decoded;
    }
}
