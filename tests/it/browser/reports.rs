//! Made-up reports: full, minimal, hostile and long.

use std::collections::{BTreeMap, BTreeSet};

use activity_tracker::record::{Id, Resource};
use activity_tracker::report::{
    ActivityReport, ChangeCounts, Dates, Day, Domain, PostSummary, ReplyTimes, RunChanges,
    SnapshotFile, Totals, UnansweredPosts, UserActivity, Week, Zone,
};
use jiff::civil::{self, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// The users of `JSONPlaceholder`.
const USERS: [(&str, &str); 10] = [
    ("Leanne Graham", "Sincere@april.biz"),
    ("Ervin Howell", "Shanna@melissa.tv"),
    ("Clementine Bauch", "Nathan@yesenia.net"),
    ("Patricia Lebsack", "Julianne.OConner@kory.org"),
    ("Chelsey Dietrich", "Lucio_Hettinger@annie.ca"),
    ("Mrs. Dennis Schulist", "Karley_Dach@jasper.info"),
    ("Kurtis Weissnat", "Telly.Hoeger@billy.biz"),
    ("Nicholas Runolfsdottir V", "Sherwood@rosamond.me"),
    ("Glenna Reichert", "Chaim_McDermott@dana.io"),
    ("Clementina DuBuque", "Rey.Padberg@karina.biz"),
];

const TITLES: [&str; 5] = [
    "sunt aut facere repellat provident occaecati excepturi optio reprehenderit",
    "qui est esse",
    "ea molestias quasi exercitationem repellat qui ipsa sit aut",
    "eum et est occaecati",
    "magnam facilis autem",
];

/// Hostile names, and how the page shows them.
pub(super) const HOSTILE: [(&str, &str); 9] = [
    (
        "<script>window.hacked=1</script>",
        "<script>window.hacked=1</script>",
    ),
    (
        "</script><script>window.hacked=1</script>",
        "</script><script>window.hacked=1</script>",
    ),
    (
        "<img src=x onerror=window.hacked=1>",
        "<img src=x onerror=window.hacked=1>",
    ),
    (
        "\" onmouseover=\"window.hacked=1\" x='",
        "\" onmouseover=\"window.hacked=1\" x='",
    ),
    ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
    ("a\u{0}b\u{1b}[31m\r\nc", "a\\u{0}b\\u{1b}[31m\\u{d}\\u{a}c"),
    ("👩‍👩‍👧‍👦 🏳️‍🌈 Zoë שלום مرحبا 漢字", "👩‍👩‍👧‍👦 🏳️‍🌈 Zoë שלום مرحبا 漢字"),
    (
        "{{ 7 * 7 }} &lt;b&gt; </style> ]]> -->",
        "{{ 7 * 7 }} &lt;b&gt; </style> ]]> -->",
    ),
    ("Z̸̡̧̛͇̫̺̤̰̙̻͌͛̓͋͑̚̚a̴̢̨̛̛͚̩̲͇̱͌̎͑̈́͜l̷̨̛̻͙̫̺̒͌̿̈́̊͠g̵̡̛̛̗̬̺̻̈́̔͌̈́̚o", "Z̸̡̧̛͇̫̺̤̰̙̻͌͛̓͋͑̚̚a̴̢̨̛̛͚̩̲͇̱͌̎͑̈́͜l̷̨̛̻͙̫̺̒͌̿̈́̊͠g̵̡̛̛̗̬̺̻̈́̔͌̈́̚o"),
];

fn user(id: i64, name: &str, email: &str) -> UserActivity {
    UserActivity {
        joined: None,
        id: Some(Id::Number(id)),
        name: Some(name.to_owned()),
        email: Some(email.to_owned()),
        is_user: true,
        posts: 0,
        comments_received: Some(0),
        comments_written: Some(0),
        active: None,
    }
}

fn moment(day: i64, seconds: i64) -> Timestamp {
    let first = civil::date(2026, 1, 5)
        .to_zoned(TimeZone::UTC)
        .expect("a day");
    first.timestamp() + SignedDuration::from_secs(day * 86_400 + seconds)
}

fn snapshots(resources: &[Resource]) -> BTreeMap<Resource, SnapshotFile> {
    let of = |resource: &Resource| {
        let snapshot = SnapshotFile {
            run: "20260629T081502Z-7f3a".to_owned(),
            at: moment(175, 29_702),
            file: format!("{resource}_async.json"),
        };
        (*resource, snapshot)
    };
    resources.iter().map(of).collect()
}

/// A report without comments, dates and history.
pub(super) fn minimal() -> ActivityReport {
    let quiet = |((name, email), id): (&(&str, &str), i64)| UserActivity {
        comments_received: None,
        comments_written: None,
        posts: (11 - id.cast_unsigned()) * 2,
        ..user(id, name, email)
    };
    ActivityReport {
        source: "https://api.example.com/v1".to_owned(),
        time_zone: Zone::default(),
        snapshots: snapshots(&[Resource::Users, Resource::Posts]),
        totals: Totals {
            users: 10,
            posts: 110,
            ..Totals::default()
        },
        users: USERS.iter().zip(1..).map(quiet).collect(),
        unanswered: None,
        unanswered_reason: None,
        domains: Vec::new(),
        dates: None,
        history: None,
    }
}

/// A report with all data: the users of `JSONPlaceholder` and made-up activity.
pub(super) fn full() -> ActivityReport {
    let mut chance = fastrand::Rng::with_seed(7);
    let mut people: Vec<_> = USERS
        .iter()
        .zip(1..)
        .map(|((name, email), id)| user(id, name, email))
        .collect();
    for email in ["Eliseo@gardner.biz", "Nikita@garfield.biz", "Lew@alysha.tv"] {
        let guest = user(0, "", email);
        people.push(UserActivity {
            id: None,
            name: None,
            is_user: false,
            ..guest
        });
    }
    let mut events = Vec::new();
    for post in 0..600 {
        // More activity on weekdays, by day, and by the first users.
        let week = (chance.i64(0..250) * 4 + chance.i64(0..250) * 6) / 100;
        let weekday = chance.i64(0..7).min(chance.i64(0..9));
        let second = 6 * 3_600 + chance.i64(0..30_000) + chance.i64(0..30_000);
        let at = moment(week * 7 + weekday, second);
        let is_post = post < 100;
        let count = if is_post { 9 } else { people.len() };
        let who = chance.usize(0..count).min(chance.usize(0..count + 3));
        events.push((at, who, is_post));
    }
    events.sort_unstable();
    for (at, who, is_post) in &events {
        let person = &mut people[*who];
        if *is_post {
            person.posts += 1;
        } else {
            *person.comments_written.get_or_insert(0) += 1;
            let receiver = chance.usize(0..9).min(chance.usize(0..9));
            *people[receiver].comments_received.get_or_insert(0) += 1;
        }
        let active = &mut people[*who].active;
        *active = Some((active.map_or(*at, |(first, _)| first), *at));
    }
    let by_guests = people.iter().filter(|person| !person.is_user);
    let by_guests = by_guests.filter_map(|person| person.comments_written).sum();
    let inactive = people
        .iter()
        .filter(|person| person.active.is_none())
        .count();
    people.sort_by_key(|person| {
        std::cmp::Reverse(person.posts + person.comments_written.unwrap_or(0))
    });
    ActivityReport {
        source: "jsonplaceholder".to_owned(),
        time_zone: Zone::default(),
        snapshots: snapshots(&[Resource::Users, Resource::Posts, Resource::Comments]),
        totals: Totals {
            users: 10,
            posts: 100,
            comments: Some(500),
            inactive_users: inactive as u64,
            comments_by_guests: Some(by_guests),
            rejects: 2,
        },
        users: people,
        unanswered: Some(unanswered()),
        unanswered_reason: None,
        domains: domains(),
        dates: Some(dates(&events)),
        history: Some(history(12)),
    }
}

fn unanswered() -> UnansweredPosts {
    let post = |(title, id): (&&str, i64)| PostSummary {
        id: Id::Number(id * 7),
        user_id: Some(Id::Number(id)),
        title: Some((*title).to_owned()),
        created_at: Some(moment(id * 11, id * 7_000)),
    };
    UnansweredPosts {
        count: 12,
        posts: TITLES.iter().zip(1..).map(post).collect(),
    }
}

fn domains() -> Vec<Domain> {
    let counts = [
        ("april.biz", 4),
        ("melissa.tv", 2),
        ("annie.ca", 1),
        ("dana.io", 1),
        ("kory.org", 1),
        ("rosamond.me", 1),
    ];
    let domain = |(domain, users): (&str, u64)| Domain {
        domain: domain.to_owned(),
        users,
    };
    counts.map(domain).into()
}

fn dates(events: &[(Timestamp, usize, bool)]) -> Dates {
    let mut days = BTreeMap::<civil::Date, Day>::new();
    let mut weeks = BTreeMap::<civil::Date, (Week, BTreeSet<usize>)>::new();
    let mut seen = BTreeSet::new();
    let mut hours = [[0; 24]; 7];
    for (at, who, is_post) in events {
        let at = at.to_zoned(TimeZone::UTC);
        let date = at.date();
        let weekday = date.weekday().to_monday_zero_offset();
        hours[usize::from(weekday.unsigned_abs())][usize::from(at.hour().unsigned_abs())] += 1;
        let monday = if date.weekday() == Weekday::Monday {
            date
        } else {
            date.nth_weekday(-1, Weekday::Monday).expect("a Monday")
        };
        let day = days.entry(date).or_insert(Day {
            date,
            posts: 0,
            comments: 0,
        });
        let (week, writers) = weeks
            .entry(monday)
            .or_insert_with(|| (empty(monday), BTreeSet::new()));
        if *is_post {
            (day.posts, week.posts) = (day.posts + 1, week.posts + 1);
        } else {
            (day.comments, week.comments) = (day.comments + 1, week.comments + 1);
        }
        if writers.insert(*who) {
            let first = seen.insert(*who);
            week.new_users += u64::from(first);
            week.returning_users += u64::from(!first);
        }
    }
    Dates {
        days: days.into_values().collect(),
        weeks: weeks.into_values().map(|(week, _)| week).collect(),
        hours,
        time_to_first_reply: Some(ReplyTimes {
            posts: 88,
            median: SignedDuration::from_secs(8_040),
            percentile_90: SignedDuration::from_hours(51),
        }),
    }
}

fn empty(monday: civil::Date) -> Week {
    Week {
        joined: None,
        monday,
        posts: 0,
        comments: 0,
        new_users: 0,
        returning_users: 0,
    }
}

fn history(runs: i64) -> Vec<RunChanges> {
    let mut chance = fastrand::Rng::with_seed(11);
    let run = |number: i64| {
        let mut counts = |most: u64| ChangeCounts {
            added: if number == 0 {
                most * 10
            } else {
                chance.u64(0..=most)
            },
            changed: if number == 0 {
                0
            } else {
                chance.u64(0..=most / 3)
            },
            removed: if number == 0 {
                0
            } else {
                chance.u64(0..=most / 8)
            },
            retyped: 0,
        };
        let changes = [
            (Resource::Users, counts(1)),
            (Resource::Posts, counts(9)),
            (Resource::Comments, counts(48)),
        ];
        RunChanges {
            run: format!(
                "202604{:02}T081502Z-{:04x}",
                number % 30 + 1,
                number * 4_099
            ),
            at: moment(98 + number * 7, 29_702),
            changes: changes.into(),
        }
    };
    (0..runs).map(run).collect()
}

/// A report with hostile names everywhere.
pub(super) fn hostile() -> ActivityReport {
    let long = "W".repeat(10_000);
    let names = HOSTILE.iter().map(|(name, _)| *name).chain([&*long]);
    let hostile = |(name, id): (&str, i64)| UserActivity {
        id: Some(Id::Text(name.into())),
        active: Some((Timestamp::MIN, Timestamp::MAX)),
        posts: u64::MAX,
        comments_written: Some(u64::MAX),
        ..user(id, name, name)
    };
    let users: Vec<_> = names.zip(1..).map(hostile).collect();
    let post = |user: &UserActivity| PostSummary {
        id: user.id.clone().expect("an id"),
        user_id: user.id.clone(),
        title: user.name.clone(),
        created_at: Some(Timestamp::MIN),
    };
    let domain = |user: &UserActivity| Domain {
        domain: user.name.clone().unwrap_or_default(),
        users: u64::MAX / 100,
    };
    let mut report = full();
    for snapshot in report.snapshots.values_mut() {
        (snapshot.run, snapshot.file) = (HOSTILE[0].0.to_owned(), long.clone());
    }
    for (run, user) in report.history.iter_mut().flatten().zip(&users) {
        run.run = user.name.clone().unwrap_or_default();
    }
    ActivityReport {
        source: format!("{}{long}", HOSTILE[0].0),
        unanswered: Some(UnansweredPosts {
            count: u64::MAX,
            posts: users.iter().map(post).collect(),
        }),
        domains: users.iter().map(domain).collect(),
        users,
        ..report
    }
}

/// A report with 1,200 users, 30 years and 200 runs.
pub(super) fn long() -> ActivityReport {
    let mut report = full();
    let many = (1..=1_200_i64).map(|id| UserActivity {
        posts: 1_201 - id.cast_unsigned(),
        ..user(id, &format!("User {id}"), &format!("user{id}@example.com"))
    });
    report.users = many.collect();
    if let Some(dates) = &mut report.dates {
        let first = civil::date(1996, 1, 1);
        let week = |number: u64| Week {
            posts: number,
            comments: number * 3,
            new_users: number % 5,
            returning_users: number % 50,
            ..empty(first + number.cast_signed().weeks())
        };
        dates.weeks = (0..1_565).map(week).collect();
    }
    report.history = Some(history(200));
    report
}
