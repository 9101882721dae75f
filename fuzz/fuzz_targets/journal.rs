//! The journal of a run's pages, on any bytes: it is read as far as it is whole.
//!
//! An input is a journal, as a crash may have left it.
#![no_main]

use activity_tracker::storage::Journaled;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(whole) = Journaled::parse(input) else {
        return;
    };
    let lines = input.iter().filter(|byte| **byte == b'\n').count();
    assert!(
        (whole.pages() as usize) < lines,
        "the first line is the run, each further one a page at most"
    );
    a_torn_tail_changes_nothing(input, &whole);
    less_was_written_means_fewer_pages(input, &whole);
});

/// What a crash left half-written is no line.
fn a_torn_tail_changes_nothing(input: &[u8], whole: &Journaled) {
    if input.ends_with(b"\n") {
        let torn = [input, b"{\"page\":{\"resource\":\"posts\",\"posi"].concat();
        assert_eq!(Journaled::parse(&torn).as_ref(), Some(whole));
    }
}

/// A journal that was cut off anywhere says nothing that the whole one does not.
fn less_was_written_means_fewer_pages(input: &[u8], whole: &Journaled) {
    let cuts = [input.len() / 2, input.len() - 1];
    for cut in cuts {
        if let Some(part) = Journaled::parse(&input[..cut]) {
            assert_eq!(part.header, whole.header);
            assert!(part.pages() <= whole.pages() && part.planned() <= whole.planned());
            assert!(whole.complete || !part.complete);
        }
    }
}
