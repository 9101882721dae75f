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

/// What a power cut leaves: changes of names, and how much of the contents.
type Cut = (Subset, Written);

/// Draws some of all cuts: that with nothing of what was not synced, that with all of it, and
/// others by chance. Always the same ones, so that a failure comes again.
fn sample(mut cuts: Vec<Cut>, most: usize, seed: usize) -> Vec<Cut> {
    if most < cuts.len() {
        let last = cuts.len() - 1;
        cuts.swap(1, last);
        fastrand::Rng::with_seed(seed as u64).shuffle(&mut cuts[2..]);
        cuts.truncate(most.max(2));
    }
    cuts
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
    /// So many may be left.
    pub(super) possible: usize,
    /// So many of them were drawn.
    pub(super) built: usize,
    pub(super) distinct: usize,
}

/// How much of a scene is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// From this call on.
    pub(super) first: usize,
    pub(super) closely: bool,
    /// At about so many images, as many behind each call.
    pub(super) images: usize,
}

/// Cuts the power behind each call. Each image that is looked at is given to `check` once, with
/// the call's index and whether it is the last one.
pub(super) fn at_each_call(
    mut disk: Disk,
    calls: &[Call],
    share: Share,
    mut check: impl FnMut(usize, bool, &Image),
) -> Counts {
    let looks = looks(calls, share);
    let most = share.images.div_ceil(looks.iter().flatten().count().max(1));
    let mut seen = HashSet::new();
    let mut counts = Counts {
        calls: calls.len(),
        ..Counts::default()
    };
    for (index, (call, look)) in calls.iter().zip(looks).enumerate() {
        disk.apply(call);
        let Some(look) = look else { continue };
        let is_last = index + 1 == calls.len();
        let written = match (disk.has_edits(), share.closely) {
            (false, _) => &[Written::All][..],
            (true, false) => &[Written::Nothing, Written::All],
            (true, true) => &Written::EACH,
        };
        let cuts: Vec<_> = subsets(&disk, look)
            .into_iter()
            .flat_map(|subset| {
                written
                    .iter()
                    .map(move |written| (subset.clone(), *written))
            })
            .collect();
        counts.possible += cuts.len();
        for (subset, written) in sample(cuts, most, share.first * calls.len() + index) {
            let image = disk.cut(&subset, written);
            counts.built += 1;
            if seen.insert((is_last, digest(&image))) {
                counts.distinct += 1;
                check(index, is_last, &image);
            }
        }
    }
    counts
}

/// How one looks at what may be left behind each call; nothing where one does not.
fn looks(calls: &[Call], share: Share) -> Vec<Option<Look>> {
    let mut in_commit = false;
    let look = |(index, call): (usize, &Call)| {
        in_commit |= call.path().ends_with(COMMIT);
        let is_last = index + 1 == calls.len();
        // What a sync leaves is among what might have been left before it.
        let nothing_new = call.kind == Kind::Sync;
        // Until the commit, nothing is changed that anybody sees: some of it will do.
        let of_note = share.closely || in_commit || index.is_multiple_of(4);
        let is_looked_at = is_last || index >= share.first && !nothing_new && of_note;
        is_looked_at.then(|| Look::at(in_commit, share.closely))
    };
    calls.iter().enumerate().map(look).collect()
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            possible,
            built,
            distinct,
        } = self;
        write!(
            f,
            "{calls} calls, {possible} images, {built} of them drawn, {distinct} distinct"
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
