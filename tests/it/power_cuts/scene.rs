//! What is done to a data directory before the power is cut, and what must be there then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use activity_tracker::storage::Flow;

use crate::crashes::{World, is_long};
use crate::support::program::{Outcome, Running, Workplace, to_version_0};

use super::disk::{Disk, Image};
use super::images::{self, Share};
use super::record::{self, Call, Kind};
use super::recovery::{State, by_run, by_verify, image_of, put, scratch, state};
use super::traced;

/// How a run ends, and what comes after it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Done,
    /// At this call; `verify` is next.
    KilledThenVerified(u64),
    /// At this call; the same run is next.
    KilledThenRun(u64),
    /// For want of room, at this call.
    Failed(u64),
    /// As `Done`, and what was done is what `strace` says: SQLite's calls are among it.
    Traced,
}

/// A data directory, and a run on it.
pub(super) struct Scene {
    name: &'static str,
    flow: Flow,
    world: World,
    /// The data directory, from where the program is run.
    data: PathBuf,
    /// What is there before.
    before: Image,
    /// What people see of that, and what they will see.
    old: State,
    new: State,
}

/// What was done to a data directory.
pub(super) struct Recorded<'a> {
    scene: &'a Scene,
    ending: Ending,
    disk: Disk,
    calls: Vec<Call>,
    /// What there was in the end.
    last: State,
}

fn arguments(flow: Flow) -> &'static [&'static str] {
    match flow {
        Flow::Main => &[],
        Flow::Async => &["--async"],
    }
}

/// What is in a place of the data directory and the folders above it.
fn data_of(place: &Workplace, data: &Path) -> Image {
    let top = Path::new(data.iter().next().expect("a name"));
    let image = image_of(place.path()).into_iter();
    image.filter(|(path, _)| path.starts_with(top)).collect()
}

impl Scene {
    /// A run into a folder that is not there.
    pub(super) fn first_run(flow: Flow) -> Self {
        Self::new("first run", flow, Path::new("deep/data"), |_, _| {})
    }

    /// A run over a snapshot, some of whose files go, and beside a file of somebody else.
    pub(super) fn later_run(flow: Flow) -> Self {
        Self::new("later run", flow, Path::new("data"), |world, place| {
            world.run(place, &world.old, None, &[]).assert_code(4);
            fs::write(place.data_dir().join("notes.txt"), "mine").expect("write a file");
        })
    }

    /// A run over a snapshot of version 0 of the program.
    pub(super) fn over_version_0(flow: Flow) -> Self {
        Self::new("over version 0", flow, Path::new("data"), |world, place| {
            world.run(place, &world.old, None, &[]).assert_code(4);
            to_version_0(&place.data_dir());
        })
    }

    fn new(
        name: &'static str,
        flow: Flow,
        data: &Path,
        prepare: impl FnOnce(&World, &Workplace),
    ) -> Self {
        let world = World::new(arguments(flow));
        let place = Workplace::new();
        prepare(&world, &place);
        let data_dir = place.path().join(data);
        let old = state(&data_dir).expect("an old state");
        let mut scene = Self {
            name,
            flow,
            world,
            data: data.to_owned(),
            before: data_of(&place, data),
            old: old.clone(),
            new: old,
        };
        let run = scene.run(&place);
        run.assert_code(0);
        scene.new = state(&data_dir).expect("a new state");
        assert_ne!(scene.old, scene.new);
        scene
    }

    /// The run, in a place; one thing at a time, so that its calls come in one order.
    fn arguments<'a>(&'a self, data_dir: &'a str) -> Vec<&'a str> {
        let usual = ["run", self.world.new.url(), "--data-dir", data_dir];
        let bounded = ["--workers", "1", "--concurrency", "1"];
        [&usual[..], &bounded, arguments(self.flow)].concat()
    }

    fn command(&self, place: &Workplace) -> Command {
        let data_dir = place.path().join(&self.data);
        place.command(&self.arguments(data_dir.to_str().expect("UTF-8")))
    }

    fn run(&self, place: &Workplace) -> Outcome {
        Running::start(&mut self.command(place)).wait()
    }

    /// The numbers of the calls from the commit's record on. In the short form, only that of
    /// the one behind the last that `is_it`.
    pub(super) fn calls_of_the_commit(&self, is_it: impl Fn(&Call) -> bool) -> Vec<u64> {
        let calls = self.record(Ending::Done).calls;
        let is_record = |call: &&Call| call.path().ends_with(images::COMMIT);
        let first = calls.iter().find(is_record).expect("a commit").number;
        if is_long() {
            let last = calls.iter().map(|call| call.number).max();
            return (first..=last.unwrap_or_default()).collect();
        }
        let last = calls.iter().rfind(|call| is_it(call));
        vec![last.expect("such a call").number + 1]
    }

    /// Does it, and notes what is done.
    pub(super) fn record(&self, ending: Ending) -> Recorded<'_> {
        let place = Workplace::new();
        put(&self.before, place.path());
        let (log, data_dir) = (place.path().join("calls"), place.path().join(&self.data));
        let data_dir_text = data_dir.to_str().expect("UTF-8");
        let run = |fault: &str| {
            let mut command = self.command(&place);
            command.env("ACTIVITY_TRACKER_RECORD", &log);
            command.env("ACTIVITY_TRACKER_FAULT", fault);
            Running::start(&mut command).wait()
        };
        match ending {
            // So late a fault has the calls counted and no more.
            Ending::Done => run(&format!("kill:{}", u64::MAX)).assert_code(0),
            Ending::Failed(call) => {
                let outcome = run(&format!("28:{call}"));
                assert!(outcome.stderr.contains("fault: "), "{call}: {outcome:?}");
            }
            Ending::KilledThenRun(call) => {
                let outcome = run(&format!("kill:{call}"));
                assert_eq!(outcome.status.code(), None, "{call}: {outcome:?}");
                run("").assert_code(0);
            }
            Ending::KilledThenVerified(call) => {
                let outcome = run(&format!("kill:{call}"));
                assert_eq!(outcome.status.code(), None, "{call}: {outcome:?}");
                let mut verify = place.command(&["verify", "--data-dir", data_dir_text]);
                verify.env("ACTIVITY_TRACKER_RECORD", &log);
                Running::start(&mut verify).wait().assert_code(0);
            }
            Ending::Traced => {
                let mut command = place.traced(&log, &self.arguments(data_dir_text));
                Running::start(&mut command).wait().assert_code(0);
            }
        }
        let disk = Disk::holding(place.path(), &self.before);
        let mut calls = if matches!(ending, Ending::Traced) {
            traced::read(&log)
        } else {
            let (history, step) = ("history.db", ".history-next.db");
            record::read(&log, &data_dir.join(history), &data_dir.join(step))
        };
        let top = place.path().join(self.data.iter().next().expect("a name"));
        let is_of_data = |call: &Call| {
            let of_a_name = call.paths.iter().any(|path| path.starts_with(&top));
            of_a_name || call.kind == Kind::Sync && call.path() == place.path()
        };
        calls.retain(is_of_data);
        // The model is as good as this: it knows what there was in the end.
        let mut after = disk.clone();
        for call in &calls {
            after.apply(call);
        }
        assert!(
            after.image() == data_of(&place, &self.data),
            "{}, {ending:?}: {:?} is not what there is: {:?}",
            self.name,
            after.image().keys(),
            data_of(&place, &self.data).keys()
        );
        Recorded {
            scene: self,
            ending,
            disk,
            calls,
            // Where the last steps failed, the next command takes them.
            last: by_verify(&data_dir).expect("a last state"),
        }
    }
}

/// What a scene may cost.
#[derive(Clone, Copy, Debug)]
struct Effort {
    closely: bool,
    /// About so many images of it are recovered.
    images: usize,
    /// After so many kinds of images, the program runs once more.
    runs: usize,
}

impl Effort {
    /// The numbers of the long form are such that all scenes together take less than ten minutes
    /// on two cores.
    fn of(ending: Ending) -> Self {
        let (closely, images, runs) = match ending {
            _ if !is_long() => (false, usize::MAX, 2),
            Ending::Done | Ending::KilledThenRun(_) => (true, 1500, 40),
            // It has many calls more, and its images hold the history at each of them.
            Ending::Traced => (false, 1000, 20),
            // One of very many.
            Ending::KilledThenVerified(_) | Ending::Failed(_) => (false, 50, 1),
        };
        Self {
            closely,
            images,
            runs,
        }
    }
}

impl Recorded<'_> {
    /// Looks at what a power cut may leave at each call.
    ///
    /// # Panics
    /// When the next command does not put it right.
    pub(super) fn check(self) {
        let Self {
            scene,
            ending,
            disk,
            calls,
            last,
        } = self;
        let first = match ending {
            // What comes before it, another scene looks at.
            Ending::KilledThenVerified(call) | Ending::Failed(call) => {
                let before = calls
                    .iter()
                    .take_while(|one| (1..call).contains(&one.number));
                before.count()
            }
            Ending::Done | Ending::KilledThenRun(_) | Ending::Traced => 0,
        };
        let effort = Effort::of(ending);
        let share = Share {
            first,
            closely: effort.closely,
            images: effort.images,
        };
        let scratch = scratch();
        let mut commands = [Next::Verify, Next::Run];
        let (mut failures, mut kinds) = (BTreeMap::new(), BTreeSet::new());
        let counts = images::at_each_call(disk, &calls, share, |index, is_last, image| {
            let mut expected = vec![&last];
            if !is_last {
                expected.extend([&scene.old, &scene.new]);
            }
            // They recover by the same code, so in the short form each takes every other image.
            commands.rotate_left(1);
            let commands = if is_long() {
                &commands[..]
            } else {
                &commands[..1]
            };
            let found = recover(scene, image, scratch.path(), (commands, &expected));
            let found = found.and_then(|kind| {
                if kinds.len() < effort.runs && kinds.insert(kind) {
                    run_again(scene, image)?;
                }
                Ok(())
            });
            if let Err(error) = found {
                let error = error.replace(scratch.path().to_str().expect("UTF-8"), "");
                let Call { kind, paths, .. } = &calls[index];
                let at = failures.entry(error).or_insert_with(Vec::new);
                at.push(format!("{index}: {kind:?} {paths:?}"));
            }
        });
        let told = format!(
            "{}, {:?}, {ending:?}: {counts}, {} failures",
            scene.name,
            scene.flow,
            failures.values().map(Vec::len).sum::<usize>()
        );
        println!("{told}");
        let some: Vec<_> = failures
            .iter()
            .map(|(error, at)| format!("{} times, first at {}: {error}", at.len(), at[0]))
            .collect();
        assert!(failures.is_empty(), "{told}: {some:#?}");
    }
}

/// The command that finds what a power cut left.
#[derive(Clone, Copy, Debug)]
enum Next {
    Verify,
    Run,
}

/// Has each of some commands put an image right. Gives what tells it from other ones: which
/// snapshot it was, and which names there are.
fn recover(
    scene: &Scene,
    image: &Image,
    scratch: &Path,
    (commands, expected): (&[Next], &[&State]),
) -> Result<(bool, Vec<PathBuf>), String> {
    let data_dir = scratch.join(&scene.data);
    let top = scene.data.iter().next().expect("a name");
    let mut is_new = false;
    for command in commands {
        put(image, scratch);
        let recovered = match command {
            Next::Verify => by_verify(&data_dir),
            Next::Run => by_run(&data_dir, scene.flow),
        };
        // It may not be there.
        let _ = fs::remove_dir_all(scratch.join(top));
        let recovered = recovered?;
        if !expected.contains(&&recovered) {
            let names = recovered.names();
            return Err(format!("{command:?}: neither snapshot: {names:?}"));
        }
        is_new = recovered == scene.new;
    }
    Ok((is_new, image.keys().cloned().collect()))
}

/// Has the program run once more.
fn run_again(scene: &Scene, image: &Image) -> Result<(), String> {
    let place = Workplace::new();
    put(image, place.path());
    let outcome = scene.run(&place);
    let data_dir = place.path().join(&scene.data);
    let found = state(&data_dir)?;
    let left = data_of(&place, &scene.data);
    let left = left.keys().find(|path| {
        path.iter()
            .any(|name| name.to_string_lossy().starts_with(".run-"))
    });
    match (outcome.status.code(), left) {
        (Some(0), None) if found == scene.new => Ok(()),
        _ => Err(format!("the next run: {outcome:?}, leaves {left:?}")),
    }
}
