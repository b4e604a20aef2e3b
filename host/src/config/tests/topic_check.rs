//! `topic-check`.

use super::*;

#[test]
fn topics_are_checked_where_the_section_asks_for_it() {
    let check = |lines: &str, expected: TopicCheckSpec| {
        assert_eq!(config(lines).hooks.topic_check, expected, "{lines}");
    };
    let named = |names: &[&str]| TopicCheckSpec::Named(names.iter().map(ToString::to_string).collect());
    check("plugins: [topic_acl]", TopicCheckSpec::All);
    check("plugins: [topic_acl]\ntopic-check:", TopicCheckSpec::All);
    check("topic-check: {enabled: false, plugins: [topic_acl], acl: {}}", TopicCheckSpec::Off);
    check("topic-check: {enabled: off}", TopicCheckSpec::Off);
    check("topic-check: {plugins: [topic_acl]}", named(&["topic_acl"]));
    check("topic-check: {enabled: on, plugins: [topic_acl, x]}", named(&["topic_acl", "x"]));
    check("plugins: [x, auth_file, topic_taboo]\ntopic-check: {enabled: on}", named(&["x", "topic_taboo"]));
    check("plugins: [topic_acl]\ntopic-check: {acl: {}}", named(&["topic_acl"]));
    let nobody = "amqtt.yaml:3:1: key `topic-check`: no plugin decides topics\n  \
                  hint: add `plugins: [topic_acl]` there, or `enabled: false` to allow every topic";
    for section in ["enabled: true", "acl: {}", "plugins: []", "enabled: true, plugins: []"] {
        check_error(&format!("plugins: [auth_file]\ntopic-check: {{{section}}}"), nobody);
    }
}

#[test]
fn rules_are_topics_of_users() {
    let config = config("topic-check: {plugins: [topic_acl], acl: {0x10: [a], a_b: [c], a-b: [d]}, publish_acl: {}}");
    assert_eq!(
        settings(&config, "topic_acl"),
        json!({"acl": {"0x10": ["a"], "a_b": ["c"], "a-b": ["d"]}, "publish-acl": {}})
    );
    let check = |acl: &str, expected: &str| {
        check_error(&format!("topic-check: {{plugins: [topic_acl], acl: {acl}}}"), expected);
    };
    check(
        "[a]",
        "amqtt.yaml:2:42: key `topic-check.acl`: found a list, wanted a mapping of user names to lists of topics",
    );
    check("{u: a/b}", "amqtt.yaml:2:46: key `topic-check.acl.u`: found `a/b`, wanted a list of topics");
    check(
        "{u: }",
        "amqtt.yaml:2:43: key `topic-check.acl.u`: found nothing, wanted a list of topics\n  hint: write `[]` for none",
    );
    check(
        "{u: [a#]}",
        "amqtt.yaml:2:47: key `topic-check.acl.u`: found `a#`, wanted a topic\n  \
         hint: `#` is not alone in the last level of the topic filter",
    );
    check(
        "{u: [a], u: [b]}",
        "amqtt.yaml:2:51: key `topic-check.acl.u` is repeated: it stands in line 2 already\n  hint: keep one of them; `-` and `_` are the same in keys",
    );
}
