//! Responsive SVG charts.
//!
//! Horizontal positions are in percent and heights in pixels, so text keeps its size on a phone.
//! CSS classes set the colours, for light mode, dark mode and print.

use svg::Node;
use svg::node::element::{Description, Element, Group, Line, Rectangle, SVG, Text, Title};

use super::format::{as_f64, axis_label, decimal, number};

/// The height of the bars, in pixels.
const HEIGHT: f64 = 168.0;
/// The space above for the top label.
const TOP: f64 = 10.0;
/// With fewer bars than this, bars do not get wider.
const MIN_SLOTS: usize = 12;

/// The accessible name and description.
#[derive(Debug)]
pub(super) struct Caption<'a> {
    /// The chart's id on the page.
    pub(super) id: &'a str,
    /// The name.
    pub(super) title: &'a str,
    /// The description.
    pub(super) description: &'a str,
}

/// A stacked bar.
#[derive(Debug)]
pub(super) struct Bar {
    /// Its name, in the tooltip.
    pub(super) label: String,
    /// The label below it, if there is space.
    pub(super) tick: String,
    /// The values, from the bottom up.
    pub(super) values: Vec<f64>,
}

/// A series: its name and CSS class.
pub(super) type Series = (&'static str, &'static str);

/// A chart of stacked bars.
pub(super) fn bars(caption: &Caption<'_>, series: &[Series], bars: &[Bar]) -> String {
    let max = bars
        .iter()
        .map(|bar| bar.values.iter().sum())
        .fold(0.0, f64::max);
    let (step, ticks) = scale(max);
    let top = step * as_f64(ticks);
    let mut chart = frame(caption, "chart bars", HEIGHT + TOP + 26.0);
    for tick in 0..=ticks {
        let y = TOP + HEIGHT - HEIGHT * as_f64(tick) / as_f64(ticks);
        let class = if tick == 0 { "axis" } else { "grid" };
        chart = chart.add(horizontal_line(y, class)).add(text(
            -8.0,
            y + 4.0,
            "end",
            &axis_label(step * as_f64(tick)),
        ));
    }
    let slot = 100.0 / as_f64(bars.len().max(MIN_SLOTS) as u64);
    let left = (100.0 - slot * as_f64(bars.len() as u64)) / 2.0;
    for (index, bar) in bars.iter().enumerate() {
        let x = left + slot * as_f64(index as u64);
        chart = chart.add(stack(bar, series, (x, slot), top));
    }
    for (index, label) in tick_labels(bars) {
        let x = left + slot * (as_f64(index as u64) + 0.5);
        chart = chart.add(label.set("x", percent(x)).set("y", TOP + HEIGHT + 20.0));
    }
    chart.to_string()
}

/// One bar, with its values in a tooltip.
fn stack(bar: &Bar, series: &[Series], (x, slot): (f64, f64), top: f64) -> Group {
    let numbers: Vec<_> = series
        .iter()
        .zip(&bar.values)
        .map(|((name, _), value)| format!("{} {name}", decimal(*value)))
        .collect();
    let tooltip = format!("{}: {}", bar.label, numbers.join(", "));
    let target = Rectangle::new()
        .set("class", "target")
        .set("x", percent(x))
        .set("y", TOP)
        .set("width", percent(slot))
        .set("height", HEIGHT);
    let mut group = Group::new().add(Title::new(tooltip)).add(target);
    let mut bottom = TOP + HEIGHT;
    for ((_, class), value) in series.iter().zip(&bar.values) {
        if *value <= 0.0 {
            continue;
        }
        // At least a pixel, so that it is visible.
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

/// Labels below some bars: at most eight, and every other one only on wide screens.
fn tick_labels(bars: &[Bar]) -> impl Iterator<Item = (usize, Text)> + '_ {
    let every = bars.len().div_ceil(8).max(1);
    // The middle of each interval, so that no label overflows the chart.
    let chosen = bars.iter().enumerate().skip(every / 2).step_by(every);
    chosen.enumerate().map(move |(nth, (index, bar))| {
        let class = if nth % 2 == 0 { "tick" } else { "tick minor" };
        let label = Text::new(&*bar.tick)
            .set("class", class)
            .set("text-anchor", "middle");
        (index, label)
    })
}

/// A heat map of weekdays and hours.
pub(super) fn heat_map(caption: &Caption<'_>, days: &[&str; 7], hours: &[[u64; 24]; 7]) -> String {
    const ROW: f64 = 22.0;
    const COLUMN: f64 = 100.0 / 24.0;
    let max_count = hours.iter().flatten().copied().max().unwrap_or(0).max(1);
    let mut chart = frame(caption, "chart heat", ROW * 7.0 + 24.0);
    for (row, (day, counts)) in days.iter().zip(hours).enumerate() {
        let y = ROW * as_f64(row as u64);
        chart = chart.add(text(-8.0, y + 15.0, "end", &day[..3]));
        for (hour, count) in counts.iter().enumerate() {
            let tooltip = format!("{day}, {hour:02}–{:02} h: {}", hour + 1, number(*count));
            let mut cell = Rectangle::new()
                .set("class", if *count == 0 { "none" } else { "some" })
                .set("x", percent(COLUMN * as_f64(hour as u64) + 0.25))
                .set("y", y + 1.0)
                .set("width", percent(COLUMN - 0.5))
                .set("height", ROW - 2.0)
                .set("rx", 3);
            if *count > 0 {
                let strength = 0.14 + 0.86 * as_f64(*count) / as_f64(max_count);
                cell = cell.set("fill-opacity", round(strength));
            }
            chart = chart.add(Group::new().add(Title::new(tooltip)).add(cell));
        }
    }
    for hour in (0..24).step_by(3) {
        let class = if hour % 6 == 0 { "tick" } else { "tick minor" };
        let label = Text::new(format!("{hour:02}"))
            .set("class", class)
            .set("text-anchor", "middle")
            .set("x", percent(COLUMN * (as_f64(hour) + 0.5)))
            .set("y", ROW * 7.0 + 18.0);
        chart = chart.add(label);
    }
    chart.to_string()
}

/// An empty chart with its name and description.
fn frame(caption: &Caption<'_>, class: &str, height: f64) -> SVG {
    let (title, description) = (
        format!("{}-title", caption.id),
        format!("{}-desc", caption.id),
    );
    let details = Description::new().add(svg::node::Text::new(caption.description));
    SVG::new()
        .set("class", class)
        .set("role", "img")
        .set("aria-labelledby", title.as_str())
        .set("aria-describedby", description.as_str())
        .set("height", height)
        .add(with_id(Title::new(caption.title), &title))
        .add(with_id(details, &description))
}

/// An element with an id.
fn with_id(element: impl Into<Element>, id: &str) -> Element {
    let mut element = element.into();
    element.assign("id", id);
    element
}

fn horizontal_line(y: f64, class: &str) -> Line {
    Line::new()
        .set("class", class)
        .set("x1", 0)
        .set("x2", "100%")
        .set("y1", round(y))
        .set("y2", round(y))
}

fn text(x: f64, y: f64, anchor: &str, label: &str) -> Text {
    Text::new(label)
        .set("class", "tick")
        .set("text-anchor", anchor)
        .set("x", x)
        .set("y", round(y))
}

/// An axis up to a maximum: the step (1, 2 or 5 times a power of ten) and how many, at most five.
fn scale(max: f64) -> (f64, u64) {
    let rough = (max / 4.0).max(1.0);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power);
    let mut ticks = 1;
    while step * as_f64(ticks) < max {
        ticks += 1;
    }
    (step, ticks)
}

fn percent(value: f64) -> String {
    format!("{}%", round(value))
}

/// Two decimals are finer than any screen.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_few_round_steps_and_reaches_the_maximum() {
        let cases = [
            (0.0, (1.0, 1)),
            (1.0, (1.0, 1)),
            (4.0, (1.0, 4)),
            (5.0, (2.0, 3)),
            (17.0, (5.0, 4)),
            (500.0, (200.0, 3)),
            (1e19, (5e18, 2)),
        ];
        for (max, expected) in cases {
            assert_eq!(scale(max), expected, "{max}");
        }
    }

    #[test]
    fn text_in_a_chart_is_escaped() {
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
