//! When people are active.

use super::chart::{Bar, Caption, Series, bars, heat_map};
use super::figure::{Figure, Tile, Tiles};
use super::section::Section;
use super::table::{Cell, Column, Table};
use super::words::{counted, day, duration, length, measured, number};
use crate::report::{Dates, FirstAnswer, Week};

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// How many weeks one bar may stand for, up to a year; then whole years.
const STRETCHES: [usize; 5] = [1, 2, 4, 13, 26];
const YEAR: usize = 52;
/// More bars than this are too thin for a phone.
const BARS: usize = 80;

/// When people are active.
pub(super) fn section(dates: &Dates) -> Section {
    let weeks = Weeks::new(&dates.weeks);
    let tiles = Tiles {
        tiles: tiles(dates),
    };
    let mut parts = vec![tiles.to_string()];
    if !dates.weeks.is_empty() {
        parts.push(weeks.written().to_string());
        parts.push(weeks.people().to_string());
    }
    parts.push(hours(dates).to_string());
    Section {
        id: "dates",
        title: "When",
        notes: vec![format!(
            "Days and hours are those of {}; weeks begin on Monday.",
            dates.zone()
        )],
        parts,
    }
}

fn tiles(dates: &Dates) -> Vec<Tile> {
    let mut tiles = vec![Tile {
        name: "Active days",
        value: number(dates.days.len() as u64),
        note: "on which something was written".to_owned(),
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
            note: format!("{} posts and comments", number(written)),
        });
    }
    if let Some(first) = &dates.first_answer {
        tiles.extend(waits(first));
    }
    tiles
}

fn waits(first: &FirstAnswer) -> [Tile; 2] {
    let answered = counted(first.answered, "answered post");
    [
        Tile {
            name: "Time to first answer, median",
            value: duration(first.median),
            note: format!("half of {answered}"),
        },
        Tile {
            name: "Time to first answer, 90%",
            value: duration(first.percentile_90),
            note: "nine of ten waited no longer".to_owned(),
        },
    ]
}

/// Weeks, several of them to a bar where there are many.
struct Weeks<'a> {
    stretches: Vec<&'a [Week]>,
    /// How many weeks a bar stands for.
    each: usize,
}

impl<'a> Weeks<'a> {
    fn new(weeks: &'a [Week]) -> Self {
        let fits = |each: &usize| weeks.len().div_ceil(*each) <= BARS;
        let each = STRETCHES.into_iter().find(fits).unwrap_or_else(|| {
            let years = weeks.len().div_ceil(YEAR * BARS);
            YEAR * years
        });
        Self {
            stretches: weeks.chunks(each).collect(),
            each,
        }
    }

    fn by(&self) -> String {
        match self.each {
            1 => "week".to_owned(),
            each => format!("{each} weeks"),
        }
    }

    fn label(&self, weeks: &[Week]) -> String {
        let monday = weeks
            .first()
            .map_or_else(String::new, |week| day(week.monday));
        match self.each {
            1 => format!("Week of {monday}"),
            each => format!("{each} weeks from {monday}"),
        }
    }

    fn tick(&self, weeks: &[Week]) -> String {
        // A year apart, days say little.
        let form = if self.stretches.len() * self.each > 2 * YEAR {
            "%b %Y"
        } else {
            "%-d %b"
        };
        weeks
            .first()
            .map_or_else(String::new, |week| week.monday.strftime(form).to_string())
    }

    fn bars(&self, values: impl Fn(&[Week]) -> Vec<f64>) -> Vec<Bar> {
        let bar = |weeks: &&[Week]| Bar {
            label: self.label(weeks),
            tick: self.tick(weeks),
            values: values(weeks),
        };
        self.stretches.iter().map(bar).collect()
    }

    /// Posts and comments.
    fn written(&self) -> Figure {
        const SERIES: [Series; 2] = [("posts", "posts"), ("comments", "comments")];
        let values = |weeks: &[Week]| {
            let sum = |count: fn(&Week) -> u64| length(weeks.iter().map(count).sum());
            vec![sum(|week| week.posts), sum(|week| week.comments)]
        };
        let bars = self.bars(values);
        let most = bars.iter().rev().max_by(|one, other| {
            let sum = |bar: &Bar| bar.values.iter().sum::<f64>();
            sum(one).total_cmp(&sum(other))
        });
        let says = most.map_or_else(String::new, |bar| {
            let written: f64 = bar.values.iter().sum();
            format!("Most: {}, with {}.", lower(&bar.label), measured(written))
        });
        let title = format!("Posts and comments by {}", self.by());
        stacked(("written", &title, says), &SERIES, &bars, "wide")
    }

    /// Who wrote for the first time, and who came back.
    fn people(&self) -> Figure {
        const SERIES: [Series; 2] = [("returning", "returning"), ("new", "new")];
        // People come back in several weeks: their sum would count them more than once.
        let values = |weeks: &[Week]| {
            let mean = |count: fn(&Week) -> u64| {
                length(weeks.iter().map(count).sum()) / length(weeks.len() as u64)
            };
            vec![
                mean(|week| week.returning_users),
                mean(|week| week.new_users),
            ]
        };
        let title = match self.each {
            1 => "New and returning users by week".to_owned(),
            each => format!("New and returning users a week, on average over {each} weeks"),
        };
        let says =
            "New users wrote for the first time; returning ones had done so in an earlier week.";
        let bars = self.bars(values);
        stacked(("people", &title, says.to_owned()), &SERIES, &bars, "half")
    }
}

/// `Week of …` inside a sentence.
fn lower(label: &str) -> String {
    label.replacen('W', "w", 1)
}

/// A figure of stacked bars, with its numbers.
pub(super) fn stacked(
    (id, title, says): (&str, &str, String),
    series: &[Series],
    stacks: &[Bar],
    class: &'static str,
) -> Figure {
    let caption = Caption {
        id,
        title,
        description: &says,
    };
    let chart = bars(&caption, series, stacks);
    let names = series.iter().map(|(name, _)| Column::numbers(*name));
    let rows = stacks.iter().enumerate().map(|(row, bar)| {
        let values = bar
            .values
            .iter()
            .map(|value| Cell::measure(measured(*value), value));
        let label = Cell::measure(bar.label.clone(), row);
        [label].into_iter().chain(values).collect()
    });
    let numbers = Table {
        label: "The chart's numbers",
        columns: [Column::text("When")].into_iter().chain(names).collect(),
        rows: rows.collect(),
        class: "plain",
    };
    Figure {
        title: title.to_owned(),
        says,
        legend: series.to_vec(),
        chart,
        numbers,
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
    // The first of equals.
    let busiest = cells.rev().max_by_key(|(count, ..)| *count);
    let says = match busiest {
        Some((count, day, hour)) if count > 0 => format!(
            "Busiest: {}, {hour:02} to {:02} h, with {}. The stronger the colour, the more was written.",
            WEEKDAYS[day],
            hour + 1,
            number(count)
        ),
        _ => "Nothing was written.".to_owned(),
    };
    let caption = Caption {
        id: "hours",
        title,
        description: &says,
    };
    let chart = heat_map(&caption, &WEEKDAYS, &dates.hours);
    let rows = WEEKDAYS
        .iter()
        .zip(&dates.hours)
        .enumerate()
        .map(|(row, (day, hours))| {
            let counts = hours.iter().map(|count| Cell::count(Some(*count)));
            let day = Cell::measure((*day).to_owned(), row);
            [day].into_iter().chain(counts).collect()
        });
    let hours = (0..24).map(|hour| Column::numbers(format!("{hour:02}")));
    Figure {
        title: title.to_owned(),
        says,
        legend: Vec::new(),
        chart,
        numbers: Table {
            label: "Posts and comments by weekday and hour",
            columns: [Column::text("Day")].into_iter().chain(hours).collect(),
            rows: rows.collect(),
            class: "plain dense",
        },
        class: "half",
    }
}
