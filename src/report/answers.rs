//! Which posts were answered, how often, and when first.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use crate::record::{Id, hash_text};

/// Numbers that share an entry of the map.
const PAGE: usize = 16;

/// The comments of each post: comments are read before the posts that they answer, so
/// that one pass over each file is enough and no post has to be remembered.
#[derive(Debug, Default)]
pub(super) struct Answers {
    numbers: HashMap<i64, Box<Page>, RandomState>,
    texts: HashMap<u128, (Answer, bool), RandomState>,
}

/// Neighbours: most APIs count their ids up.
#[derive(Debug, Default)]
struct Page {
    counts: [u32; PAGE],
    /// When the first comment came, in microseconds; only where comments have dates.
    firsts: Option<Box<[Option<i64>; PAGE]>>,
    /// Which of them a post has asked for, a bit each.
    claimed: u16,
}

/// The comments of one post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// How many.
    pub(super) count: u64,
    /// When the first one came, in microseconds since 1970.
    pub(super) first: Option<i64>,
}

impl Answer {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first = earlier(self.first, other.first);
    }
}

/// What is known of a post's comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There are none.
    Nothing,
    /// There are some.
    Answered(Answer),
    /// There are some, and another post of the same id had them.
    Again,
}

impl Answers {
    /// Counts a comment on a post.
    pub(super) fn add(&mut self, post: &Id, when: Option<Timestamp>) {
        let first = when.map(Timestamp::as_microsecond);
        match post {
            Id::Number(number) => {
                let (page, place) = place(*number);
                let page = self.numbers.entry(page).or_default();
                page.counts[place] = page.counts[place].saturating_add(1);
                if first.is_some() {
                    let firsts = page.firsts.get_or_insert_default();
                    firsts[place] = earlier(firsts[place], first);
                }
            }
            Id::Text(text) => {
                let (answer, _) = self.texts.entry(hash_text(text)).or_default();
                answer.add(Answer { count: 1, first });
            }
        }
    }

    /// The comments of a post, once: two posts of one id do not have them twice.
    ///
    /// Comments may name posts without the quotes that the posts' own ids have, or with them.
    pub(super) fn take(&mut self, post: &Id) -> Found {
        if self.numbers.is_empty() && self.texts.is_empty() {
            return Found::Nothing;
        }
        let exact = self.take_exact(post);
        let other_kind = match post {
            Id::Number(_) => !self.texts.is_empty(),
            Id::Text(_) => !self.numbers.is_empty(),
        };
        let twin = other_kind.then(|| post.twin()).flatten();
        match (exact, twin.map(|twin| self.take_exact(&twin))) {
            (Found::Answered(mut all), Some(Found::Answered(others))) => {
                all.add(others);
                Found::Answered(all)
            }
            (found @ Found::Answered(_), _) | (_, Some(found @ Found::Answered(_))) => found,
            (Found::Again, _) | (_, Some(Found::Again)) => Found::Again,
            (Found::Nothing, _) => Found::Nothing,
        }
    }

    fn take_exact(&mut self, post: &Id) -> Found {
        let (answer, claimed) = match post {
            Id::Number(number) => {
                let (page, place) = place(*number);
                let Some(page) = self.numbers.get_mut(&page) else {
                    return Found::Nothing;
                };
                let answer = Answer {
                    count: page.counts[place].into(),
                    first: page.firsts.as_ref().and_then(|firsts| firsts[place]),
                };
                let bit = 1 << place;
                let claimed = page.claimed & bit != 0;
                page.claimed |= bit;
                (answer, claimed)
            }
            Id::Text(text) => {
                let Some((answer, claimed)) = self.texts.get_mut(&hash_text(text)) else {
                    return Found::Nothing;
                };
                (*answer, std::mem::replace(claimed, true))
            }
        };
        match answer.count {
            0 => Found::Nothing,
            _ if claimed => Found::Again,
            _ => Found::Answered(answer),
        }
    }
}

/// Where a number is: its page, and the place on it.
fn place(number: i64) -> (i64, usize) {
    // A page has sixteen places, so that the place is below that.
    let place = usize::try_from(number & 15).unwrap_or_default();
    (number >> 4, place)
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

    fn answered(count: u64, second: Option<i64>) -> Found {
        let first = second.map(|second| second * 1_000_000);
        Found::Answered(Answer { count, first })
    }

    #[test]
    fn a_post_has_its_comments_once_and_the_first_of_them() {
        let text = |text: &str| Id::Text(text.into());
        let mut answers = Answers::default();
        for (post, when) in [
            (Id::Number(7), at(20)),
            (Id::Number(7), at(10)),
            (Id::Number(-1), None),
            (Id::Number(i64::MIN), at(1)),
            (text("a"), at(5)),
            (text("a"), None),
            (text("9"), None),
        ] {
            answers.add(&post, when);
        }
        let cases = [
            (Id::Number(7), answered(2, Some(10))),
            (Id::Number(7), Found::Again),
            (Id::Number(8), Found::Nothing),
            (Id::Number(-1), answered(1, None)),
            (Id::Number(i64::MIN), answered(1, Some(1))),
            (text("a"), answered(2, Some(5))),
            (text("a"), Found::Again),
            (text("b"), Found::Nothing),
            (Id::Number(9), answered(1, None)),
            (text("9"), Found::Again),
        ];
        for (post, expected) in cases {
            assert_eq!(answers.take(&post), expected, "{post:?}");
        }
    }

    #[test]
    fn comments_that_name_a_post_in_both_ways_are_its_own() {
        let mut answers = Answers::default();
        answers.add(&Id::Number(7), at(20));
        answers.add(&Id::Text("7".into()), at(30));
        assert_eq!(answers.take(&Id::Text("7".into())), answered(2, Some(20)));
        assert_eq!(Answers::default().take(&Id::Number(7)), Found::Nothing);
    }
}
