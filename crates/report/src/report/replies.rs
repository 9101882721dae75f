//! Which posts have comments, how many, and when the first one was written.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use activity_tracker_core::record::{Id, hash_text};

/// Ids per map entry.
const BLOCK: usize = 16;

/// The comments of each post. Comments are read before posts, so one pass over each file is
/// enough and no post has to be kept in memory.
#[derive(Debug, Default)]
pub(super) struct Replies {
    numbers: HashMap<i64, Box<Block>, RandomState>,
    texts: HashMap<u128, (PostReplies, bool), RandomState>,
}

/// Consecutive ids share an entry, because most APIs number their posts.
#[derive(Debug, Default)]
struct Block {
    counts: [u32; BLOCK],
    /// The time of the first comment, in microseconds; only if comments have dates.
    firsts: Option<Box<[Option<i64>; BLOCK]>>,
    /// Bit set of the ids that a post has taken.
    taken: u16,
}

/// The comments on one post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PostReplies {
    /// How many.
    pub(super) count: u64,
    /// The time of the first one, in microseconds since 1970.
    pub(super) first: Option<i64>,
}

impl PostReplies {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first = earlier(self.first, other.first);
    }
}

/// The result of [`Replies::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The post has no comments.
    None,
    /// The post has these comments.
    Replies(PostReplies),
    /// Another post with the same id has taken them before.
    Already,
}

impl Replies {
    /// Adds a comment on a post.
    pub(super) fn add(&mut self, post: &Id, when: Option<Timestamp>) {
        let first = when.map(Timestamp::as_microsecond);
        match post {
            Id::Number(number) => {
                let (block, index) = position(*number);
                let block = self.numbers.entry(block).or_default();
                block.counts[index] = block.counts[index].saturating_add(1);
                if first.is_some() {
                    let firsts = block.firsts.get_or_insert_default();
                    firsts[index] = earlier(firsts[index], first);
                }
            }
            Id::Text(text) => {
                let (replies, _) = self.texts.entry(hash_text(text)).or_default();
                replies.add(PostReplies { count: 1, first });
            }
        }
    }

    /// Takes the comments of a post, once: of two posts with the same id, the first gets them.
    ///
    /// Ids match with or without quotes: comments may name post `7` as `"7"`.
    pub(super) fn take(&mut self, post: &Id) -> Taken {
        if self.numbers.is_empty() && self.texts.is_empty() {
            return Taken::None;
        }
        let exact = self.take_exact(post);
        let has_other_kind = match post {
            Id::Number(_) => !self.texts.is_empty(),
            Id::Text(_) => !self.numbers.is_empty(),
        };
        let twin = has_other_kind.then(|| post.twin()).flatten();
        match (exact, twin.map(|twin| self.take_exact(&twin))) {
            (Taken::Replies(mut all), Some(Taken::Replies(others))) => {
                all.add(others);
                Taken::Replies(all)
            }
            (found @ Taken::Replies(_), _) | (_, Some(found @ Taken::Replies(_))) => found,
            (Taken::Already, _) | (_, Some(Taken::Already)) => Taken::Already,
            (Taken::None, _) => Taken::None,
        }
    }

    fn take_exact(&mut self, post: &Id) -> Taken {
        let (replies, taken) = match post {
            Id::Number(number) => {
                let (block, index) = position(*number);
                let Some(block) = self.numbers.get_mut(&block) else {
                    return Taken::None;
                };
                let replies = PostReplies {
                    count: block.counts[index].into(),
                    first: block.firsts.as_ref().and_then(|firsts| firsts[index]),
                };
                let bit = 1 << index;
                let taken = block.taken & bit != 0;
                block.taken |= bit;
                (replies, taken)
            }
            Id::Text(text) => {
                let Some((replies, taken)) = self.texts.get_mut(&hash_text(text)) else {
                    return Taken::None;
                };
                (*replies, std::mem::replace(taken, true))
            }
        };
        match replies.count {
            0 => Taken::None,
            _ if taken => Taken::Already,
            _ => Taken::Replies(replies),
        }
    }
}

/// The block of an id, and its index there.
fn position(number: i64) -> (i64, usize) {
    let index = usize::try_from(number & 15).unwrap_or_default();
    (number >> 4, index)
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    fn replies(count: u64, second: Option<i64>) -> Taken {
        let first = second.map(|second| second * 1_000_000);
        Taken::Replies(PostReplies { count, first })
    }

    #[test]
    fn a_post_takes_its_comments_once() {
        let text = |text: &str| Id::Text(text.into());
        let mut all = Replies::default();
        for (post, when) in [
            (Id::Number(7), at(20)),
            (Id::Number(7), at(10)),
            (Id::Number(-1), None),
            (Id::Number(i64::MIN), at(1)),
            (text("a"), at(5)),
            (text("a"), None),
            (text("9"), None),
        ] {
            all.add(&post, when);
        }
        let cases = [
            (Id::Number(7), replies(2, Some(10))),
            (Id::Number(7), Taken::Already),
            (Id::Number(8), Taken::None),
            (Id::Number(-1), replies(1, None)),
            (Id::Number(i64::MIN), replies(1, Some(1))),
            (text("a"), replies(2, Some(5))),
            (text("a"), Taken::Already),
            (text("b"), Taken::None),
            (Id::Number(9), replies(1, None)),
            (text("9"), Taken::Already),
        ];
        for (post, expected) in cases {
            assert_eq!(all.take(&post), expected, "{post:?}");
        }
    }

    #[test]
    fn quoted_and_unquoted_references_to_a_post_add_up() {
        let mut all = Replies::default();
        all.add(&Id::Number(7), at(20));
        all.add(&Id::Text("7".into()), at(30));
        assert_eq!(all.take(&Id::Text("7".into())), replies(2, Some(20)));
        assert_eq!(Replies::default().take(&Id::Number(7)), Taken::None);
    }
}
