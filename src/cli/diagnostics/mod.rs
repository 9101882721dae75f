//! Mistakes in source files, shown as compilers show theirs: the line, the place marked,
//! what is expected there.

use std::ops::Range;

use activity_tracker::source::Mistake;
use activity_tracker::text::Printable;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Shows a mistake; `renderer` decides about colours.
///
/// Control characters in the line are shown as pictures of themselves.
pub(crate) fn render(mistake: &Mistake, renderer: &Renderer) -> String {
    let Mistake {
        file,
        line,
        text,
        place,
        title,
        expected,
        help,
    } = mistake;
    let part = |bytes: Range<usize>| harmless(text.get(bytes).unwrap_or_default());
    let before = part(0..place.start);
    let marked = part(place.clone());
    let text = [&*before, &*marked, &*part(place.end..text.len())].concat();
    let mark = AnnotationKind::Primary
        .span(before.len()..before.len() + marked.len())
        .label(harmless(expected));
    let lines = Snippet::source(text)
        .line_start(*line)
        .path(Printable(file).to_string())
        .annotation(mark);
    let title = Level::ERROR.primary_title(harmless(title));
    let mut report = vec![title.element(lines)];
    if let Some(help) = help {
        report.push(annotate_snippets::Group::with_title(
            Level::HELP.secondary_title(harmless(help)),
        ));
    }
    renderer.render(&report)
}

/// Takes out the C1 controls, which steer some terminals and have no pictures.
fn harmless(text: &str) -> String {
    text.replace(|c| matches!(c, '\u{80}'..='\u{9f}'), "\u{fffd}")
}

#[cfg(test)]
mod tests;
