//! Activity over time.

use super::chart::{Bar, Caption, Series, bars, heat_map};
use super::figure::{Figure, Tile, Tiles};
use super::format::{as_f64, count, day, decimal, duration, number};
use super::section::HtmlSection;
use super::table::{HtmlCell, HtmlColumn, HtmlTable};
use crate::report::{ActivityReport, Dates, ReplyTimes, Week};

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// How many weeks a bar may cover, up to half a year; then whole years.
const WEEKS_PER_BAR: [usize; 5] = [1, 2, 4, 13, 26];
const YEAR: usize = 52;
/// More bars than this are too thin on a phone.
const MAX_BARS: usize = 80;

/// The section about activity over time; `None` without dates.
pub(super) fn section(report: &ActivityReport) -> Option<HtmlSection> {
    let dates = report.dates.as_ref()?;
    let weeks = WeekCharts::new(&dates.weeks);
    let tiles = Tiles {
        tiles: tiles(dates),
    };
    let mut parts = vec![tiles.to_string()];
    if !dates.weeks.is_empty() {
        parts.push(weeks.written().to_string());
        parts.push(weeks.people().to_string());
    }
    parts.push(hours(dates).to_string());
    Some(HtmlSection {
        id: "activity",
        title: "Activity over time",
        notes: vec![format!(
            "Days and hours in {}; weeks start on Monday.",
            report.time_zone
        )],
        parts,
    })
}

fn tiles(dates: &Dates) -> Vec<Tile> {
    let mut tiles = vec![Tile {
        name: "Active days",
        value: number(dates.days.len() as u64),
        note: "with posts or comments".to_owned(),
    }];
    let busiest = dates
        .days
        .iter()
        .rev()
        .max_by_key(|day| day.posts + day.comments);
    if let Some(busiest) = busiest {
        let written = busiest.posts + busiest.comments;
        tiles.push(Tile {
            name: "Busiest day",
            value: day(busiest.date),
            note: format!("{} and comments", count(written, "post")),
        });
    }
    if let Some(times) = &dates.time_to_first_reply {
        tiles.extend(reply_times(times));
    }
    tiles
}

fn reply_times(times: &ReplyTimes) -> [Tile; 2] {
    let posts = format!("{} with replies", count(times.posts, "post"));
    [
        Tile {
            name: "Time to first reply, median",
            value: duration(times.median),
            note: posts.clone(),
        },
        Tile {
            name: "Time to first reply, p90",
            value: duration(times.percentile_90),
            note: posts,
        },
    ]
}

/// Charts by week, with several weeks per bar if there are many.
struct WeekCharts<'a> {
    bars: Vec<&'a [Week]>,
    weeks_per_bar: usize,
}

impl<'a> WeekCharts<'a> {
    fn new(weeks: &'a [Week]) -> Self {
        let fits = |weeks_per_bar: &usize| weeks.len().div_ceil(*weeks_per_bar) <= MAX_BARS;
        let weeks_per_bar = WEEKS_PER_BAR.into_iter().find(fits).unwrap_or_else(|| {
            let years = weeks.len().div_ceil(YEAR * MAX_BARS);
            YEAR * years
        });
        Self {
            bars: weeks.chunks(weeks_per_bar).collect(),
            weeks_per_bar,
        }
    }

    fn by(&self) -> String {
        match self.weeks_per_bar {
            1 => "week".to_owned(),
            weeks => format!("{weeks} weeks"),
        }
    }

    fn label(&self, weeks: &[Week]) -> String {
        let monday = weeks
            .first()
            .map_or_else(String::new, |week| day(week.monday));
        match self.weeks_per_bar {
            1 => format!("Week of {monday}"),
            weeks => format!("{weeks} weeks from {monday}"),
        }
    }

    fn tick(&self, weeks: &[Week]) -> String {
        // Over years, the day does not matter.
        let format = if self.bars.len() * self.weeks_per_bar > 2 * YEAR {
            "%b %Y"
        } else {
            "%-d %b"
        };
        weeks
            .first()
            .map_or_else(String::new, |week| week.monday.strftime(format).to_string())
    }

    fn bars(&self, values: impl Fn(&[Week]) -> Vec<f64>) -> Vec<Bar> {
        let bar = |weeks: &&[Week]| Bar {
            label: self.label(weeks),
            tick: self.tick(weeks),
            values: values(weeks),
        };
        self.bars.iter().map(bar).collect()
    }

    /// Posts and comments.
    fn written(&self) -> Figure {
        const SERIES: [Series; 2] = [("posts", "posts"), ("comments", "comments")];
        let values = |weeks: &[Week]| {
            let sum = |count: fn(&Week) -> u64| as_f64(weeks.iter().map(count).sum());
            vec![sum(|week| week.posts), sum(|week| week.comments)]
        };
        let bars = self.bars(values);
        let peak = bars.iter().rev().max_by(|one, other| {
            let sum = |bar: &Bar| bar.values.iter().sum::<f64>();
            sum(one).total_cmp(&sum(other))
        });
        let summary = peak.map_or_else(String::new, |bar| {
            let written: f64 = bar.values.iter().sum();
            format!("Peak: {}, {}.", lower(&bar.label), decimal(written))
        });
        let title = format!("Posts and comments by {}", self.by());
        stacked(("written", &title, summary), &SERIES, &bars, "wide")
    }

    /// New and returning authors.
    fn people(&self) -> Figure {
        const SERIES: [Series; 2] = [("returning", "returning"), ("new", "new")];
        // A sum would count people more than once.
        let values = |weeks: &[Week]| {
            let mean = |count: fn(&Week) -> u64| {
                as_f64(weeks.iter().map(count).sum()) / as_f64(weeks.len() as u64)
            };
            vec![
                mean(|week| week.returning_users),
                mean(|week| week.new_users),
            ]
        };
        let title = match self.weeks_per_bar {
            1 => "New and returning users by week".to_owned(),
            weeks => format!("New and returning users per week, averages of {weeks} weeks"),
        };
        let summary = "New: first post or comment. Returning: also active in an earlier week.";
        let bars = self.bars(values);
        stacked(
            ("people", &title, summary.to_owned()),
            &SERIES,
            &bars,
            "half",
        )
    }
}

/// `Week of …` within a sentence.
fn lower(label: &str) -> String {
    label.replacen('W', "w", 1)
}

/// A stacked bar chart with its data.
pub(super) fn stacked(
    (id, title, summary): (&str, &str, String),
    series: &[Series],
    stacks: &[Bar],
    class: &'static str,
) -> Figure {
    let caption = Caption {
        id,
        title,
        description: &summary,
    };
    let chart = bars(&caption, series, stacks);
    let names = series.iter().map(|(name, _)| HtmlColumn::numbers(*name));
    let rows = stacks.iter().enumerate().map(|(row, bar)| {
        let values = bar
            .values
            .iter()
            .map(|value| HtmlCell::measure(decimal(*value), value));
        let label = HtmlCell::measure(bar.label.clone(), row);
        [label].into_iter().chain(values).collect()
    });
    let data = HtmlTable {
        label: "Chart data",
        columns: [HtmlColumn::text("Time")]
            .into_iter()
            .chain(names)
            .collect(),
        rows: rows.collect(),
        class: "plain",
    };
    Figure {
        title: title.to_owned(),
        summary,
        legend: series.to_vec(),
        chart,
        data,
        class,
    }
}

fn hours(dates: &Dates) -> Figure {
    let title = "By weekday and hour";
    let cells = dates.hours.iter().enumerate().flat_map(|(day, hours)| {
        hours
            .iter()
            .enumerate()
            .map(move |(hour, count)| (*count, day, hour))
    });
    // `max_by_key` returns the last of equals; this is the first.
    let busiest = cells.rev().max_by_key(|(count, ..)| *count);
    let summary = match busiest {
        Some((count, day, hour)) if count > 0 => format!(
            "Peak: {}, {hour:02}–{:02} h, {}. Darker means more activity.",
            WEEKDAYS[day],
            hour + 1,
            number(count)
        ),
        _ => "No activity.".to_owned(),
    };
    let caption = Caption {
        id: "hours",
        title,
        description: &summary,
    };
    let chart = heat_map(&caption, &WEEKDAYS, &dates.hours);
    let rows = WEEKDAYS
        .iter()
        .zip(&dates.hours)
        .enumerate()
        .map(|(row, (day, hours))| {
            let counts = hours.iter().map(|count| HtmlCell::count(Some(*count)));
            let day = HtmlCell::measure((*day).to_owned(), row);
            [day].into_iter().chain(counts).collect()
        });
    let hours = (0..24).map(|hour| HtmlColumn::numbers(format!("{hour:02}")));
    Figure {
        title: title.to_owned(),
        summary,
        legend: Vec::new(),
        chart,
        data: HtmlTable {
            label: "Posts and comments by weekday and hour",
            columns: [HtmlColumn::text("Day")].into_iter().chain(hours).collect(),
            rows: rows.collect(),
            class: "plain dense",
        },
        class: "half",
    }
}
