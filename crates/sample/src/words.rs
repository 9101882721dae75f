//! The words of the forum: cyclists, and what they ask each other.

pub(super) const PARTS: [&str; 20] = [
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
pub(super) const BIKES: [&str; 8] = [
    "city bike",
    "touring bike",
    "cargo bike",
    "folding bike",
    "road bike",
    "recumbent",
    "tandem",
    "mountain bike",
];
pub(super) const VERBS: [&str; 6] = ["adjust", "replace", "clean", "remove", "tighten", "repair"];
pub(super) const PROBLEMS: [&str; 8] = [
    "squeaks",
    "rattles",
    "came loose",
    "wobbles",
    "is worn out",
    "makes a clicking noise",
    "is stuck",
    "feels wrong",
];
pub(super) const EVENTS: [&str; 7] = [
    "a long tour",
    "a week of rain",
    "the winter",
    "a fall",
    "the last service",
    "3,000 km",
    "a puncture",
];
pub(super) const USES: [&str; 9] = [
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
pub(super) const QUESTIONS: [&str; 6] = [
    "How do I {verb} the {part}?",
    "{Part} {problem} after {event}",
    "{Part} {problem}, what now?",
    "Is it hard to {verb} a {part}?",
    "My {bike}: {part} {problem}",
    "Help: {part} {problem} again",
];
/// The titles of other posts.
pub(super) const CHATS: [&str; 6] = [
    "Which {part} for {use}?",
    "A {bike} for {use}?",
    "Show your {bike}!",
    "Tools to {verb} a {part} on the road",
    "What I learned from {event} with my {bike}",
    "Is a {bike} worth it for {use}?",
];

/// The beginnings, middles and ends of such posts.
pub(super) const QUESTION_TEXTS: [&[&str]; 3] = [
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
pub(super) const CHAT_TEXTS: [&[&str]; 3] = [
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
/// A post whose author will soon delete it.
pub(super) const SALE: &str = "For sale: {bike}";
pub(super) const SALE_TEXTS: [&[&str]; 3] = [
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

/// Comments on a post that asks for help begin with one of the first list, and may continue with
/// some of the second one.
pub(super) const ANSWERS: [&[&str]; 2] = [
    &[
        "I had the same with my {bike}.",
        "Try to {verb} it first, that takes five minutes.",
        "Mine {problem}, too. A drop of oil helped.",
        "That is the {part}, I am quite sure.",
        "Have a look at the cables as well.",
        "Which model is it?",
        "Can you post a picture?",
        "Good question, I would like to know that, too.",
        "Do not {verb} it before you have tried another one.",
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
/// The same for other posts.
pub(super) const OPINIONS: [&[&str]; 2] = [
    &[
        "For {use} I would take the cheaper one.",
        "I have had a {bike} for five years and would buy it again.",
        "Not for {use}, if you ask me.",
        "Good question, I would like to know that, too.",
        "It depends on how much you ride.",
        "Ask ten people and you get eleven opinions.",
        "Mine came with the {bike}, and I never changed it.",
        "I disagree with most of that.",
        "Nice! Is there a picture?",
        "After {event} I would never go back.",
        "We talked about this at the meeting in spring.",
    ],
    &[
        "Comfort is everything on long days.",
        "Try one before you buy it.",
        "The expensive ones are not much better.",
        "A used one does the job.",
        "My {bike} has done 9,000 km with it.",
        "Just do not forget the spare tube.",
        "The shop at the station lends them for a day.",
        "It is a matter of taste.",
        "In the rain it is another story.",
    ],
];

pub(super) const ADVERTISEMENTS: [&str; 3] = [
    "BEST {part} DEALS, up to 70 % off!!! www.cheap-bike-parts.example",
    "Earn money while you ride your {bike}: www.ride-and-earn.example",
    "Our {part} is better and cheaper. Look at our shop: www.cheap-bike-parts.example",
];

/// Added to a post that asked for help, if the help was good.
pub(super) const SOLVED: [&str; 4] = [
    "Edit: solved, thank you all!",
    "Edit: it was the cable. Everything is fine now.",
    "Edit: the second answer was the right one.",
    "Edit: I bought a new one, and it works.",
];

/// Added to another post.
pub(super) const THANKS: [&str; 3] = [
    "Edit: thank you all, I have made up my mind.",
    "Edit: I have added a picture.",
    "Edit: many good ideas here, keep them coming!",
];

/// Added to a comment when it is corrected.
pub(super) const CORRECTED: [&str; 3] = [
    "Edit: typo.",
    "Edit: I meant the other side.",
    "Edit: 15 mm, not 13.",
];
