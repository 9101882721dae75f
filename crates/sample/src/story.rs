//! The story of a forum: who joins when, who writes what, what is edited and deleted.

use std::ops::Range;

use fake::RngExt;

use super::moment::{DAY, HOUR, Moment};
use super::random::{Random, Stream};
use super::rhythm::{HOURS, Rhythm, is_night};
use super::timeline::Author;

/// Percentage of posts that are meant to have no reply. Chance adds a few.
const UNANSWERED: u32 = 12;
/// Percentage of posts with a reply that are edited later.
const EDITED_POSTS: u32 = 20;
/// Percentage of comments that are edited later.
const EDITED_COMMENTS: u32 = 2;
/// Percentage of users who change their employer.
const EDITED_USERS: u32 = 35;
/// Percentage of comments by guests.
const BY_GUESTS: u32 = 13;
/// Percentage of further replies to a post that are by its author.
const BY_POSTER: u32 = 25;
/// One deleted post for this many others, in addition to them.
const POSTS_PER_DELETED: usize = 25;
/// One deleted comment for this many others, in addition to them.
const COMMENTS_PER_DELETED: usize = 100;

/// A user of the story.
#[derive(Debug)]
struct Member {
    joined: Moment,
    /// When the user writes for the last time.
    left: Moment,
    edited: Option<Moment>,
    /// The user's share of all posts and of all comments.
    posts: u64,
    comments: u64,
}

/// A user, post or comment of the story.
#[derive(Debug)]
pub(super) struct Entry {
    /// When it is created.
    pub(super) at: Moment,
    /// The number of the user or post that it belongs to, if there are any.
    pub(super) owner: Option<usize>,
    /// Who writes a comment.
    pub(super) author: Author,
    pub(super) edited: Option<Moment>,
    pub(super) deleted: Option<Moment>,
}

/// A comment before its author is known.
type Reply = (Moment, Option<usize>, Option<Moment>);

impl Member {
    fn account(&self) -> Entry {
        Entry {
            at: self.joined,
            owner: None,
            author: Author::Guest(0),
            edited: self.edited,
            deleted: None,
        }
    }
}

/// `at`, if it is in the forum's life.
fn in_life(at: Moment) -> Option<Moment> {
    (at < Moment::END).then_some(at)
}

/// All events, in chronological order.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) users: Vec<Entry>,
    pub(super) posts: Vec<Entry>,
    pub(super) comments: Vec<Entry>,
}

impl Story {
    /// The story of this number of users, posts and comments. It also has a few posts and comments
    /// that are deleted later, in addition to these numbers.
    pub(super) fn of(seed: u64, users: usize, posts: usize, comments: usize) -> Self {
        let mut writer = Writer {
            rng: Random::of(seed, Stream::Story, 0, 0),
            rhythm: Rhythm::new(),
        };
        let members = writer.members(users);
        let mut posts = writer.posts(posts, &members);
        let comments = writer.comments(comments, &members, &posts);
        writer.edit_posts(&mut posts, &comments);
        Self {
            users: members.iter().map(Member::account).collect(),
            posts,
            comments,
        }
    }
}

/// Makes up the story.
struct Writer {
    rng: Random,
    rhythm: Rhythm,
}

impl Writer {
    /// True in `percent` % of cases.
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn seconds(&mut self, range: Range<i64>) -> i64 {
        self.rng.random_range(range)
    }

    /// Random moments in a range of hours, in order.
    fn moments(&mut self, count: usize, hours: &Range<usize>) -> Vec<Moment> {
        let mut moments: Vec<_> = (0..count)
            .map(|_| self.rhythm.moment(hours.clone(), &mut self.rng))
            .collect();
        moments.sort_unstable();
        moments
    }

    fn shuffle(&mut self, numbers: &mut [usize]) {
        for last in (1..numbers.len()).rev() {
            let other = self.rng.random_range(0..=last);
            numbers.swap(last, other);
        }
    }

    /// The users, in the order in which they join: half of them in the first two weeks. A few write
    /// most, one in five never writes, and one in four stops after some months. The first one is a
    /// member from the first morning to the end.
    fn members(&mut self, count: usize) -> Vec<Member> {
        let founders = count.div_ceil(2).saturating_sub(1);
        let later = count.saturating_sub(founders + 1);
        let mut joined = vec![Moment::START + (8 * HOUR + 180)];
        joined.extend(self.moments(founders, &(24..14 * 24)));
        joined.extend(self.moments(later, &(14 * 24..140 * 24)));
        joined.truncate(count);

        let mut order: Vec<_> = (1..count).collect();
        self.shuffle(&mut order);
        // The first user writes the second most posts.
        order.insert(order.len().min(1), 0);
        order.truncate(count - count / 5);
        let (mut posts, mut comments) = (vec![0; count], vec![0; count]);
        for shares in [&mut posts, &mut comments] {
            for (rank, member) in (1..).zip(&order) {
                if let Some(share) = shares.get_mut(*member) {
                    *share = 10_000 / rank;
                }
            }
            self.shuffle(&mut order);
        }
        let members = joined.into_iter().zip(posts.into_iter().zip(comments));
        let mut members: Vec<_> = members
            .map(|(joined, (posts, comments))| Member {
                joined,
                left: Moment::END,
                edited: None,
                posts,
                comments,
            })
            .collect();
        for member in members.iter_mut().skip(1) {
            if self.chance(25) {
                member.left = member.joined + self.seconds(40 * DAY..110 * DAY);
            }
            if self.chance(EDITED_USERS) {
                member.edited = in_life(member.joined + self.seconds(20 * DAY..140 * DAY));
            }
        }
        members
    }

    /// The number of a random member at a moment, weighted by their shares.
    fn pick(
        &mut self,
        members: &[Member],
        at: Moment,
        share: impl Fn(&Member) -> u64,
    ) -> Option<usize> {
        let there = |member: &Member| member.joined <= at && at < member.left;
        let shares = || {
            let there = members.iter().enumerate().filter(|(_, it)| there(it));
            there.map(|(number, member)| (number, share(member)))
        };
        let total: u64 = shares().map(|(_, share)| share).sum();
        if total == 0 {
            return (!members.is_empty()).then_some(0);
        }
        let mut drawn = self.rng.random_range(0..total);
        shares().find_map(|(number, share)| match drawn.checked_sub(share) {
            Some(rest) => {
                drawn = rest;
                None
            }
            None => Some(number),
        })
    }

    /// The posts in chronological order, including those that are deleted later.
    fn posts(&mut self, count: usize, members: &[Member]) -> Vec<Entry> {
        // The last post leaves time for a reply.
        let mut kept = self.moments(count, &(24..HOURS - 24));
        if let Some(first) = kept.first_mut() {
            *first = Moment::START + (9 * HOUR + 720);
        }
        // One after another: each one is deleted soon after the next one appears.
        let deleted = count / POSTS_PER_DELETED;
        let share = (HOURS - 32 * 24) / deleted.max(1);
        let doomed: Vec<_> = (1..=deleted)
            .map(|number| {
                let hours = ((number - 1) * share).max(24)..number * share;
                let next = i64::try_from(hours.end).unwrap_or_default() * HOUR;
                let deleted = Moment::START + (next + self.seconds(4 * DAY..25 * DAY));
                (self.rhythm.moment(hours, &mut self.rng), Some(deleted))
            })
            .collect();
        let mut all: Vec<_> = kept.into_iter().map(|at| (at, None)).collect();
        all.extend(doomed);
        all.sort_by_key(|(at, _)| *at);
        let mut posts = Vec::with_capacity(all.len());
        for (at, deleted) in all {
            posts.push(Entry {
                at,
                owner: self.pick(members, at, |member| member.posts),
                author: Author::Guest(0),
                edited: None,
                deleted,
            });
        }
        posts
    }

    /// Edits some posts after their first replies: the question is solved.
    fn edit_posts(&mut self, posts: &mut [Entry], comments: &[Entry]) {
        let mut answered = vec![None; posts.len()];
        for comment in comments {
            if let Some(first) = comment.owner.and_then(|post| answered.get_mut(post)) {
                first.get_or_insert(comment.at);
            }
        }
        for (post, answered) in posts.iter_mut().zip(answered) {
            if let Some(answered) = answered
                && self.chance(EDITED_POSTS)
            {
                post.edited = in_life(answered + self.seconds(HOUR..40 * DAY));
            }
        }
    }

    /// The comments in chronological order, including those that are deleted later.
    fn comments(&mut self, count: usize, members: &[Member], posts: &[Entry]) -> Vec<Entry> {
        let mut replies = self.replies(count, posts);
        self.add_doomed(&mut replies, count / COMMENTS_PER_DELETED, posts);
        replies.sort_by_key(|(at, _, _)| *at);
        let guests = u64::try_from(count / 20).unwrap_or_default().max(1);
        let mut answered = vec![false; posts.len()];
        let mut comments = Vec::with_capacity(replies.len());
        for (number, (at, owner, deleted)) in (0..).zip(replies) {
            let poster = owner
                .filter(|post| answered.get(*post).is_some_and(|answered| *answered))
                .and_then(|post| posts.get(post)?.owner);
            let author = if deleted.is_some() {
                // A new guest.
                Author::Guest(guests + number)
            } else {
                self.author(members, at, poster, guests)
            };
            if let Some(answered) = owner.and_then(|post| answered.get_mut(post)) {
                *answered = true;
            }
            let edited = self.chance(EDITED_COMMENTS) && deleted.is_none();
            comments.push(Entry {
                at,
                owner,
                author,
                edited: edited
                    .then(|| at + self.seconds(300..DAY))
                    .and_then(in_life),
                deleted,
            });
        }
        comments
    }

    /// The author of a comment: a guest, the author of the post, or another user.
    fn author(
        &mut self,
        members: &[Member],
        at: Moment,
        poster: Option<usize>,
        guests: u64,
    ) -> Author {
        let user = match poster {
            Some(poster) if self.chance(BY_POSTER) => Some(poster),
            _ if self.chance(BY_GUESTS) => None,
            _ => self.pick(members, at, |member| member.comments),
        };
        let guest = |rng: &mut Random| {
            // Some guests write often.
            let drawn = [0; 2].map(|_: u64| rng.random_range(0..guests));
            drawn[0].min(drawn[1])
        };
        user.map_or_else(|| Author::Guest(guest(&mut self.rng)), Author::User)
    }

    /// When replies are written, and to which posts: a few posts get most of them, some none.
    fn replies(&mut self, count: usize, posts: &[Entry]) -> Vec<Reply> {
        let mut weights: Vec<u64> = Vec::with_capacity(posts.len());
        for post in posts {
            let open = post.deleted.is_none() && !self.chance(UNANSWERED);
            let weight = match self.rng.random_range(0..100) {
                0..50 => 3,
                50..80 => 7,
                80..95 => 15,
                _ => 40,
            };
            weights.push(if open { weight } else { 0 });
        }
        if weights.iter().all(|weight| *weight == 0)
            && let Some(first) = weights.first_mut()
        {
            *first = 1;
        }
        // For each post, the cumulative weight up to and including it.
        let mut total = 0;
        for weight in &mut weights {
            total += *weight;
            *weight = total;
        }
        let mut replies = Vec::with_capacity(count);
        for _ in 0..count {
            if total == 0 {
                replies.push((self.rhythm.moment(24..HOURS, &mut self.rng), None, None));
                continue;
            }
            let drawn = self.rng.random_range(0..total);
            let number = weights.partition_point(|weight| *weight <= drawn);
            let posted = posts.get(number).map_or(Moment::START, |post| post.at);
            replies.push((self.reply_after(posted), Some(number), None));
        }
        replies
    }

    /// The time of a reply: most within hours, few after days, hardly any at night.
    fn reply_after(&mut self, posted: Moment) -> Moment {
        let delay = match self.rng.random_range(0..100) {
            0..40 => 480..3 * HOUR,
            40..72 => 3 * HOUR..14 * HOUR,
            72..92 => 14 * HOUR..4 * DAY,
            _ => 4 * DAY..14 * DAY,
        };
        let at = posted + self.seconds(delay);
        let at = if is_night(at) { at + 7 * HOUR } else { at };
        let left = Moment::END.0 - posted.0;
        in_life(at).unwrap_or_else(|| posted + self.seconds(480..left))
    }

    /// Adds advertisements, which are deleted after some weeks.
    fn add_doomed(&mut self, replies: &mut Vec<Reply>, count: usize, posts: &[Entry]) {
        for number in 0..count {
            // From the first post to the last one that is early enough.
            let post = number * posts.len() / count;
            let until = Moment::END + -32 * DAY;
            let open = |entry: &&Entry| entry.deleted.is_none() && entry.at < until;
            if let Some(entry) = posts.get(post).filter(open) {
                let at = entry.at + self.seconds(DAY..6 * DAY);
                let deleted = at + self.seconds(15 * DAY..25 * DAY);
                replies.push((at, Some(post), Some(deleted)));
            }
        }
    }
}
