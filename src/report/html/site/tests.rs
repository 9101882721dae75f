use super::*;

#[test]
fn a_notice_says_what_and_what_to_do_and_only_some_look_again() {
    let given = |looks_again| Notice {
        title: "Nothing yet",
        says: "<b>no</b> snapshot",
        hint: Some("run"),
        looks_again,
    };
    let page = notice(&given(true));
    assert!(
        page.contains("http-equiv=\"refresh\" content=\"5\""),
        "{page}"
    );
    assert!(
        page.contains("&#60;b&#62;no") && page.contains("Try: <bdi>run</bdi>"),
        "{page}"
    );
    assert!(!notice(&given(false)).contains("http-equiv=\"refresh\""));
}
