//! Metrics in the Prometheus text format, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::history_queries;
use activity_tracker_core::error::{Error, StorageError};
use activity_tracker_core::history::{ChangeCounts, LoggedRun};
use activity_tracker_core::record::Resource;
use activity_tracker_core::storage::{Counts, Manifest, StoredSnapshot};

/// The metrics of one source and flow.
#[derive(Debug, Default)]
struct FlowMetrics {
    /// The number of runs and of their retries; `None` without a history.
    runs: Option<(u64, u64)>,
    started_at: Timestamp,
    finished_at: Timestamp,
    retries: Option<u64>,
    counts: BTreeMap<Resource, Counts>,
    changes: BTreeMap<Resource, ChangeCounts>,
}

/// By source and flow.
type Metrics = BTreeMap<(String, String), FlowMetrics>;

/// The metrics of a data directory; without runs there are none.
///
/// # Errors
/// If the history or a manifest cannot be read.
pub(super) fn text(data_dir: &Path) -> Result<String, Error> {
    let mut metrics = Metrics::new();
    history_queries::each_run(data_dir, |run| add_run(&mut metrics, &run))?;
    let manifests = match StoredSnapshot::all(data_dir) {
        Err(StorageError::NoSnapshot(_)) => Vec::new(),
        found => found?.into_iter().map(|stored| stored.manifest).collect(),
    };
    add_snapshots(&mut metrics, &manifests);
    Ok(exposition(&metrics))
}

/// Adds a run; runs come newest first.
fn add_run(metrics: &mut Metrics, run: &LoggedRun) {
    let flow = metrics
        .entry((run.source.clone(), run.flow.clone()))
        .or_default();
    let (count, retries) = flow.runs.unwrap_or_default();
    if count == 0 {
        (flow.started_at, flow.finished_at) = (run.started_at, run.finished_at);
        flow.retries = Some(run.retries);
        let changes = run.resources.iter();
        flow.changes = changes.map(|(of, found)| (*of, found.changes)).collect();
    }
    for (resource, found) in &run.resources {
        // An unchanged run has no counts; those of an older run are current.
        flow.counts.entry(*resource).or_insert(found.counts);
        flow.changes.entry(*resource).or_default();
    }
    // A foreign file may contain any number.
    flow.runs = Some((count + 1, retries.saturating_add(run.retries)));
}

/// Adds snapshots of runs that are not in the history.
fn add_snapshots(metrics: &mut Metrics, manifests: &[Manifest]) {
    for manifest in manifests {
        let key = (manifest.source.clone(), manifest.flow.name().to_owned());
        let flow = metrics.entry(key).or_default();
        // A run with --no-history, or one that is not in the history yet.
        if flow.runs.is_none() || flow.finished_at < manifest.finished_at {
            (flow.started_at, flow.finished_at) = (manifest.started_at, manifest.finished_at);
            flow.counts.clone_from(&manifest.resources);
            flow.changes.clear();
            flow.retries = None;
        }
    }
}

fn exposition(metrics: &Metrics) -> String {
    let mut text = Exposition::default();
    text.family(
        "last_success_timestamp_seconds",
        "gauge",
        "End of the last successful run, in seconds since 1970.",
    );
    for (of, flow) in metrics {
        text.sample(
            of,
            &[],
            seconds(flow.finished_at.duration_since(Timestamp::UNIX_EPOCH)),
        );
    }
    text.family(
        "last_run_duration_seconds",
        "gauge",
        "Duration of the last successful run, in seconds.",
    );
    for (of, flow) in metrics {
        text.sample(
            of,
            &[],
            seconds(flow.finished_at.duration_since(flow.started_at)),
        );
    }
    text.family(
        "last_run_retries",
        "gauge",
        "Request retries in the last successful run.",
    );
    for (of, flow) in metrics {
        if let Some(retries) = flow.retries {
            text.sample(of, &[], retries);
        }
    }
    text.family("records", "gauge", "Stored records, by resource.");
    for (of, flow) in metrics {
        for (resource, counts) in &flow.counts {
            text.sample(of, &[("resource", resource.name())], counts.records);
        }
    }
    text.family("rejects", "gauge", "Rejected records, by resource.");
    for (of, flow) in metrics {
        for (resource, counts) in &flow.counts {
            text.sample(of, &[("resource", resource.name())], counts.rejects);
        }
    }
    text.family(
        "last_run_changes",
        "gauge",
        "Records added, changed or removed in the last successful run, by resource and kind.",
    );
    for (of, flow) in metrics {
        for (resource, changes) in &flow.changes {
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
    totals(&mut text, metrics);
    text.0
}

/// Counters, which only grow as long as the history is kept.
fn totals(text: &mut Exposition, metrics: &Metrics) {
    let known = || {
        metrics
            .iter()
            .filter_map(|(of, flow)| Some((of, flow.runs?)))
    };
    text.family("runs_total", "counter", "Successful runs in the history.");
    for (of, (runs, _)) in known() {
        text.sample(of, &[], runs);
    }
    text.family(
        "retries_total",
        "counter",
        "Request retries in all runs of the history.",
    );
    for (of, (_, retries)) in known() {
        text.sample(of, &[], retries);
    }
}

/// Seconds with three decimals.
fn seconds(time: SignedDuration) -> String {
    let millis = time.as_millis();
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1_000, millis % 1_000)
}

/// The output, and the name of the current metric.
#[derive(Debug, Default)]
struct Exposition(String, &'static str);

impl Exposition {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.1 = name;
        // Writing to a string does not fail.
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

/// Escapes a label value.
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

    fn metrics(runs: impl IntoIterator<Item = LoggedRun>) -> Metrics {
        let mut metrics = Metrics::new();
        for run in runs {
            add_run(&mut metrics, &run);
        }
        metrics
    }

    #[test]
    fn label_values_are_escaped() {
        let text = exposition(&metrics([run(1, "a\"} 1\nb\\", false)]));
        assert!(
            text.contains("{source=\"a\\\"} 1\\nb\\\\\",flow=\"main\"} 1\n"),
            "{text}"
        );
    }

    #[test]
    fn the_newest_run_is_the_last_and_all_runs_are_counted() {
        let text = exposition(&metrics([run(2, "s", true), run(1, "s", false)]));
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
    fn without_runs_there_are_no_samples() {
        let text = exposition(&Metrics::new());
        assert!(text.lines().all(|line| line.starts_with("# ")), "{text}");
    }
}
