use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn id() -> impl Strategy<Value = Id> {
    let edges = [i64::MIN, i64::MIN + 1, -17, -16, -1, 0, 15, 16, i64::MAX];
    prop_oneof![
        4 => (-40i64..60).prop_map(Id::Number),
        1 => any::<i64>().prop_map(Id::Number),
        1 => prop::sample::select(edges.to_vec()).prop_map(Id::Number),
        1 => "[a-c]{0,2}".prop_map(|text| Id::Text(text.into())),
    ]
}

#[test]
fn consecutive_numbers_have_a_short_form() {
    let mut counts = IdCounts::default();
    for number in [1_000_001, 1_000_003, 1_000_003] {
        counts.add(&Id::Number(number));
    }
    let wire = serde_json::to_string(&counts).unwrap();
    assert_eq!(wire, r#"{"numbers":"CyQPAAFAAA"}"#);
}

#[test]
fn invalid_counts_are_errors() {
    for wire in [r#"{"numbers":"A"}"#, r#"{"numbers":[1,1]}"#, "7"] {
        assert!(serde_json::from_str::<IdCounts>(wire).is_err(), "{wire}");
    }
}

#[test]
fn more_numbers_than_the_buffer_holds_are_counted() {
    let mut counts = IdCounts::default();
    for number in (0..3).cycle().take(3 * BUFFER + 1) {
        counts.add(&Id::Number(number));
    }
    let third = BUFFER as u64;
    assert_eq!(counts.numbers(), [(0, third + 1), (1, third), (2, third)]);
}

#[test]
fn large_counts_add_up() {
    let sizes = [1, 0xffff, 0x1_0000, 0x1_0001, u64::from(u32::MAX), 1 << 50];
    let mut table = NumberCounts::default();
    let mut sum = 0;
    for size in sizes {
        table.add([(-3, size), (70, size)]);
        sum += size;
        assert_eq!(table.get(70), sum);
        let all: Vec<_> = table.ascending().collect();
        assert_eq!(all, [(-3, sum), (70, sum)]);
    }
    table.add([(7, 0x2_0000)]);
    assert_eq!(table.ascending().nth(1), Some((7, 0x2_0000)));
    assert_eq!(table.get(8), 0);
}

proptest! {
    #[test]
    fn counts_match_a_simple_map(
        parts in prop::collection::vec(prop::collection::vec((id(), 1u64..4), 0..40), 0..5)
    ) {
        let mut plain = BTreeMap::new();
        let mut all = IdCounts::default();
        for part in &parts {
            let mut counts = IdCounts::default();
            for (id, count) in part {
                (0..*count).for_each(|_| counts.add(id));
                *plain.entry(id.clone()).or_insert(0) += count;
            }
            let wire = serde_json::to_string(&counts).unwrap();
            let received: IdCounts = serde_json::from_str(&wire).unwrap();
            prop_assert_eq!(&received, &counts);
            prop_assert_eq!(serde_json::to_string(&received).unwrap().len(), wire.len());
            // Some come from another process, some do not.
            all.merge(if part.len() % 2 == 0 { received } else { counts });
        }
        let all = all.finish();
        for (id, count) in &plain {
            prop_assert_eq!(all.of(id), *count);
        }
        let all: BTreeMap<_, _> = all.all().collect();
        prop_assert_eq!(all, plain);
    }
}
