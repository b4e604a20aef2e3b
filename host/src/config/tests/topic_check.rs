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
    check(
        "{u: a/#}",
        "amqtt.yaml:2:46: key `topic-check.acl.u`: found `a/#`, wanted a list of topics\n  \
         hint: write `['a/#']` for a list of one",
    );
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

/// Rules that nobody applies look like rules.
#[test]
fn rules_are_for_plugins_that_are_asked() {
    let check = |lines: &str, key: &str, plugin: &str, hint: &str| {
        let error = parse(&with_listener(lines)).expect_err(lines).to_string();
        let expected = format!("key `{key}`: nobody applies it, because `{plugin}` is not asked\n  hint: {hint}");
        assert!(error.contains(&expected), "{lines}\n{error}");
    };
    for (key, value, plugin, other) in [
        ("acl", "{alice: ['a/#']}", "topic_acl", "topic_taboo"),
        ("publish-acl", "{}", "topic_acl", "topic_taboo"),
        ("subscribe-acl", "{}", "topic_acl", "topic_taboo"),
        ("receive_acl", "{}", "topic_acl", "mine"),
        ("acl-file", "rules", "topic_acl", "topic_taboo"),
        ("taboo", "[a]", "topic_taboo", "topic_acl"),
        ("taboo-exempt", "[bob]", "topic_taboo", "mine"),
    ] {
        let path = format!("topic-check.{}", key.replace('_', "-"));
        let rules = format!("{key}: {value}");
        let short = key.replace('_', "-");
        let hint = format!("add `{plugin}` to `plugins`, or leave `{short}` out");
        check(&format!("plugins: [{other}]\ntopic-check: {{{rules}}}"), &path, plugin, &hint);
        let hint = format!("add `{plugin}` to `topic-check.plugins`, or leave `{short}` out");
        check(&format!("plugins: [{plugin}]\ntopic-check: {{plugins: [{other}], {rules}}}"), &path, plugin, &hint);
        config(&format!("plugins: [{plugin}]\ntopic-check: {{enabled: off, plugins: [{other}], {rules}}}"));
        config(&format!("plugins: [{other}]\ntopic-check: {{plugins: [{plugin}], {rules}}}"));
    }
    let add = "add `auth_file` to `auth.plugins`, or leave `password-file` out";
    check("auth: {plugins: [auth_scram], password-file: p}", "auth.password-file", "auth_file", add);
    check("plugins: [auth_file]\nauth: {plugins: [], password-file: p}", "auth.password-file", "auth_file", add);
    let add = "add `auth_file` to `plugins`, or leave `password-file` out";
    check("plugins: [mine]\nauth: {password-file: p}", "auth.password-file", "auth_file", add);
    let add = "add `auth_anonymous` to `plugins`, or leave `allow-anonymous` out";
    check("plugins: [auth_file]\nauth: {allow-anonymous: true}", "auth.allow-anonymous", "auth_anonymous", add);
    check("plugins: [auth_file, x]\nauth: {allow-anonymous: off}", "auth.allow-anonymous", "auth_anonymous", add);
    let other = "plugins: [auth_file: {path: x.wasm}]\nauth: {allow-anonymous: off}";
    check(other, "auth.allow-anonymous", "auth_anonymous", add);
    // It keeps clients with a user name from being let in without a password.
    config("plugins: [auth_anonymous]\nauth: {password-file: p}");
    // Without another plugin, nobody lets them in.
    config("plugins: [auth_file]\nauth: {allow-anonymous: false}");
}

#[test]
fn rules_under_a_plugins_name_are_for_a_plugin_that_is_asked() {
    let check = |lines: &str, expected: &str| {
        let error = parse(&with_listener(lines)).expect_err(lines).to_string();
        assert!(error.contains(expected), "{lines}\n{error}");
    };
    check(
        "plugins: [topic_acl: {acl: {}}, topic_taboo]\ntopic-check: {plugins: [topic_taboo]}",
        "amqtt.yaml:2:11: plugin `topic_acl` has rules and is not asked\n  hint: add it to `topic-check.plugins`",
    );
    check(
        "plugins: [auth_file: {password_file: p}]\nauth: {plugins: [auth_anonymous]}",
        "amqtt.yaml:2:11: plugin `auth_file` has rules and is not asked\n  hint: add it to `auth.plugins`",
    );
    config("plugins: [topic_acl: {memory: 4 MiB}, topic_taboo]\ntopic-check: {plugins: [topic_taboo]}");
    config("plugins: [topic_acl: {acl: {}}, topic_taboo]\ntopic-check: {enabled: off, plugins: [topic_taboo]}");
}
