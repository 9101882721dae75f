//! Mistakes in source files, shown as compilers do: the line, the position, and what is expected.

use std::ops::Range;

use activity_tracker::source::Mistake;
use activity_tracker::text::Printable;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Renders a mistake; `renderer` determines the colours.
///
/// Control characters in the line are replaced by their Unicode symbols.
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
    let part = |bytes: Range<usize>| without_c1(text.get(bytes).unwrap_or_default());
    let before = part(0..place.start);
    let marked = part(place.clone());
    let text = [&*before, &*marked, &*part(place.end..text.len())].concat();
    let mark = AnnotationKind::Primary
        .span(before.len()..before.len() + marked.len())
        .label(without_c1(expected));
    let lines = Snippet::source(text)
        .line_start(*line)
        .path(Printable(file).to_string())
        .annotation(mark);
    let title = Level::ERROR.primary_title(without_c1(title));
    let mut report = vec![title.element(lines)];
    if let Some(help) = help {
        report.push(annotate_snippets::Group::with_title(
            Level::HELP.secondary_title(without_c1(help)),
        ));
    }
    renderer.render(&report)
}

/// Replaces the C1 controls, which some terminals interpret and which have no symbols.
fn without_c1(text: &str) -> String {
    text.replace(|c| matches!(c, '\u{80}'..='\u{9f}'), "\u{fffd}")
}

#[cfg(test)]
mod tests;
