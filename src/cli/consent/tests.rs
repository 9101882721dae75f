use std::fs;

use super::*;

const ORIGIN: &str = "https://forum.test";

fn wanted(path: Option<&str>, outside: bool) -> CredentialRequest {
    let credential = match path {
        Some(path) => CredentialRef::File(path.into()),
        None => CredentialRef::Variable("FORUM_TOKEN".to_owned()),
    };
    CredentialRequest {
        grant: Grant {
            credential: path.unwrap_or("env:FORUM_TOKEN").to_owned(),
            origin: ORIGIN.to_owned(),
        },
        used: CredentialUse {
            credential,
            origin: ORIGIN.to_owned(),
        },
        path: path.map(PathBuf::from),
        outside,
    }
}

#[test]
fn trust_covers_variables_and_files_of_the_folder_and_other_files_are_named_by_path() {
    let flags = |trust, paths: &[&str]| TrustFlags {
        trust,
        paths: paths.iter().map(PathBuf::from).collect(),
    };
    let (variable, inside) = (wanted(None, false), wanted(Some("/s/token"), false));
    let outside = wanted(Some("/home/a/.ssh/id"), true);
    let cases = [
        (flags(false, &[]), [false, false, false]),
        (flags(true, &[]), [true, true, false]),
        (flags(false, &["/home/a/.ssh/id"]), [false, false, true]),
        (flags(true, &["/home/a/.ssh/id"]), [true, true, true]),
        (flags(true, &["/home/a"]), [true, true, false]),
        (flags(false, &["/s/token"]), [false, true, false]),
    ];
    for (flags, expected) in cases {
        let granted = [&variable, &inside, &outside].map(|wanted| flags.allow(wanted));
        assert_eq!(granted, expected, "{flags:?}");
    }
}

#[test]
fn a_credential_that_is_not_there_needs_no_consent() {
    let place = tempfile::tempdir().unwrap();
    let find = |credential| {
        let origin = ORIGIN.to_owned();
        CredentialRequest::find(CredentialUse { credential, origin }, place.path())
    };
    assert_eq!(find(CredentialRef::File("token".into())), None);
    let unset = "ACTIVITY_TRACKER_TEST_NO_SUCH_VARIABLE".to_owned();
    assert_eq!(find(CredentialRef::Variable(unset)), None);
}

#[test]
fn a_file_is_outside_the_folder_by_dots_by_an_absolute_path_and_by_a_link() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("source");
    fs::create_dir(&folder).unwrap();
    let elsewhere = place.path().join("elsewhere");
    fs::write(&elsewhere, "x").unwrap();
    fs::write(folder.join("token"), "x").unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.join("link")).unwrap();
    let cases = [
        ("token", false),
        ("./token", false),
        ("../source/token", false),
        ("../elsewhere", true),
        ("link", true),
        (elsewhere.to_str().unwrap(), true),
    ];
    for (path, outside) in cases {
        let used = CredentialUse {
            credential: CredentialRef::File(path.into()),
            origin: ORIGIN.to_owned(),
        };
        let found = CredentialRequest::find(used, &folder).unwrap();
        assert_eq!(found.outside, outside, "{path}");
        assert!(found.path.unwrap().is_absolute(), "{path}");
    }
}

#[test]
fn only_a_yes_is_a_yes() {
    let cases = [
        ("y\n", true),
        (" Yes\r\n", true),
        ("", false),
        ("\n", false),
        ("n\n", false),
        ("yup\n", false),
    ];
    for (reply, expected) in cases {
        assert_eq!(is_yes(reply), expected, "{reply:?}");
    }
}

#[test]
fn a_refusal_names_the_credential_and_the_origin_and_the_command_to_type() {
    let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
    let command = words("/usr/bin/activity-tracker run ./forum.toml --var a=it's");
    let open = [&wanted(None, false), &wanted(Some("/etc/a b"), true)];
    assert_eq!(
        refusal("./forum.toml", &open, command.into_iter()),
        "./forum.toml would send the environment variable `FORUM_TOKEN` to https://forum.test and \
         the file `/etc/a b`, which is outside its folder, to https://forum.test, which is \
         not allowed yet; nothing was sent. If you trust this file, allow it once: \
         activity-tracker run ./forum.toml --var 'a=it'\\''s' --trust --trust-file '/etc/a b'"
    );
}

#[test]
fn the_command_to_type_is_taken_by_a_shell_as_it_was_given() {
    let cases: [(&[u8], &str); 6] = [
        (b"./forum.toml", "./forum.toml"),
        (b"", "''"),
        (b"a b", "'a b'"),
        ("\u{e4}".as_bytes(), "'\u{e4}'"),
        (b"d\xff7", r"$'d\3777'"),
        (b"it's\n\\", r"$'it\'s\012\\'"),
    ];
    for (word, expected) in cases {
        assert_eq!(quoted(OsStr::from_bytes(word)), expected);
    }
    let command = ["x", "run", "--", "./forum.toml"].map(OsString::from);
    let words = refusal("f", &[&wanted(None, false)], command.into_iter());
    let typed = ": activity-tracker run --trust -- ./forum.toml";
    assert!(words.ends_with(typed), "{words}");
}

#[test]
fn the_reply_on_the_terminal_decides_and_no_reply_is_a_no() {
    let open = wanted(None, false);
    let reply = |typed: &[u8]| ask("./forum.toml", &[&open], &mut &*typed);
    for (typed, expected) in [(&b"y\n"[..], true), (b"n\ny\n", false), (b"", false)] {
        assert_eq!(reply(typed).unwrap(), expected, "{typed:?}");
    }
    let endless = [b'y'; 1000];
    assert!(!reply(&endless).unwrap());
    assert_eq!(reply(b"\xff\n").unwrap_err().exit_code(), 2);
}
