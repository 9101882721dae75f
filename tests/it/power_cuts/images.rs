//! Which of all images that a power cut may leave are looked at.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use super::disk::{Disk, Entry, Image, Subset, Written};
use super::record::{Call, Kind};

/// With this link, a commit begins.
pub(super) const COMMIT: &str = "staging/committing";

/// How closely one looks.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// With so many changes of names that are not on the disk, at each subset of them.
    exhaustive: usize,
    /// With so many, at each pair of them.
    pairwise: usize,
    /// At each of so many of the newest ones alone, and at all but each.
    newest: usize,
    /// At so many that are drawn.
    samples: usize,
}

impl Look {
    fn at(in_commit: bool, closely: bool) -> Self {
        let [exhaustive, pairwise, newest, samples] = match (closely, in_commit) {
            (true, _) => [9, 14, usize::MAX, 24],
            (false, true) => [5, 0, 4, 2],
            (false, false) => [1, 0, 0, 1],
        };
        Self {
            exhaustive,
            pairwise,
            newest,
            samples,
        }
    }
}

fn subsets(disk: &Disk, look: Look) -> BTreeSet<Subset> {
    let count = disk.pending();
    if count <= look.exhaustive {
        let all = (0..1_usize << count).map(|bits| {
            (0..count)
                .map(|one| bits >> one & 1 == 1)
                .collect::<Subset>()
        });
        return all.map(|subset| disk.with_those_before(subset)).collect();
    }
    let of = |ones: &[usize]| {
        let subset = (0..count).map(|one| ones.contains(&one)).collect();
        disk.with_those_before(subset)
    };
    let mut subsets = BTreeSet::from([vec![false; count], vec![true; count]]);
    for one in count.saturating_sub(look.newest)..count {
        subsets.insert(of(&[one]));
        subsets.insert(disk.all_but(one));
        if count <= look.pairwise {
            subsets.extend((0..one).map(|other| of(&[one, other])));
        }
    }
    // Always the same ones, so that a failure comes again.
    let mut random = fastrand::Rng::with_seed(count as u64);
    for _ in 0..look.samples {
        let subset = (0..count).map(|_| random.bool()).collect();
        subsets.insert(disk.with_those_before(subset));
    }
    subsets
}

/// How many images there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) calls: usize,
    pub(super) built: usize,
    pub(super) distinct: usize,
}

/// Cuts the power behind each call from the `first` one on. Each image that it may leave is
/// given to `check` once, with the call's index and whether it is the last one.
pub(super) fn at_each_call(
    mut disk: Disk,
    calls: &[Call],
    (first, closely): (usize, bool),
    mut check: impl FnMut(usize, bool, &Image),
) -> Counts {
    let mut seen = HashSet::new();
    let mut counts = Counts {
        calls: calls.len(),
        ..Counts::default()
    };
    let mut in_commit = false;
    for (index, call) in calls.iter().enumerate() {
        disk.apply(call);
        in_commit |= call.path().ends_with(COMMIT);
        let is_last = index + 1 == calls.len();
        // What a sync leaves is among what might have been left before it.
        let nothing_new = matches!(call.kind, Kind::Sync | Kind::Durable);
        // Until the commit, nothing is changed that anybody sees: some of it will do.
        let of_note = closely || in_commit || index.is_multiple_of(4);
        if !is_last && (index < first || nothing_new || !of_note) {
            continue;
        }
        let mut written = vec![Written::All];
        if disk.has_edits() {
            written.push(Written::Nothing);
            if closely {
                let more = [Written::Torn, Written::LastAlone, Written::FirstAlone];
                written.extend(more);
            }
        }
        for subset in subsets(&disk, Look::at(in_commit, closely)) {
            for written in &written {
                let image = disk.cut(&subset, *written);
                counts.built += 1;
                if seen.insert((is_last, digest(&image))) {
                    counts.distinct += 1;
                    check(index, is_last, &image);
                }
            }
        }
    }
    counts
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            built,
            distinct,
        } = self;
        write!(
            f,
            "{calls} calls, {built} images, {distinct} of them distinct"
        )
    }
}

fn digest(image: &Image) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for (path, entry) in image {
        let (kind, bytes): (u8, &[u8]) = match entry {
            Entry::Folder => (0, &[]),
            Entry::File(bytes) => (1, bytes),
            Entry::Link(text) => (2, text.as_bytes()),
        };
        hasher.update(path.as_os_str().as_encoded_bytes());
        hasher.update(&[0, kind]);
        hasher.update(&bytes.len().to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finalize()
}
