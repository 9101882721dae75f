//! A disk, as the calls of a run change it, and what a power cut may leave of it.
//!
//! The model takes for granted only what POSIX does: syncing a file has its contents on the
//! disk and not its name; syncing a folder has the names in it on the disk. Names that were
//! not synced are there or not, in any subset, but those of one name come in their order.
//! Contents that were not synced are there, or not, or in part. A rename is one step. A symbolic
//! link has its text from when it has its name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::record::{Call, Kind};

type Node = usize;

/// A name in a folder.
type Name = (Node, String);

type Names = BTreeMap<Name, Node>;

/// What is in a directory.
pub(super) type Image = BTreeMap<PathBuf, Entry>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Folder,
    File(Rc<[u8]>),
    /// A symbolic link and its text.
    Link(String),
}

#[derive(Clone, Debug)]
enum Content {
    Folder,
    Link(String),
    File {
        synced: Rc<[u8]>,
        /// What was done to it since.
        edits: Vec<Edit>,
    },
}

#[derive(Clone, Debug)]
enum Edit {
    Write(usize, Rc<[u8]>),
    Length(usize),
}

/// How much is there of what was written and not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    All,
    Nothing,
    /// The last write is there in half.
    Torn,
    /// The last write is there, and those before it are not.
    LastAlone,
    FirstAlone,
}

impl Written {
    pub(super) const EACH: [Self; 5] = [
        Self::Nothing,
        Self::Torn,
        Self::LastAlone,
        Self::FirstAlone,
        Self::All,
    ];
}

/// A change of names that is not on the disk yet.
#[derive(Clone, Debug)]
enum Change {
    Link(Name, Node),
    Unlink(Name),
    Move(Name, Name, Node),
}

impl Change {
    fn names(&self) -> impl Iterator<Item = &Name> {
        let (first, second) = match self {
            Self::Link(name, _) | Self::Unlink(name) => (name, None),
            Self::Move(from, to, _) => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }

    fn shares_a_name_with(&self, other: &Self) -> bool {
        self.names()
            .any(|name| other.names().any(|one| one == name))
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Self::Link(name, node) => {
                names.insert(name.clone(), *node);
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
            Self::Move(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }
}

/// A subset of the changes of names that are not on the disk.
pub(super) type Subset = Vec<bool>;

#[derive(Clone, Debug)]
pub(super) struct Disk {
    root: PathBuf,
    nodes: Vec<Content>,
    /// As the program sees them.
    live: Names,
    synced: Names,
    pending: Vec<Change>,
}

impl Disk {
    /// One on which all of an image is, below the folder `root`.
    pub(super) fn holding(root: &Path, image: &Image) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            nodes: vec![Content::Folder],
            live: Names::new(),
            synced: Names::new(),
            pending: Vec::new(),
        };
        for (path, entry) in image {
            let content = match entry {
                Entry::Folder => Content::Folder,
                Entry::Link(text) => Content::Link(text.clone()),
                Entry::File(bytes) => Content::File {
                    synced: Rc::clone(bytes),
                    edits: Vec::new(),
                },
            };
            let name = disk.name(&root.join(path)).expect("a folder");
            disk.link(name, content);
        }
        disk.synced = disk.live.clone();
        disk.pending.clear();
        disk
    }

    pub(super) fn apply(&mut self, call: &Call) {
        let path = call.path();
        match call.kind {
            Kind::Create => {
                let node = self.file(path);
                self.edit(node, Edit::Length(0));
            }
            Kind::Found => {
                let node = self.file(path);
                self.nodes[node] = Content::File {
                    synced: call.bytes.as_slice().into(),
                    edits: Vec::new(),
                };
                let name = self.name(path).expect("a folder");
                self.sync_names(|one| *one == name);
            }
            Kind::Append => {
                self.file(path);
            }
            Kind::Write => {
                let node = self.node(path).expect("a file to write to");
                let end = self.bytes(node, Written::All).len();
                let at = call
                    .at
                    .map_or(end, |at| usize::try_from(at).expect("a small file"));
                self.edit(node, Edit::Write(at, call.bytes.as_slice().into()));
            }
            Kind::Truncate => {
                let node = self.node(path).expect("a file to truncate");
                let length = usize::try_from(call.at.expect("a length")).expect("a small file");
                self.edit(node, Edit::Length(length));
            }
            Kind::Sync => {
                let node = self.node(path).expect("something to sync");
                self.sync(node);
            }
            Kind::Rename => self.rename(path, &call.paths[1]),
            Kind::Link => {
                let node = self.node(path).expect("a file to link");
                let name = self.name(&call.paths[1]).expect("a folder");
                self.change(Change::Link(name, node));
            }
            Kind::Copy => {
                let node = self.node(path).expect("a file to copy");
                let bytes = self.bytes(node, Written::All);
                let copy = self.file(&call.paths[1]);
                self.edit(copy, Edit::Length(0));
                self.edit(copy, Edit::Write(0, bytes));
            }
            Kind::Unlink | Kind::Rmdir => {
                let name = self.name(path).expect("a folder");
                self.change(Change::Unlink(name));
            }
            Kind::Symlink => {
                let name = self.name(path).expect("a folder");
                let text = String::from_utf8(call.bytes.clone()).expect("UTF-8");
                self.link(name, Content::Link(text));
            }
            Kind::Mkdir => {
                if self.node(path).is_none() {
                    let name = self.name(path).expect("a folder");
                    self.link(name, Content::Folder);
                }
            }
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let node = self.node(from).expect("something to rename");
        if self.node(to) != Some(node) {
            let (from, to) = (self.name(from), self.name(to));
            let (from, to) = from.zip(to).expect("folders");
            self.change(Change::Move(from, to, node));
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    fn link(&mut self, name: Name, content: Content) -> Node {
        self.nodes.push(content);
        let node = self.nodes.len() - 1;
        self.change(Change::Link(name, node));
        node
    }

    /// The file of this name; made where it is missing.
    fn file(&mut self, path: &Path) -> Node {
        self.node(path).unwrap_or_else(|| {
            let name = self.name(path).expect("a folder");
            let content = Content::File {
                synced: Rc::default(),
                edits: Vec::new(),
            };
            self.link(name, content)
        })
    }

    fn node(&self, path: &Path) -> Option<Node> {
        let within = path.strip_prefix(&self.root).expect("a path on the disk");
        within.iter().try_fold(0, |folder, name| {
            let name = (folder, name.to_str().expect("UTF-8").to_owned());
            self.live.get(&name).copied()
        })
    }

    fn name(&self, path: &Path) -> Option<Name> {
        let name = path.file_name().and_then(|name| name.to_str());
        let folder = self.node(path.parent().expect("a folder"))?;
        Some((folder, name.expect("a name").to_owned()))
    }

    fn edit(&mut self, node: Node, edit: Edit) {
        match &mut self.nodes[node] {
            Content::File { edits, .. } => edits.push(edit),
            Content::Folder | Content::Link(_) => panic!("no file is written to"),
        }
    }

    fn sync(&mut self, node: Node) {
        let all = match &self.nodes[node] {
            Content::Folder => return self.sync_names(|(folder, _)| *folder == node),
            Content::Link(_) => panic!("a link is synced"),
            Content::File { .. } => self.bytes(node, Written::All),
        };
        self.nodes[node] = Content::File {
            synced: all,
            edits: Vec::new(),
        };
    }

    /// Has changes of these names on the disk, and what must come before them.
    fn sync_names(&mut self, of: impl Fn(&Name) -> bool) {
        let touched = self.pending.iter().map(|change| change.names().any(&of));
        let done = self.with_those_before(touched.collect());
        for (change, _) in self.pending.iter().zip(&done).filter(|(_, done)| **done) {
            change.apply(&mut self.synced);
        }
        let mut done = done.into_iter();
        self.pending.retain(|_| !done.next().unwrap_or_default());
    }

    /// How many changes of names are not on the disk.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Adds the changes without which those of a subset cannot be.
    pub(super) fn with_those_before(&self, mut subset: Subset) -> Subset {
        for late in (0..subset.len()).rev().filter(|late| *late > 0) {
            for early in 0..late {
                let needed = subset[late]
                    && !subset[early]
                    && self.pending[late].shares_a_name_with(&self.pending[early]);
                subset[early] |= needed;
            }
        }
        subset
    }

    /// All changes but one, and those that cannot be without it.
    pub(super) fn all_but(&self, one: usize) -> Subset {
        let mut subset = vec![true; self.pending.len()];
        subset[one] = false;
        for late in one + 1..subset.len() {
            let waits = (one..late).any(|early| {
                !subset[early] && self.pending[late].shares_a_name_with(&self.pending[early])
            });
            subset[late] &= !waits;
        }
        subset
    }

    /// Whether contents are not on the disk.
    pub(super) fn has_edits(&self) -> bool {
        let unsynced =
            |node: &Content| matches!(node, Content::File { edits, .. } if !edits.is_empty());
        self.nodes.iter().any(unsynced)
    }

    /// What the program sees.
    pub(super) fn image(&self) -> Image {
        self.image_of(&self.live, Written::All)
    }

    /// What a power cut leaves, if these changes of names are there.
    pub(super) fn cut(&self, subset: &Subset, written: Written) -> Image {
        let mut names = self.synced.clone();
        let there = self.pending.iter().zip(subset).filter(|(_, there)| **there);
        for (change, _) in there {
            change.apply(&mut names);
        }
        self.image_of(&names, written)
    }

    fn image_of(&self, names: &Names, written: Written) -> Image {
        let mut image = Image::new();
        // A folder may be found twice where the old name of a moved one is there still.
        let mut folders = vec![(0, PathBuf::new())];
        let mut seen = BTreeSet::new();
        while let Some((folder, path)) = folders.pop() {
            if !seen.insert((folder, path.clone())) {
                continue;
            }
            let first = (folder, String::new());
            let of_this = names
                .range(first..)
                .take_while(|((one, _), _)| *one == folder);
            for ((_, name), node) in of_this {
                let path = path.join(name);
                match &self.nodes[*node] {
                    Content::Folder => {
                        folders.push((*node, path.clone()));
                        image.insert(path, Entry::Folder);
                    }
                    Content::Link(text) => {
                        image.insert(path, Entry::Link(text.clone()));
                    }
                    Content::File { .. } => {
                        image.insert(path, Entry::File(self.bytes(*node, written)));
                    }
                }
            }
        }
        image
    }

    fn bytes(&self, node: Node, written: Written) -> Rc<[u8]> {
        let Content::File { synced, edits } = &self.nodes[node] else {
            panic!("it has no bytes");
        };
        let (Some(last), Some(first)) = (edits.last(), edits.first()) else {
            return Rc::clone(synced);
        };
        let mut bytes = synced.to_vec();
        match written {
            Written::Nothing => {}
            Written::All => edits.iter().for_each(|edit| edit.apply(&mut bytes)),
            Written::LastAlone => last.apply(&mut bytes),
            Written::FirstAlone => first.apply(&mut bytes),
            Written::Torn => {
                let before = &edits[..edits.len() - 1];
                for edit in before {
                    edit.apply(&mut bytes);
                }
                if let Edit::Write(at, written) = last {
                    let half = written[..written.len() / 2].into();
                    Edit::Write(*at, half).apply(&mut bytes);
                }
            }
        }
        bytes.into()
    }
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(at, written) => {
                let end = at + written.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*at..end].copy_from_slice(written);
            }
        }
    }
}
