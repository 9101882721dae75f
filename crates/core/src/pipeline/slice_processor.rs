//! Step 3 of both flows for one slice: maps its records, filters users, collects their names,
//! counts, and writes segments of the output files.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::activity::{
    ActivityCounts, Comment, EmailDomain, Post, User, by_email_domain, encode_user,
};
use crate::error::{Error, StorageError};
use crate::record::{
    Field, FieldPath, FromFields, Id, Mapped, Mapping, Mappings, Record, Reject, Rejected,
    Resource, map,
};
use crate::settings::Settings;
use crate::source::{Source, child};
use crate::storage::{Output, STAGING, Segment, SegmentWriter, Slice};
use activity_tracker_json::Object;

use super::entry_recorder::{EntryRecorder, SliceEntries};
use super::invalid_children::Stray;
use super::layout::{Laid, Records};
use super::rejects::{self, Refused};

/// What processing needs besides the slice.
#[derive(Clone, Debug)]
pub struct SliceProcessor {
    /// The folder of the slices and the segments.
    pub folder: PathBuf,
    /// The domain that users are filtered by.
    pub email_domain: EmailDomain,
    /// How records are read.
    pub mappings: Mappings,
    /// Whether entries are collected for the history.
    pub history: bool,
}

/// The result of a slice: small counts, and where its output is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SliceResult {
    pub(super) tally: ActivityCounts,
    pub(super) segments: BTreeMap<Output, Segment>,
    /// The rejected records, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<Refused>,
    /// The ids of the records, in order, if children are requested by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ids: Vec<Id>,
    /// The records whose ids cannot be used to request children.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) strays: Vec<Stray>,
    /// What the history stores of the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) listed: Option<SliceEntries>,
}

/// Why a slice failed, in a form that can be sent between processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SliceError {
    operation: String,
    file: String,
    code: Option<i32>,
    message: String,
}

impl SliceError {
    /// Converts it to an error.
    pub(super) fn into_error(self, folder: &Path) -> Error {
        let message = self.message;
        let cause = self
            .code
            .map_or_else(|| io::Error::other(message), io::Error::from_raw_os_error);
        StorageError::io(self.operation, &folder.join(self.file))(cause).into()
    }
}

impl From<StorageError> for SliceError {
    fn from(error: StorageError) -> Self {
        let (operation, code) = match &error {
            StorageError::Io {
                operation, cause, ..
            } => (operation.to_string(), cause.raw_os_error()),
            _ => ("use".to_owned(), None),
        };
        let name = error.path().file_name().unwrap_or_default();
        Self {
            operation,
            file: name.to_string_lossy().into_owned(),
            code,
            message: error.to_string(),
        }
    }
}

/// The maximum length of buffered rejects, in bytes, before they are written: each may be longer
/// than its record, so those of a slice can be many times as long as the slice.
const GATHERED: usize = 256 * 1024;

/// Collects the output of one slice, except for its counts.
struct SliceWriter<'a> {
    slice: &'a Slice,
    folder: &'a Path,
    /// The records for the file of all records of the resource.
    main: Records<'a>,
    segments: BTreeMap<Output, SegmentWriter>,
    first_reject: Option<Reject>,
    wants_ids: bool,
    ids: Vec<Id>,
    strays: Vec<Stray>,
    /// How many records were read, whether they mapped or not.
    seen: u64,
    /// The repeated records that are still to be left out.
    repeated: std::slice::Iter<'a, u64>,
    /// The next of these.
    next_repeated: Option<u64>,
    /// Authors in this slice: most write more than once.
    authors: HashSet<&'a str>,
    /// What the history stores.
    noted: Option<EntryRecorder<'a>>,
    /// A buffer for JSON texts.
    json: Vec<u8>,
}

impl<'a> SliceWriter<'a> {
    fn new(
        (slice, bytes): (&'a Slice, &'a [u8]),
        folder: &'a Path,
        noted: Option<EntryRecorder<'a>>,
    ) -> Self {
        let mut repeated = slice.repeated.iter();
        Self {
            slice,
            folder,
            noted,
            next_repeated: repeated.next().copied(),
            repeated,
            main: Records::new(bytes, Output::all_of(slice.resource).layout()),
            segments: BTreeMap::new(),
            first_reject: None,
            wants_ids: slice.has_children,
            ids: Vec::new(),
            strays: Vec::new(),
            seen: 0,
            authors: HashSet::new(),
            json: Vec::new(),
        }
    }

    fn push(&mut self, output: Output, record: &str) {
        self.segment(output).push(record);
    }

    fn segment(&mut self, output: Output) -> &mut SegmentWriter {
        let new = || SegmentWriter::new(output.layout());
        self.segments.entry(output).or_insert_with(new)
    }

    /// Adds a text as a JSON string.
    fn push_json(&mut self, output: Output, text: &str) {
        self.json.clear();
        // Only the writer can fail, and a buffer in memory does not.
        if serde_json::to_writer(&mut self.json, text).is_ok() {
            let json = std::mem::take(&mut self.json);
            self.segment(output).push_run(&json, 1);
            self.json = json;
        }
    }

    /// Whether the current record is left out, because it appears again on a later page.
    fn leaves_out(&mut self) -> bool {
        let out = self.next_repeated == Some(self.seen);
        if out {
            self.next_repeated = self.repeated.next().copied();
            self.seen += 1;
        }
        out
    }

    /// Adds a rejected record, with its location and the reason.
    fn reject(&mut self, rejected: &Rejected<'a>) -> Result<(), StorageError> {
        self.push_reject(rejected, rejects::line(self.slice, rejected))?;
        if let Some(noted) = &mut self.noted {
            noted.rejected(rejected.raw());
        }
        Ok(())
    }

    /// Rejects the only record of the slice, which is too long to be read, by its beginning.
    fn too_long(&mut self, beginning: &[u8], longest: u64) -> Result<(), StorageError> {
        let whole = self.slice.place.length;
        let reject = Reject {
            index: 0,
            path: ".".to_owned(),
            expected: format!("at most {longest} bytes (--max-record)"),
            found: format!("{whole} bytes"),
        };
        let line = rejects::beginning(self.slice, &reject, beginning, whole);
        if let Some(noted) = &mut self.noted {
            noted.unnamed();
        }
        self.push_reject(&reject, line)
    }

    fn push_reject(
        &mut self,
        reject: &Reject,
        line: serde_json::Result<String>,
    ) -> Result<(), StorageError> {
        let line =
            line.map_err(|error| StorageError::io("write", "rejected".as_ref())(error.into()))?;
        let folder = self.folder;
        let rejects = self.segment(Output::Rejected);
        rejects.push(&line);
        if rejects.bytes().len() > GATHERED {
            rejects.spill(folder, &segments(Output::Rejected))?;
        }
        let first = || Reject {
            index: self.slice.first.saturating_add(reject.index),
            ..reject.clone()
        };
        self.first_reject.get_or_insert_with(first);
        Ok(())
    }

    /// The rejects of the slice, if there are any.
    fn refused(&self) -> Option<Refused> {
        let count = self.segments.get(&Output::Rejected)?.records();
        let first = self.first_reject.clone()?;
        Some(Refused { count, first })
    }

    /// Adds a record to the file of its resource, and its author to that of authors.
    fn take<T: Record>(&mut self, record: &Mapped<'a, T>, author: Option<Object<'a>>) {
        let offset = self.main.take(record.at(), record.raw());
        if let Some(noted) = &mut self.noted {
            noted.record(record.id(), record.raw(), offset);
        }
        if self.wants_ids {
            let id = record.id().clone();
            if child::strays(&id) {
                self.strays.push((self.slice.first + self.seen, id));
            } else {
                self.ids.push(id);
            }
        }
        self.seen += 1;
        if let Some(author) = author
            && self.authors.insert(author.raw())
        {
            self.push(Output::Authors, author.raw());
        }
    }
}

impl SliceProcessor {
    /// For a run with these settings, whose slices are in `folder`.
    pub(super) fn new(folder: &Path, settings: &Settings, mappings: Mappings) -> Self {
        Self {
            folder: folder.to_owned(),
            email_domain: settings.email_domain.clone(),
            mappings,
            history: settings.keeps_history(),
        }
    }

    /// Processes one slice.
    ///
    /// `bytes` is a buffer that is reused: allocating new memory for each slice is slow.
    pub(super) fn process(
        &self,
        slice: &Slice,
        bytes: &mut Vec<u8>,
    ) -> Result<SliceResult, SliceError> {
        let mapping = self.mappings.of(slice.resource);
        let noted = self.history.then(|| EntryRecorder::new(mapping));
        if let Some(longest) = slice.longest {
            let beginning = slice.place.beginning(rejects::BEGINNING);
            beginning.read_into(&self.folder, bytes)?;
            let mut left = SliceWriter::new((slice, &[]), &self.folder, noted);
            left.too_long(bytes, longest)?;
            return self.finish(left, ActivityCounts::default());
        }
        slice.place.read_into(&self.folder, bytes)?;
        let bytes = bytes.as_slice();
        let mut left = SliceWriter::new((slice, bytes), &self.folder, noted);
        let tally = match slice.resource {
            Resource::Users => users(bytes, mapping, &self.email_domain, &mut left)?,
            Resource::Posts => {
                let (count, left) = (ActivityCounts::add_post, &mut left);
                written::<Post<'_>>(bytes, mapping, left, count, |post| post.author)?
            }
            Resource::Comments => {
                let (count, left) = (ActivityCounts::add_comment, &mut left);
                written::<Comment<'_>>(bytes, mapping, left, count, |comment| comment.author)?
            }
        };
        self.finish(left, tally)
    }

    /// Writes the output of a slice.
    fn finish(
        &self,
        left: SliceWriter<'_>,
        tally: ActivityCounts,
    ) -> Result<SliceResult, SliceError> {
        let (slice, refused) = (left.slice, left.refused());
        let write = |(output, records): (Output, SegmentWriter)| {
            Ok((output, records.write(&self.folder, &segments(output))?))
        };
        let segments = left.segments.into_iter().map(write);
        let mut segments: BTreeMap<_, _> = segments.collect::<Result<_, StorageError>>()?;
        match left.main.finish() {
            Laid::Nothing => None,
            Laid::AsTheyAre { records } => {
                let place = slice.place.clone();
                segments.insert(Output::all_of(slice.resource), Segment { place, records })
            }
            Laid::Anew(records) => {
                let (output, segment) = write((Output::all_of(slice.resource), records))?;
                segments.insert(output, segment)
            }
        };
        let name = format!("{}-{}.entries", slice.resource, writer());
        let listed = left.noted.map(|noted| noted.write(&self.folder, &name));
        Ok(SliceResult {
            tally,
            segments,
            refused,
            ids: left.ids,
            strays: left.strays,
            listed: listed.transpose()?,
        })
    }
}

/// A name for this thread: no other thread appends to files with this name in theirs.
fn writer() -> String {
    format!("{}-{:?}", std::process::id(), std::thread::current().id())
}

/// The file of this writer's segments of an output.
fn segments(output: Output) -> String {
    format!("{STAGING}/{}-{}.segments", output.stem(), writer())
}

/// How the records of a source are read, including authors if these are its users.
#[must_use]
pub fn mappings(source: &Source) -> Mappings {
    let authors = source.authors.as_ref();
    let fields = |resource| {
        let endpoint = source
            .endpoints
            .get(&resource)
            .map(|endpoint| &endpoint.fields);
        let is_listed = endpoint.is_some();
        let listed = endpoint.cloned().unwrap_or_default();
        match authors {
            Some(_) if resource == Resource::Users && is_listed => listed,
            Some(authors) if resource == Resource::Users => authors.fields.clone(),
            Some(authors) => match authors.within.get(&resource).cloned() {
                Some(path) => listed.with(Field::Author, FieldPath::new(path, true)),
                None => listed,
            },
            None => listed,
        }
    };
    let all = Mappings::new(&source.time_zone, fields);
    source
        .endpoints
        .iter()
        .fold(all, |all, (resource, endpoint)| {
            let mapping = all.of(*resource).clone();
            all.with(*resource, mapping.ignoring(endpoint.ignore.clone()))
        })
}

/// Runs a worker process: receives slices, sends results, until there are no more slices.
///
/// # Errors
/// When the pipes to the program that started it fail.
pub fn serve_worker(bench: &SliceProcessor) -> io::Result<()> {
    let mut bytes = Vec::new();
    activity_tracker_concurrency::serve(|slice: Slice| bench.process(&slice, &mut bytes))
}

fn users<'a>(
    slice: &'a [u8],
    mapping: &Mapping,
    domain: &EmailDomain,
    left: &mut SliceWriter<'a>,
) -> Result<ActivityCounts, StorageError> {
    let mut tally = ActivityCounts::default();
    let mut filtered = SegmentWriter::new(Output::FilteredUsers.layout());
    let (mut called, mut noted) = (SegmentWriter::new(Output::Called.layout()), Vec::new());
    let mut outcome = Ok(());
    // All users pass through this closure; only those in the domain pass the filter.
    let tapped = map::<User<'_>>(slice, mapping).filter_map(|user| match user {
        Err(rejected) => {
            left.seen += 1;
            if let Err(error) = left.reject(&rejected) {
                outcome = Err(error);
            }
            None
        }
        Ok(_) if left.leaves_out() => None,
        Ok(user) => {
            tally.add_user(&user);
            left.take(&user, None);
            noted.clear();
            encode_user(&user, &mut noted);
            called.push_run(&noted, 1);
            if let Some(name) = user.called() {
                left.push_json(Output::UserNames, name.as_str());
            }
            Some(Ok(user))
        }
    });
    for user in by_email_domain(tapped, domain).flatten() {
        filtered.push(user.raw());
    }
    outcome?;
    tally.filtered_users = filtered.records();
    if !called.is_empty() {
        left.segments.insert(Output::Called, called);
    }
    if !filtered.is_empty() {
        left.segments.insert(Output::FilteredUsers, filtered);
    }
    Ok(tally)
}

/// Processes records that users wrote: posts or comments.
fn written<'a, T: FromFields<'a> + Record>(
    slice: &'a [u8],
    mapping: &Mapping,
    left: &mut SliceWriter<'a>,
    count: impl Fn(&mut ActivityCounts, &T),
    author: impl Fn(&T) -> Option<Object<'a>>,
) -> Result<ActivityCounts, StorageError> {
    // A fold would be shorter, but would move the counts for each record.
    let mut tally = ActivityCounts::default();
    for record in map::<T>(slice, mapping) {
        match record {
            Ok(_) if left.leaves_out() => {}
            Ok(record) => {
                count(&mut tally, &record);
                left.take(&record, author(&record));
            }
            Err(rejected) => {
                left.seen += 1;
                left.reject(&rejected)?;
            }
        }
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Position;
    use crate::record::FieldMap;
    use crate::storage::Place;

    fn bench(resource: Resource, bytes: &str) -> (SliceProcessor, Slice, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(STAGING)).unwrap();
        std::fs::write(folder.path().join("page"), bytes).unwrap();
        let place = Place {
            file: "page".to_owned(),
            offset: 0,
            length: bytes.len() as u64,
        };
        let slice = Slice {
            resource,
            position: Position::default(),
            first: 40,
            records: 2,
            has_children: false,
            url: "http://api.test/posts".parse().unwrap(),
            response: None,
            longest: None,
            repeated: Vec::new(),
            place,
        };
        let email_domain = "biz".parse().unwrap();
        (
            SliceProcessor {
                history: true,
                folder: folder.path().to_owned(),
                email_domain,
                mappings: Mappings::placeholder(),
            },
            slice,
            folder,
        )
    }

    #[test]
    fn users_leave_their_own_bytes_their_names_and_those_the_filter_takes() {
        let first = r#"{ "id":1,"name":"A\u0041","username":"a","email":"a@x.biz" }"#;
        let second = r#"{"id":2,"name":"B","username":"b","email":"b@x.com"}"#;
        let (bench, slice, _folder) = bench(Resource::Users, &format!("{first} ,\n{second}"));
        let done = bench.process(&slice, &mut Vec::new()).unwrap();
        let text = |output| {
            let bytes = done.segments[&output].place.read(&bench.folder).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(text(Output::Users), format!("{first},\n  {second}"));
        assert_eq!(text(Output::FilteredUsers), first);
        assert_eq!(text(Output::UserNames), "\"AA\",\n  \"B\"");
        assert_eq!((done.tally.users, done.tally.filtered_users), (2, 1));
    }

    #[test]
    fn the_fields_that_examples_read_are_those_of_the_built_in_source() {
        let source = Source::jsonplaceholder().unwrap();
        for (resource, endpoint) in &source.endpoints {
            assert_eq!(endpoint.fields, FieldMap::placeholder(*resource));
        }
        assert_eq!(source.endpoints.len(), 3);
    }

    #[test]
    fn users_without_a_name_leave_none() {
        let users = r#"{"id":1,"username":"a"},{"id":2}"#;
        let (mut bench, slice, _folder) = bench(Resource::Users, users);
        bench.mappings = serde_json::from_str(
            r#"{"users":{"zone":"UTC","fields":[["id",{"path":"/id","optional":false}],
            ["username",{"path":"/username","optional":true}]]},
            "posts":{"zone":"UTC","fields":[]},"comments":{"zone":"UTC","fields":[]}}"#,
        )
        .unwrap();
        let done = bench.process(&slice, &mut Vec::new()).unwrap();
        let names = &done.segments[&Output::UserNames];
        assert_eq!(names.place.read(&bench.folder).unwrap(), b"\"a\"");
        assert_eq!((names.records, done.tally.users), (1, 2));
    }

    #[test]
    fn records_that_do_not_map_are_kept_beside_those_that_do() {
        let post = r#"{"id":1,"userId":1,"title":"","body":""}"#;
        let records = format!("{post},{{}},\n{post},{{\"id\":2}}");
        let (bench, slice, _folder) = bench(Resource::Posts, &records);
        let wire = serde_json::to_string(&bench.process(&slice, &mut Vec::new()).unwrap()).unwrap();
        let done: SliceResult = serde_json::from_str(&wire).unwrap();
        let read = |output| {
            let bytes = done.segments[&output].place.read(&bench.folder).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(read(Output::Posts), format!("{post},\n  {post}"));
        assert_eq!(
            (done.tally.posts, done.segments[&Output::Posts].records),
            (2, 2)
        );
        let refused = done.refused.unwrap();
        assert_eq!(
            (refused.count, refused.first.to_string().as_str()),
            (2, "record 41: required field `id` is missing")
        );
        let lines: Vec<serde_json::Value> = read(Output::Rejected)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let found = lines
            .iter()
            .map(|line| (line["index"].as_u64(), line["record"].as_str()));
        let expected = [(Some(41), Some("{}")), (Some(43), Some(r#"{"id":2}"#))];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_page_that_has_gone_is_a_storage_error_that_names_it_across_processes() {
        let (bench, slice, folder) = bench(Resource::Posts, "{}");
        std::fs::remove_file(folder.path().join("page")).unwrap();
        let error = bench
            .process(&slice, &mut Vec::new())
            .unwrap_err()
            .into_error(&bench.folder);
        assert_eq!(error.exit_code(), 5);
        assert!(error.to_string().contains("page: No such file"), "{error}");
    }
}
