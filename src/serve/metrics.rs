//! The last runs in the text format of Prometheus, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::past;
use crate::error::{Error, StorageError};
use crate::history::{ChangeCounts, LoggedRun};
use crate::record::Resource;
use crate::storage::{Counts, Manifest, StoredSnapshot};

/// What is known of one source and flow.
#[derive(Debug, Default)]
struct Lane {
    /// How many runs there were, and their retries; none without a history.
    runs: Option<(u64, u64)>,
    started_at: Timestamp,
    finished_at: Timestamp,
    retries: Option<u64>,
    counts: BTreeMap<Resource, Counts>,
    changes: BTreeMap<Resource, ChangeCounts>,
}

/// By source and flow.
type Lanes = BTreeMap<(String, String), Lane>;

/// The metrics of what is in a data directory. Of one without any run there are none.
///
/// # Errors
/// When the history or a manifest cannot be read.
pub(super) fn text(data_dir: &Path) -> Result<String, Error> {
    let mut lanes = Lanes::new();
    past::each_run(data_dir, |run| add_run(&mut lanes, &run))?;
    let manifests = match StoredSnapshot::all(data_dir) {
        Err(Error::Storage(StorageError::NoSnapshot(_))) => Vec::new(),
        found => found?.into_iter().map(|stored| stored.manifest).collect(),
    };
    add_snapshots(&mut lanes, &manifests);
    Ok(written(&lanes))
}

/// Adds a run that is older than those before.
fn add_run(lanes: &mut Lanes, run: &LoggedRun) {
    let lane = lanes
        .entry((run.source.clone(), run.flow.clone()))
        .or_default();
    let (count, retries) = lane.runs.unwrap_or_default();
    if count == 0 {
        (lane.started_at, lane.finished_at) = (run.started_at, run.finished_at);
        lane.retries = Some(run.retries);
        let changes = run.resources.iter();
        lane.changes = changes.map(|(of, found)| (*of, found.changes)).collect();
    }
    for (resource, found) in &run.resources {
        // Where nothing had changed, what was found before still is.
        lane.counts.entry(*resource).or_insert(found.counts);
        lane.changes.entry(*resource).or_default();
    }
    // A file that somebody else wrote may hold any number.
    lane.runs = Some((count + 1, retries.saturating_add(run.retries)));
}

/// Adds what the snapshots tell that the runs do not.
fn add_snapshots(lanes: &mut Lanes, manifests: &[Manifest]) {
    for manifest in manifests {
        let key = (manifest.source.clone(), manifest.flow.name().to_owned());
        let lane = lanes.entry(key).or_default();
        // A run may keep no history, or not be in it yet.
        if lane.runs.is_none() || lane.finished_at < manifest.finished_at {
            (lane.started_at, lane.finished_at) = (manifest.started_at, manifest.finished_at);
            lane.counts.clone_from(&manifest.resources);
            lane.changes.clear();
            lane.retries = None;
        }
    }
}

fn written(lanes: &Lanes) -> String {
    let mut text = Text::default();
    text.family(
        "last_success_timestamp_seconds",
        "gauge",
        "When the last run that succeeded was finished, in seconds since 1970.",
    );
    for (of, lane) in lanes {
        text.sample(
            of,
            &[],
            seconds(lane.finished_at.duration_since(Timestamp::UNIX_EPOCH)),
        );
    }
    text.family(
        "last_run_duration_seconds",
        "gauge",
        "How long the last run took.",
    );
    for (of, lane) in lanes {
        text.sample(
            of,
            &[],
            seconds(lane.finished_at.duration_since(lane.started_at)),
        );
    }
    text.family(
        "last_run_retries",
        "gauge",
        "How many requests the last run sent again.",
    );
    for (of, lane) in lanes {
        if let Some(retries) = lane.retries {
            text.sample(of, &[], retries);
        }
    }
    text.family("records", "gauge", "Records that are stored, by resource.");
    for (of, lane) in lanes {
        for (resource, counts) in &lane.counts {
            text.sample(of, &[("resource", resource.name())], counts.records);
        }
    }
    text.family(
        "rejects",
        "gauge",
        "Records that came and could not be read, by resource.",
    );
    for (of, lane) in lanes {
        for (resource, counts) in &lane.counts {
            text.sample(of, &[("resource", resource.name())], counts.rejects);
        }
    }
    text.family(
        "last_run_changes",
        "gauge",
        "Records that were not what they had been before the last run, by resource and kind.",
    );
    for (of, lane) in lanes {
        for (resource, changes) in &lane.changes {
            let kinds = [
                ("added", changes.added),
                ("changed", changes.changed),
                ("removed", changes.removed),
            ];
            for (kind, count) in kinds {
                text.sample(of, &[("resource", resource.name()), ("kind", kind)], count);
            }
        }
    }
    totals(&mut text, lanes);
    text.0
}

/// What only ever grows, as long as the history is kept.
fn totals(text: &mut Text, lanes: &Lanes) {
    let known = || lanes.iter().filter_map(|(of, lane)| Some((of, lane.runs?)));
    text.family("runs_total", "counter", "Runs in the history.");
    for (of, (runs, _)) in known() {
        text.sample(of, &[], runs);
    }
    text.family(
        "retries_total",
        "counter",
        "Requests that were sent again in all runs of the history.",
    );
    for (of, (_, retries)) in known() {
        text.sample(of, &[], retries);
    }
}

/// Time as a decimal number of seconds, to the millisecond.
fn seconds(time: SignedDuration) -> String {
    let millis = time.as_millis();
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1_000, millis % 1_000)
}

/// Lines of the format, family by family.
#[derive(Debug, Default)]
struct Text(String, &'static str);

impl Text {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.1 = name;
        // Memory takes whatever is written, here and below.
        let _ = writeln!(self.0, "# HELP activity_tracker_{name} {help}");
        let _ = writeln!(self.0, "# TYPE activity_tracker_{name} {kind}");
    }

    fn sample(
        &mut self,
        (source, flow): &(String, String),
        more: &[(&str, &str)],
        value: impl std::fmt::Display,
    ) {
        let of = [("source", &**source), ("flow", &**flow)];
        let labels = of.iter().chain(more);
        let labels: Vec<_> = labels
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let (name, labels) = (self.1, labels.join(","));
        let _ = writeln!(self.0, "activity_tracker_{name}{{{labels}}} {value}");
    }
}

/// A label's value; only these three mean something in one.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: i64, source: &str, unchanged: bool) -> LoggedRun {
        LoggedRun {
            number,
            run: format!("run-{number}"),
            source: source.to_owned(),
            flow: "main".to_owned(),
            started_at: Timestamp::from_second(100 * number).unwrap(),
            finished_at: Timestamp::from_millisecond(100_000 * number + 1_250).unwrap(),
            retries: 2,
            unchanged,
            resources: BTreeMap::new(),
        }
    }

    fn lanes(runs: impl IntoIterator<Item = LoggedRun>) -> Lanes {
        let mut lanes = Lanes::new();
        for run in runs {
            add_run(&mut lanes, &run);
        }
        lanes
    }

    #[test]
    fn values_of_labels_cannot_end_them() {
        let text = written(&lanes([run(1, "a\"} 1\nb\\", false)]));
        assert!(
            text.contains("{source=\"a\\\"} 1\\nb\\\\\",flow=\"main\"} 1\n"),
            "{text}"
        );
    }

    #[test]
    fn the_newest_run_is_the_last_and_all_of_them_are_counted() {
        let text = written(&lanes([run(2, "s", true), run(1, "s", false)]));
        for line in [
            "last_success_timestamp_seconds{source=\"s\",flow=\"main\"} 201.250",
            "last_run_duration_seconds{source=\"s\",flow=\"main\"} 1.250",
            "last_run_retries{source=\"s\",flow=\"main\"} 2",
            "runs_total{source=\"s\",flow=\"main\"} 2",
            "retries_total{source=\"s\",flow=\"main\"} 4",
        ] {
            assert!(
                text.contains(&format!("\nactivity_tracker_{line}\n")),
                "{line}: {text}"
            );
        }
    }

    #[test]
    fn no_run_is_no_sample() {
        let text = written(&Lanes::new());
        assert!(text.lines().all(|line| line.starts_with("# ")), "{text}");
    }
}
