//! Iterates over the records of a slice, for the mapper.

use super::{SplitError, Splitter, State};

/// The records of a slice, one at a time.
///
/// A slice that is not a sequence of records ends the iteration with an error.
#[must_use]
pub fn records(slice: &[u8]) -> Records<'_> {
    Records {
        slice,
        splitter: Splitter::of_slice(),
        at: 0,
        ended: false,
    }
}

/// The records of a slice: see [`records`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    slice: &'a [u8],
    splitter: Splitter,
    at: usize,
    ended: bool,
}

impl Records<'_> {
    /// Where the next record begins, if that is an object.
    #[inline]
    #[must_use]
    pub fn next_object(&self) -> Option<usize> {
        let mut at = self.at;
        if self.splitter.state == State::BehindRecord {
            at = self.skip_space(at)?;
            if self.slice[at] != b',' {
                return None;
            }
            at += 1;
        }
        at = self.skip_space(at)?;
        (self.slice[at] == b'{').then_some(at)
    }

    fn skip_space(&self, at: usize) -> Option<usize> {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let rest = self.slice.get(at..)?;
        let length = rest.iter().take_while(is_space).count();
        (length < rest.len()).then_some(at + length)
    }

    /// Continues after a record whose end another reader has found.
    #[inline]
    pub fn pass(&mut self, end: usize) {
        self.at = end;
        self.splitter.state = State::BehindRecord;
        self.splitter.offset = end as u64;
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<&'a [u8], SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.splitter.advance(self.slice.get(self.at..)?) {
            Ok((consumed, Some(place))) => {
                // The record ended where the splitter stopped, so it is inside the given bytes and
                // in any case a range of `slice`.
                self.at += consumed;
                let bounds = usize::try_from(place.start)
                    .ok()
                    .zip(usize::try_from(place.end).ok());
                bounds
                    .and_then(|(start, end)| self.slice.get(start..end))
                    .map(Ok)
            }
            Ok((_, None)) => {
                self.ended = true;
                bare_tail(&self.splitter, self.slice)
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

/// The record that only the end of the slice terminates, or the error that there is none.
fn bare_tail<'a>(splitter: &Splitter, slice: &'a [u8]) -> Option<Result<&'a [u8], SplitError>> {
    if splitter.state == State::Bare {
        let start = usize::try_from(splitter.record_start).ok()?;
        return slice.get(start..).map(Ok);
    }
    splitter.finish().err().map(Err)
}
