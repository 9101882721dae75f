//! Checksums of the pages in a spool.

use twox_hash::XxHash3_128;

use crate::fetch::{Digest, digest_of};

/// Computes the checksum of a page as its bytes arrive.
pub(crate) enum PageHasher {
    Blake3(Box<blake3::Hasher>),
    Xxh3(Box<XxHash3_128>),
}

/// The checksum of a page.
pub(crate) struct PageChecksum {
    /// In hex.
    pub(crate) text: String,
    /// What tells the page from others of its resource.
    pub(crate) digest: Digest,
}

impl PageHasher {
    /// BLAKE3 for a page that may become a file of the snapshot as it is: that file's checksum is
    /// the page's. For one of many pages XXH3, which takes a tenth of the time. It is no defence
    /// against forgery, and need not be: it finds the page of a run that was killed while it wrote.
    pub(crate) fn new(one_of_many: bool) -> Self {
        if one_of_many {
            Self::Xxh3(Box::default())
        } else {
            Self::Blake3(Box::default())
        }
    }

    /// The one that a checksum was computed with; versions before 2026-11-29 had BLAKE3 only.
    pub(crate) fn of(checksum: &str) -> Self {
        Self::new(checksum.len() == 2 * size_of::<Digest>())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hasher) => drop(hasher.update(bytes)),
            Self::Xxh3(hasher) => hasher.write(bytes),
        }
    }

    pub(crate) fn finish(&self) -> PageChecksum {
        match self {
            Self::Blake3(hasher) => {
                let hash = hasher.finalize();
                PageChecksum {
                    text: hash.to_hex().to_string(),
                    digest: digest_of(&hash),
                }
            }
            Self::Xxh3(hasher) => {
                let digest = hasher.finish_128();
                PageChecksum {
                    text: format!("{digest:032x}"),
                    digest,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_names_its_hasher_and_is_found_again_in_any_chunks() {
        for one_of_many in [false, true] {
            let mut whole = PageHasher::new(one_of_many);
            whole.update(b"[{\"id\": 1}]");
            let whole = whole.finish();
            let mut again = PageHasher::of(&whole.text);
            for chunk in [&b"[{\"id"[..], b"", b"\": 1}]"] {
                again.update(chunk);
            }
            let again = again.finish();
            assert_eq!((again.text, again.digest), (whole.text, whole.digest));
        }
        let known = PageHasher::new(true).finish().text;
        assert_eq!(known, "99aa06d3014798d86001c324468d497f", "XXH3 of nothing");
    }
}
