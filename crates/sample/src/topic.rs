//! The topic of a post, and the texts about it.

use fake::RngExt;

use super::random::{Random, pick};
use super::words::{
    ADVERTISEMENTS, ANSWERS, BIKES, CHAT_TEXTS, CHATS, CORRECTED, EVENTS, OPINIONS, PARTS,
    PROBLEMS, QUESTION_TEXTS, QUESTIONS, SALE, SALE_TEXTS, SOLVED, THANKS, USES, VERBS,
};

/// The topic of a post.
#[derive(Clone, Copy, Debug)]
pub(super) struct Topic {
    title: &'static str,
    texts: [&'static [&'static str]; 3],
    part: &'static str,
    bike: &'static str,
    verb: &'static str,
    problem: &'static str,
    event: &'static str,
    purpose: &'static str,
}

impl Topic {
    /// A random topic; an offer if `for_sale`.
    pub(super) fn draw(for_sale: bool, rng: &mut Random) -> Self {
        let (title, texts) = if for_sale {
            (SALE, SALE_TEXTS)
        } else if rng.random_range(0..3) < 2 {
            (pick(&QUESTIONS, rng), QUESTION_TEXTS)
        } else {
            (pick(&CHATS, rng), CHAT_TEXTS)
        };
        Self {
            title,
            texts,
            part: pick(&PARTS, rng),
            bike: pick(&BIKES, rng),
            verb: pick(&VERBS, rng),
            problem: pick(&PROBLEMS, rng),
            event: pick(&EVENTS, rng),
            purpose: pick(&USES, rng),
        }
    }

    fn asks_for_help(&self) -> bool {
        self.texts == QUESTION_TEXTS
    }

    pub(super) fn title(&self) -> String {
        let mut title = String::with_capacity(80);
        self.fill(self.title, &mut title);
        title
    }

    /// A beginning, two or three sentences, and an end on its own line.
    pub(super) fn body(&self, rng: &mut Random) -> String {
        let [begin, middle, end] = self.texts;
        let mut body = String::with_capacity(400);
        self.fill(pick(begin, rng), &mut body);
        let (count, first) = (rng.random_range(1..=2), rng.random_range(0..middle.len()));
        for sentence in middle.iter().cycle().skip(first).take(count) {
            body.push(' ');
            self.fill(sentence, &mut body);
        }
        body.push('\n');
        self.fill(pick(end, rng), &mut body);
        body
    }

    /// One to three sentences.
    pub(super) fn reply(&self, rng: &mut Random) -> String {
        let [begin, more] = if self.asks_for_help() {
            ANSWERS
        } else {
            OPINIONS
        };
        let mut body = String::with_capacity(250);
        self.fill(pick(begin, rng), &mut body);
        let (count, first) = (rng.random_range(0..=2), rng.random_range(0..more.len()));
        for sentence in more.iter().cycle().skip(first).take(count) {
            body.push(if rng.random_range(0..4) == 0 {
                '\n'
            } else {
                ' '
            });
            self.fill(sentence, &mut body);
        }
        body
    }

    /// Edits the title and the body of a post.
    pub(super) fn edit_post(&self, title: &mut String, body: &mut String, rng: &mut Random) {
        let words = if self.asks_for_help() {
            &SOLVED[..]
        } else {
            &THANKS
        };
        if self.asks_for_help() {
            title.insert_str(0, "[solved] ");
        }
        add_line(body, pick(words, rng));
    }

    pub(super) fn advertisement(&self, rng: &mut Random) -> String {
        let mut body = String::with_capacity(100);
        self.fill(pick(&ADVERTISEMENTS, rng), &mut body);
        body
    }

    /// Appends a text with its placeholders filled in.
    fn fill(&self, template: &str, text: &mut String) {
        let mut rest = template;
        while let Some((before, behind)) = rest.split_once('{') {
            text.push_str(before);
            let (name, after) = behind.split_once('}').unwrap_or((behind, ""));
            match name {
                "Part" => {
                    let start = text.len();
                    text.push_str(self.part);
                    if let Some(first) = text.get_mut(start..=start) {
                        first.make_ascii_uppercase();
                    }
                }
                "part" => text.push_str(self.part),
                "bike" => text.push_str(self.bike),
                "verb" => text.push_str(self.verb),
                "problem" => text.push_str(self.problem),
                "event" => text.push_str(self.event),
                _ => text.push_str(self.purpose),
            }
            rest = after;
        }
        text.push_str(rest);
    }
}

/// Edits a comment.
pub(super) fn correct(comment: &mut String, rng: &mut Random) {
    add_line(comment, pick(&CORRECTED, rng));
}

fn add_line(text: &mut String, line: &str) {
    text.push('\n');
    text.push_str(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_has_a_name_that_is_known() {
        let posts = [QUESTION_TEXTS, CHAT_TEXTS, SALE_TEXTS].concat();
        let texts = [posts, [ANSWERS, OPINIONS].concat()].concat().concat();
        let titles = QUESTIONS.iter().chain(&CHATS).chain(&ADVERTISEMENTS);
        for text in texts.iter().chain(titles).chain([&SALE]) {
            for placeholder in text.split('{').skip(1) {
                let (name, _) = placeholder.split_once('}').unwrap();
                assert!(
                    ["Part", "part", "bike", "verb", "problem", "event", "use"].contains(&name),
                    "{text}"
                );
            }
        }
    }
}
