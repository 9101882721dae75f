//! What the last run stored, read back as records.

use std::path::Path;

use activity_tracker_core::error::Error;
use activity_tracker_core::pipeline::mappings;
use activity_tracker_core::record::{FromFields, Mapped, Mapping, Mappings, Reject, Resource, map};
use activity_tracker_core::storage::{Chunks, Output, StorageError, StoredSnapshot};

/// The newest snapshot of a data directory.
///
/// Runs that end while it is read do not change it.
///
/// ```no_run
/// use activity_tracker::{Resource, Snapshot, User};
///
/// for chunk in Snapshot::open("data")?.chunks(Resource::Users)? {
///     for user in chunk?.iter::<User>() {
///         println!("{}", *user?);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Snapshot {
    stored: StoredSnapshot,
    mappings: Mappings,
}

impl Snapshot {
    /// Opens the newest snapshot, of either flow.
    ///
    /// # Errors
    /// If there is none, or it was made by a version that did not store the definition of the
    /// source.
    pub fn open(data_dir: impl AsRef<Path>) -> Result<Self, Error> {
        let data_dir = data_dir.as_ref();
        let newest = StoredSnapshot::all(data_dir)?.into_iter().next();
        let stored = newest.ok_or_else(|| StorageError::NoSnapshot(data_dir.to_owned()))?;
        let source = stored.definition()?.whole().source()?;
        Ok(Self {
            mappings: mappings(&source),
            stored,
        })
    }

    /// The id of the run that stored it.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.stored.manifest.run
    }

    /// All records of a resource, in the API's order, about 1 MiB of them at a time.
    ///
    /// An error ends them: the file cannot be read, or is not what the manifest says.
    ///
    /// # Errors
    /// If the snapshot does not have the resource, or its file cannot be opened.
    pub fn chunks(
        &self,
        resource: Resource,
    ) -> Result<impl Iterator<Item = Result<Records, Error>> + use<>, Error> {
        let output = match resource {
            Resource::Users => Output::Users,
            Resource::Posts => Output::Posts,
            Resource::Comments => Output::Comments,
        };
        let folder = &self.stored.folder;
        let file = self.stored.manifest.file(output).ok_or_else(|| {
            let run = self.run();
            Error::Usage(format!("the snapshot of run {run} has no {resource}"))
        })?;
        let mapping = self.mappings.of(resource).clone();
        let chunks = Chunks::open(folder, file)?;
        Ok(chunks.map(move |chunk| {
            Ok(Records {
                bytes: chunk?.records().to_vec(),
                mapping: mapping.clone(),
            })
        }))
    }

    /// All records of a resource, in the API's order, at once: in memory they take as many bytes as
    /// in their file.
    ///
    /// # Errors
    /// As [`chunks`](Self::chunks), and for the error that ends them.
    pub fn records(&self, resource: Resource) -> Result<Records, Error> {
        let mut all = Records {
            bytes: Vec::new(),
            mapping: self.mappings.of(resource).clone(),
        };
        for chunk in self.chunks(resource)? {
            if !all.bytes.is_empty() {
                all.bytes.push(b',');
            }
            all.bytes.extend(chunk?.bytes);
        }
        Ok(all)
    }
}

/// Records of one resource, in the API's order.
#[derive(Clone, Debug)]
pub struct Records {
    /// With commas between them.
    bytes: Vec<u8>,
    mapping: Mapping,
}

impl Records {
    /// Reads them one by one as [`User`](crate::User), [`Post`](crate::Post) or
    /// [`Comment`](crate::Comment). Each derefs to that, and has its own bytes, as the API sent
    /// them, in `raw()`.
    ///
    /// What was stored was valid for its resource. A [`Reject`] says that a record lacks a field that
    /// the type needs.
    pub fn iter<'a, T: FromFields<'a>>(
        &'a self,
    ) -> impl Iterator<Item = Result<Mapped<'a, T>, Reject>> {
        map(&self.bytes, &self.mapping).map(|record| record.map_err(Reject::from))
    }
}

#[cfg(test)]
mod tests {
    use activity_tracker_core::settings::Settings;
    use activity_tracker_core::source::Source;
    use activity_tracker_sample::{Sample, Server};

    use super::*;
    use crate::{Post, User, fetch, run};

    #[test]
    fn records_of_a_run_are_read_back_in_chunks_and_at_once() {
        let server = Server::start(
            &Sample {
                posts: 9_000,
                ..Sample::default()
            },
            0,
        )
        .unwrap();
        let source = Source::of_shape("sample", &server.base_url()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let outcome = run(&Settings::new(source.clone(), folder.path())).unwrap();
        let snapshot = Snapshot::open(folder.path()).unwrap();
        assert!(outcome.snapshot.manifest.starts_with("manifest"));
        let chunks: Vec<_> = snapshot.chunks(Resource::Posts).unwrap().collect();
        assert!(chunks.len() > 1, "{}", chunks.len());
        let raw = |records: &Records| -> Vec<_> {
            let posts = records.iter::<Post>();
            posts.map(|post| post.unwrap().raw().to_owned()).collect()
        };
        let in_chunks = chunks.iter().flat_map(|chunk| raw(chunk.as_ref().unwrap()));
        let in_chunks: Vec<_> = in_chunks.collect();
        assert_eq!(in_chunks.len(), 9_000);
        let at_once = snapshot.records(Resource::Posts).unwrap();
        assert!(raw(&at_once) == in_chunks);
        assert!(raw(&fetch(&source, Resource::Posts).unwrap()) == in_chunks);
        let users = snapshot.records(Resource::Users).unwrap();
        assert_eq!(users.iter::<User>().count(), 10);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let none = Snapshot::open(folder.path()).unwrap_err();
        assert_eq!(none.exit_code(), 5);
        let server = Server::start(&Sample::default(), 0).unwrap();
        let source = Source::of_shape("sample", &server.base_url()).unwrap();
        let source = source.only(&[Resource::Users]).unwrap();
        run(&Settings::new(source, folder.path())).unwrap();
        let snapshot = Snapshot::open(folder.path()).unwrap();
        let missing = snapshot.records(Resource::Posts).unwrap_err().to_string();
        assert!(missing.ends_with(" has no posts"), "{missing}");
    }
}
