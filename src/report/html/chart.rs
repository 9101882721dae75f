//! Charts as SVG, which grow with the page while their text does not.
//!
//! Across, everything is placed in percent; heights are in pixels. So no text shrinks on a
//! phone. Colours are the style sheet's, by class, and follow light, dark and paper.

use svg::Node;
use svg::node::element::{Description, Element, Group, Line, Rectangle, SVG, Text, Title};

use super::words::{length, measured, on_axis};

/// How high the part with the bars is, in pixels.
const HEIGHT: f64 = 168.0;
/// Room above it for the highest label.
const TOP: f64 = 10.0;
/// Fewer bars than this leave room beside them in place of growing fat.
const FEW: usize = 12;

/// A name and an explanation for those who do not see the chart.
#[derive(Debug)]
pub(super) struct Caption<'a> {
    /// The chart's id on the page.
    pub(super) id: &'a str,
    /// What it shows.
    pub(super) title: &'a str,
    /// What there is to see.
    pub(super) description: &'a str,
}

/// One stack of values.
#[derive(Debug)]
pub(super) struct Bar {
    /// What it stands for.
    pub(super) label: String,
    /// What stands below it, if there is room.
    pub(super) tick: String,
    /// From the bottom up.
    pub(super) values: Vec<f64>,
}

/// A part of every bar: its name, and the class that colours it.
pub(super) type Series = (&'static str, &'static str);

/// Stacked bars.
pub(super) fn bars(caption: &Caption<'_>, series: &[Series], bars: &[Bar]) -> String {
    let highest = bars
        .iter()
        .map(|bar| bar.values.iter().sum())
        .fold(0.0, f64::max);
    let (step, ticks) = scale(highest);
    let top = step * length(ticks);
    let mut chart = frame(caption, "chart bars", HEIGHT + TOP + 26.0);
    for tick in 0..=ticks {
        let y = TOP + HEIGHT - HEIGHT * length(tick) / length(ticks);
        let class = if tick == 0 { "axis" } else { "grid" };
        chart = chart.add(across(y, class)).add(text(
            -8.0,
            y + 4.0,
            "end",
            &on_axis(step * length(tick)),
        ));
    }
    let slot = 100.0 / length(bars.len().max(FEW) as u64);
    let left = (100.0 - slot * length(bars.len() as u64)) / 2.0;
    for (index, bar) in bars.iter().enumerate() {
        let x = left + slot * length(index as u64);
        chart = chart.add(stack(bar, series, (x, slot), top));
    }
    for (index, label) in tick_labels(bars) {
        let x = left + slot * (length(index as u64) + 0.5);
        chart = chart.add(label.set("x", percent(x)).set("y", TOP + HEIGHT + 20.0));
    }
    chart.to_string()
}

/// One bar, with its numbers for whoever points at it.
fn stack(bar: &Bar, series: &[Series], (x, slot): (f64, f64), top: f64) -> Group {
    let numbers: Vec<_> = series
        .iter()
        .zip(&bar.values)
        .map(|((name, _), value)| format!("{} {name}", measured(*value)))
        .collect();
    let said = format!("{}: {}", bar.label, numbers.join(", "));
    let target = Rectangle::new()
        .set("class", "target")
        .set("x", percent(x))
        .set("y", TOP)
        .set("width", percent(slot))
        .set("height", HEIGHT);
    let mut group = Group::new().add(Title::new(said)).add(target);
    let mut bottom = TOP + HEIGHT;
    for ((_, class), value) in series.iter().zip(&bar.values) {
        if *value <= 0.0 {
            continue;
        }
        // A pixel at least: a little is not nothing.
        let height = (HEIGHT * value / top).max(1.0);
        bottom -= height;
        let part = Rectangle::new()
            .set("class", *class)
            .set("x", percent(x + slot * 0.14))
            .set("y", round(bottom))
            .set("width", percent(slot * 0.72))
            .set("height", round(height));
        group = group.add(part);
    }
    group
}

/// Labels below some of the bars: at most eight, every other one where there is room alone.
fn tick_labels(bars: &[Bar]) -> impl Iterator<Item = (usize, Text)> + '_ {
    let every = bars.len().div_ceil(8).max(1);
    // The middle of each stretch, so that no label hangs over the chart's edge.
    let chosen = bars.iter().enumerate().skip(every / 2).step_by(every);
    chosen.enumerate().map(move |(nth, (index, bar))| {
        let class = if nth % 2 == 0 { "tick" } else { "tick minor" };
        let label = Text::new(&*bar.tick)
            .set("class", class)
            .set("text-anchor", "middle");
        (index, label)
    })
}

/// What was written in each hour of each weekday.
pub(super) fn heat_map(caption: &Caption<'_>, days: &[&str; 7], hours: &[[u64; 24]; 7]) -> String {
    const ROW: f64 = 22.0;
    const COLUMN: f64 = 100.0 / 24.0;
    let most = hours.iter().flatten().copied().max().unwrap_or(0).max(1);
    let mut chart = frame(caption, "chart heat", ROW * 7.0 + 24.0);
    for (row, (day, counts)) in days.iter().zip(hours).enumerate() {
        let y = ROW * length(row as u64);
        chart = chart.add(text(-8.0, y + 15.0, "end", &day[..3]));
        for (hour, count) in counts.iter().enumerate() {
            let said = format!("{day}, {hour:02}–{:02} h: {count}", hour + 1);
            let mut cell = Rectangle::new()
                .set("class", if *count == 0 { "none" } else { "some" })
                .set("x", percent(COLUMN * length(hour as u64) + 0.25))
                .set("y", y + 1.0)
                .set("width", percent(COLUMN - 0.5))
                .set("height", ROW - 2.0)
                .set("rx", 3);
            if *count > 0 {
                let strength = 0.14 + 0.86 * length(*count) / length(most);
                cell = cell.set("fill-opacity", round(strength));
            }
            chart = chart.add(Group::new().add(Title::new(said)).add(cell));
        }
    }
    for hour in (0..24).step_by(3) {
        let class = if hour % 6 == 0 { "tick" } else { "tick minor" };
        let label = Text::new(format!("{hour:02}"))
            .set("class", class)
            .set("text-anchor", "middle")
            .set("x", percent(COLUMN * (length(hour) + 0.5)))
            .set("y", ROW * 7.0 + 18.0);
        chart = chart.add(label);
    }
    chart.to_string()
}

/// An empty chart that says what it is.
fn frame(caption: &Caption<'_>, class: &str, height: f64) -> SVG {
    let (title, description) = (
        format!("{}-title", caption.id),
        format!("{}-desc", caption.id),
    );
    let explanation = Description::new().add(svg::node::Text::new(caption.description));
    SVG::new()
        .set("class", class)
        .set("role", "img")
        .set("aria-labelledby", title.as_str())
        .set("aria-describedby", description.as_str())
        .set("height", height)
        .add(named(Title::new(caption.title), &title))
        .add(named(explanation, &description))
}

/// An element that others refer to.
fn named(element: impl Into<Element>, id: &str) -> Element {
    let mut element = element.into();
    element.assign("id", id);
    element
}

fn across(y: f64, class: &str) -> Line {
    Line::new()
        .set("class", class)
        .set("x1", 0)
        .set("x2", "100%")
        .set("y1", round(y))
        .set("y2", round(y))
}

fn text(x: f64, y: f64, anchor: &str, said: &str) -> Text {
    Text::new(said)
        .set("class", "tick")
        .set("text-anchor", anchor)
        .set("x", x)
        .set("y", round(y))
}

/// Steps of 1, 2 or 5 times a power of ten, four or five of them, up to what is there.
fn scale(highest: f64) -> (f64, u64) {
    let rough = (highest / 4.0).max(1.0);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power);
    let mut ticks = 1;
    while step * length(ticks) < highest {
        ticks += 1;
    }
    (step, ticks)
}

fn percent(value: f64) -> String {
    format!("{}%", round(value))
}

/// Two digits behind the point are finer than any screen.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_few_round_steps_and_reaches_the_highest() {
        let cases = [
            (0.0, (1.0, 1)),
            (1.0, (1.0, 1)),
            (4.0, (1.0, 4)),
            (5.0, (2.0, 3)),
            (17.0, (5.0, 4)),
            (500.0, (200.0, 3)),
            (1e19, (5e18, 2)),
        ];
        for (highest, expected) in cases {
            assert_eq!(scale(highest), expected, "{highest}");
        }
    }

    #[test]
    fn text_in_a_chart_is_text() {
        let caption = Caption {
            id: "c",
            title: "</title><script>",
            description: "\"&'",
        };
        let bar = Bar {
            label: "<b>".to_owned(),
            tick: "</text>".to_owned(),
            values: vec![1.0],
        };
        let chart = bars(&caption, &[("posts", "a")], &[bar]);
        assert!(
            !chart.contains("<script") && !chart.contains("<b>"),
            "{chart}"
        );
        assert!(chart.contains("&lt;/text&gt;"), "{chart}");
    }
}
