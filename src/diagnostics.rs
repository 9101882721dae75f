//! Mistakes in source files, shown as compilers show theirs: the line, the place marked,
//! what is expected there.

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
    let mark = AnnotationKind::Primary
        .span(place.clone())
        .label(expected.as_str());
    let lines = Snippet::source(text.as_str())
        .line_start(*line)
        .path(Printable(file).to_string())
        .annotation(mark);
    let mut report = vec![Level::ERROR.primary_title(title.as_str()).element(lines)];
    if let Some(help) = help {
        report.push(annotate_snippets::Group::with_title(
            Level::HELP.secondary_title(help.as_str()),
        ));
    }
    renderer.render(&report)
}

#[cfg(test)]
mod tests;
