//! The words of the forum: cyclists, and what they ask each other.

use fake::RngExt;
use fake::rand::rngs::ChaCha8Rng;

const PARTS: [&str; 20] = [
    "rear brake",
    "front brake",
    "chain",
    "saddle",
    "dynamo light",
    "pannier rack",
    "gear hub",
    "left pedal",
    "bottom bracket",
    "handlebar bag",
    "front wheel",
    "rear tyre",
    "kickstand",
    "derailleur",
    "headset",
    "brake cable",
    "mudguard",
    "seat post",
    "bell",
    "freewheel",
];
const BIKES: [&str; 8] = [
    "city bike",
    "touring bike",
    "cargo bike",
    "folding bike",
    "road bike",
    "recumbent",
    "tandem",
    "mountain bike",
];
const VERBS: [&str; 6] = ["adjust", "replace", "clean", "remove", "tighten", "repair"];
const PROBLEMS: [&str; 8] = [
    "squeaks",
    "rattles",
    "came loose",
    "wobbles",
    "is worn out",
    "makes a clicking noise",
    "is stuck",
    "feels wrong",
];
const EVENTS: [&str; 7] = [
    "a long tour",
    "a week of rain",
    "the winter",
    "a fall",
    "the last service",
    "3,000 km",
    "a puncture",
];
const USES: [&str; 9] = [
    "commuting",
    "touring",
    "the winter",
    "gravel roads",
    "a child seat",
    "shopping",
    "rainy days",
    "steep hills",
    "a 300 km ride",
];

/// The titles of posts that ask for help.
const QUESTIONS: [&str; 6] = [
    "How do I {verb} the {part}?",
    "{Part} {problem} after {event}",
    "{Part} {problem}, what now?",
    "Is it hard to {verb} a {part}?",
    "My {bike}: {part} {problem}",
    "Help: {part} {problem} again",
];
/// The titles of other posts.
const CHATS: [&str; 6] = [
    "Which {part} for {use}?",
    "A {bike} for {use}?",
    "Show your {bike}!",
    "Tools to {verb} a {part} on the road",
    "What I learned from {event} with my {bike}",
    "Is a {bike} worth it for {use}?",
];

/// The sentences that such posts begin with, go on with and end with.
const QUESTION_TEXTS: [&[&str]; 3] = [
    &[
        "After {event} the {part} of my {bike} {problem}, and I cannot find out why.",
        "I ride my {bike} to work every day, 12 km each way, and now the {part} {problem}.",
        "I bought a used {bike} last month, and the {part} {problem}.",
        "My {bike} is ten years old, and this is the first time that the {part} {problem}.",
        "Before I use the {bike} for {use} I want to {verb} the {part}.",
        "The shop has no time for my {bike} until next month, so I have to {verb} the {part} myself.",
    ],
    &[
        "I have tried to {verb} it twice, without luck.",
        "It only happens when I pedal hard uphill.",
        "On dry days it is almost fine, in the rain it is terrible.",
        "The shop wants 80 euros for that, which seems a lot.",
        "I have the usual tools, but no stand.",
        "A friend says that this is normal after {event}.",
        "I cleaned and oiled everything on Sunday, and it got no better.",
        "There is no play in it as far as I can see.",
        "I need the bike again on Monday.",
    ],
    &[
        "Any ideas?",
        "What would you do?",
        "Where should I look first?",
        "Thanks in advance!",
        "Has anybody had the same?",
        "Is this something for the shop?",
    ],
];
const CHAT_TEXTS: [&[&str]; 3] = [
    &[
        "After {event} I am thinking about a new {part} for my {bike}.",
        "I want to use my {bike} for {use} this year.",
        "We had this at the meeting last week, and I promised to ask here.",
        "I have had my {bike} for three years and would like to hear how others use theirs.",
        "I need something for {use}, and it should not cost a fortune.",
        "There is an old thread on this, but much has changed since.",
    ],
    &[
        "So far I have got along with what came with the bike.",
        "The tests in the magazines do not agree at all.",
        "For {use} I care more about comfort than about weight.",
        "I would rather {verb} something old than buy something new.",
        "My budget is about 150 euros, a bit more if it lasts.",
        "The {part} of the last one never gave me trouble.",
        "I usually ride 60 to 80 km at weekends.",
        "Pictures are welcome.",
    ],
    &[
        "What is your experience?",
        "What do you use?",
        "I am looking forward to your stories.",
        "Would you do it again?",
        "Which one would you take?",
    ],
];
/// The post of somebody who will soon delete it.
const SALE: &str = "For sale: {bike}";
const SALE_TEXTS: [&[&str]; 3] = [
    &[
        "I am selling my {bike}, because I have no room for it any more.",
        "My {bike} needs a new home, since I bought another one.",
    ],
    &[
        "It was mainly used for {use} and has been in the shop every spring.",
        "The {part} {problem}, but that is easy to {verb}.",
        "Two new tyres, a lock and a pump come with it.",
    ],
    &[
        "320 euros, or make me an offer.",
        "I delete this when it is gone.",
    ],
];

/// Comments begin with one of these, and may go on with some of the next ones.
const REPLIES: [&[&str]; 2] = [
    &[
        "I had the same with my {bike}.",
        "Try to {verb} it first, that takes five minutes.",
        "Mine {problem} too. A drop of oil helped.",
        "That is the {part}, I am quite sure.",
        "Have a look at the {part} as well.",
        "Which model is it?",
        "Can you post a picture?",
        "Thanks, that worked!",
        "Good question, I would like to know that, too.",
        "Do not {verb} it before you have tried another one.",
        "For {use} I would take the cheaper one.",
        "I disagree: after {event} I would not wait.",
        "Is it worse in the rain?",
        "The local repair café helped me with that.",
        "No problem at all, anybody can {verb} a {part}.",
    ],
    &[
        "A new {part} costs less than an hour in the shop.",
        "Take care with the thread, it is easily damaged.",
        "It has been quiet for 2,000 km now.",
        "There is a good video about it.",
        "After {event} I do that every time.",
        "If that does not help, go to the shop.",
        "A bit of grease does wonders.",
        "Mine is a {bike}, so it may be different.",
        "Let us know how it went!",
        "I learned that the hard way.",
        "You need a 15 mm spanner and some patience.",
    ],
];

const ADVERTISEMENTS: [&str; 3] = [
    "BEST {part} DEALS, up to 70 % off!!! www.cheap-bike-parts.example",
    "Earn money while you ride your {bike}: www.ride-and-earn.example",
    "Our {part} is better and cheaper. Look at our shop: www.cheap-bike-parts.example",
];

/// What is added to a post that asked for help, when the help was good.
const SOLVED: [&str; 4] = [
    "Edit: solved, thank you all!",
    "Edit: it was the cable. Everything is fine now.",
    "Edit: the second answer was the right one.",
    "Edit: I bought a new one, and it works.",
];

/// What is added to another post.
const THANKS: [&str; 3] = [
    "Edit: thank you all, I have made up my mind.",
    "Edit: I have added a picture.",
    "Edit: many good ideas here, keep them coming!",
];

/// What is added to a comment when it is corrected.
const CORRECTED: [&str; 3] = [
    "Edit: typo.",
    "Edit: I meant the other side.",
    "Edit: 15 mm, not 13.",
];

/// What a post is about.
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
    /// A random topic; that of an offer if it is `for_sale`.
    pub(super) fn draw(for_sale: bool, rng: &mut ChaCha8Rng) -> Self {
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

    pub(super) fn title(&self) -> String {
        let mut title = String::with_capacity(80);
        self.fill(self.title, &mut title);
        title
    }

    /// A beginning, two or three sentences, and an end in a line of its own.
    pub(super) fn body(&self, rng: &mut ChaCha8Rng) -> String {
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
    pub(super) fn reply(&self, rng: &mut ChaCha8Rng) -> String {
        let [begin, more] = REPLIES;
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
    pub(super) fn edit_post(&self, title: &mut String, body: &mut String, rng: &mut ChaCha8Rng) {
        let is_question = self.texts == QUESTION_TEXTS;
        let words = if is_question { &SOLVED[..] } else { &THANKS };
        if is_question {
            title.insert_str(0, "[solved] ");
        }
        add_line(body, pick(words, rng));
    }

    pub(super) fn advertisement(&self, rng: &mut ChaCha8Rng) -> String {
        let mut body = String::with_capacity(100);
        self.fill(pick(&ADVERTISEMENTS, rng), &mut body);
        body
    }

    /// Adds a text with its placeholders filled in.
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
pub(super) fn correct(comment: &mut String, rng: &mut ChaCha8Rng) {
    add_line(comment, pick(&CORRECTED, rng));
}

fn add_line(text: &mut String, line: &str) {
    text.push('\n');
    text.push_str(line);
}

fn pick(words: &[&'static str], rng: &mut ChaCha8Rng) -> &'static str {
    words[rng.random_range(0..words.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_has_a_name_that_is_known() {
        let lists = [QUESTION_TEXTS, CHAT_TEXTS, SALE_TEXTS];
        let texts = lists.iter().flatten().chain(&REPLIES).copied().flatten();
        let titles = QUESTIONS.iter().chain(&CHATS).chain(&ADVERTISEMENTS);
        for text in texts.chain(titles).chain([&SALE]) {
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
