#![allow(clippy::panic, reason = "a test fails by it")]

use super::*;

const TEXT: &str = "\
listeners:
  default: &base {type: tcp}
  two:
    <<: *base
    bind: [1, 'b']
    bind: 1883
0x10: true
";

fn entries(node: &Node) -> &[Entry] {
    match &node.value {
        Value::Mapping(entries) => entries,
        other => panic!("no mapping: {other:?}"),
    }
}

fn check_error(text: &str, line: usize, column: usize, message: &str) {
    let error = parse(text).expect_err(text);
    assert!(error.message.contains(message), "{text}: {error:?}");
    assert_eq!(error.place, Place { line, column }, "{text}: {error:?}");
}

#[test]
fn keys_are_text_repeated_keys_are_kept_and_merges_are_resolved() {
    let root = parse(TEXT).expect("is YAML");
    let keys = |node: &Node| entries(node).iter().map(|entry| entry.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&root), ["listeners", "0x10"]);
    let listeners = &entries(&root)[0].value;
    assert_eq!(keys(&entries(listeners)[1].value), ["bind", "bind", "type"]);
}

#[test]
fn every_key_and_value_has_a_place() {
    let root = parse(TEXT).expect("is YAML");
    let check = |place: Place, line: usize, column: usize| assert_eq!(place, Place { line, column });
    check(root.place, 1, 1);
    let two = &entries(&entries(&root)[0].value)[1];
    check(two.place, 3, 3);
    let second_bind = &entries(&two.value)[1];
    check(second_bind.place, 6, 5);
    check(second_bind.value.place, 6, 11);
    let Value::List(items) = &entries(&two.value)[0].value.value else { panic!("no list") };
    check(items[1].place, 5, 15);
    // What comes by an alias is where it is written.
    check(entries(&two.value)[2].place, 2, 19);
}

#[test]
fn columns_are_characters_and_a_mark_at_the_start_is_none() {
    let root = parse("\u{feff}{ä: b, c: d}").expect("is YAML");
    assert_eq!(entries(&root)[1].place, Place { line: 1, column: 8 });
}

#[test]
fn of_several_merges_the_first_wins_and_own_keys_win_over_all() {
    let text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, y: 2, z: 2}\nc: {<<: [*a, *b], y: 3}\nd: {'<<': 4}\n";
    let root = parse(text).expect("is YAML");
    let of = |index: usize| {
        let mut pairs: Vec<String> =
            entries(&entries(&root)[index].value).iter().map(|e| format!("{} {:?}", e.key, e.value.value)).collect();
        pairs.sort();
        pairs
    };
    assert_eq!(of(2), ["x Integer(1)", "y Integer(3)", "z Integer(2)"]);
    assert_eq!(of(3), ["<< Integer(4)"], "in quotes it is a key like any other");
    check_error("a: {<<: 1}", 1, 5, "`<<` wants a mapping");
}

#[test]
fn what_is_no_yaml_has_a_place() {
    assert!(parse("a: b\nc: {").is_err());
    check_error("a: !secret b", 1, 4, "the tag `!secret` has no meaning here");
    check_error("[1]: b", 1, 1, "a key has to be text");
    check_error("a: 1\n---\nb: 2", 3, 1, "a second document");
    check_error("a: *b", 1, 4, "");
    check_error("a: &a [*a]", 1, 8, "an alias within what it stands for");
}

#[test]
fn tags_of_the_core_schema_are_known() {
    let root = parse("a: !!str 5\nb: !!int 5\nc: ! 5\nd: !!seq [5]\n").expect("is YAML");
    let values: Vec<String> = entries(&root).iter().map(|entry| format!("{:?}", entry.value.value)).collect();
    assert_eq!(values[..3], ["Text(\"5\")", "Integer(5)", "Text(\"5\")"]);
}

#[test]
fn aliases_cannot_make_a_small_text_huge() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..9 {
        let item = format!("*a{}, ", i - 1);
        text.push_str(&format!("a{i}: &a{i} [{}]\n", item.repeat(10)));
    }
    assert!(parse(&text).is_err());
    // Few aliases of much.
    let text = format!("a: &a [{}]\nb: [{}]", "x, ".repeat(2_000), "*a, ".repeat(2_000));
    let error = parse(&text).expect_err("is too much");
    assert!(error.message.contains("more than 1000000 keys and values"), "{error:?}");
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(64)).is_ok());
    check_error(&nested(65), 1, 65, "more than 64 lists and mappings within each other");
    assert!(parse(&nested(100_000)).is_err(), "without a deep stack");
}

/// Whatever is in a file ends in a tree or in an error.
#[test]
fn no_text_makes_the_reader_panic() {
    const PIECES: [&str; 24] = [
        "a", ":", " ", "\n", "  ", "- ", "? ", "[", "]", "{", "}", ",", "&x", "*x", "!t ", "|", ">", "'", "\"", "#",
        "%", "---\n", "\t", "ä",
    ];
    let mut state = 42_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            // Knuth's MMIX generator: the same texts each time.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(PIECES[(state >> 33) as usize % PIECES.len()]);
        }
        drop(parse(&text));
    }
}

/// A node as serde_yaml, the other reader of YAML, would have it.
fn as_serde_yaml(node: &Node) -> serde_yaml::Value {
    use serde_yaml::Value as Yaml;
    match &node.value {
        Value::Null => Yaml::Null,
        Value::Bool(value) => Yaml::Bool(*value),
        Value::Integer(value) => Yaml::Number(i64::try_from(*value).expect("is small").into()),
        Value::Float(value) => Yaml::Number((*value).into()),
        Value::Text(text) => Yaml::String(text.clone()),
        Value::List(items) => Yaml::Sequence(items.iter().map(as_serde_yaml).collect()),
        Value::Mapping(entries) => Yaml::Mapping(
            entries.iter().map(|entry| (Yaml::String(entry.key.clone()), as_serde_yaml(&entry.value))).collect(),
        ),
    }
}

fn check_as_serde_yaml(text: &str) {
    let mut theirs: serde_yaml::Value = serde_yaml::from_str(text).expect(text);
    theirs.apply_merge().expect(text);
    assert_eq!(as_serde_yaml(&parse(text).expect(text)), theirs, "{text}");
}

#[test]
fn two_libraries_read_the_same() {
    for text in [
        include_str!("../../../../tests/seeds/000_default.yaml"),
        include_str!("../../../../tests/seeds/000_example.yaml"),
    ] {
        check_as_serde_yaml(text);
    }
    for text in [include_str!("../../../../tests/seeds/002.yaml"), include_str!("../../../../tests/seeds/004.yaml")] {
        // serde_yaml refuses a key that is there twice.
        check_as_serde_yaml(&text.replacen("capath", "first-capath", 1));
    }
    for scalar in [
        "",
        "~",
        "null",
        "true",
        "True",
        "on",
        "yes",
        "Off",
        "12",
        "-7",
        "0x1F",
        "0o17",
        "017",
        "1_000",
        "1.5",
        ".5",
        "1e3",
        "1:30",
        "a b",
        "'12'",
        "\"on\"",
        "\"\\u00e9\\n\"",
        "$6$salt$hash",
        "data/+/x",
        "a # comment",
        "a#b",
        "http://x:1/",
        "[]",
        "{}",
        "[a, 'b', 3, [true]]",
        "{a: 1, b: {c: d}}",
        "|\n    two\n    lines\n",
        ">-\n    one\n    line\n",
    ] {
        check_as_serde_yaml(&format!("key:\n  value: {scalar}\n  next: 1\n"));
    }
    check_as_serde_yaml("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\ne: *x\n");
}
