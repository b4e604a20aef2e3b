//! What whole configurations mean and what is said of wrong ones.
#![allow(clippy::panic, reason = "a test fails by it")]

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::*;
use crate::hooks::{PluginLimits, PluginSpec, TopicCheckSpec};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/amqtt"), "amqtt.yaml")
}

/// A configuration with a listener and these lines.
fn with_listener(lines: &str) -> String {
    format!("listeners: {{default: {{bind: 1883}}}}\n{lines}")
}

fn config(lines: &str) -> Config {
    let text = with_listener(lines);
    parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// Checks the whole message about a configuration with a listener in line 1 and these lines after it.
fn check_error(lines: &str, expected: &str) {
    check_whole_error(&with_listener(lines), expected);
}

fn check_whole_error(text: &str, expected: &str) {
    let error = parse(text).expect_err(text).to_string();
    assert_eq!(error, expected, "{text}");
}

fn check_warnings(lines: &str, expected: &[&str]) {
    let text = with_listener(lines);
    assert_eq!(config(lines).warnings, expected, "{text}");
}

fn plugin<'a>(config: &'a Config, name: &str) -> &'a PluginSpec {
    let found = config.hooks.plugins.iter().find(|plugin| plugin.name == name);
    found.unwrap_or_else(|| panic!("{name} is not in {:?}", config.hooks.plugins))
}

fn settings(config: &Config, name: &str) -> Json {
    Json::Object(plugin(config, name).settings.clone())
}

fn names(config: &Config) -> Vec<&str> {
    config.hooks.plugins.iter().map(|plugin| plugin.name.as_str()).collect()
}

#[test]
fn the_default_configuration_lets_everyone_in_and_says_so() {
    let config = Config::default_config();
    let [listener] = config.listeners.as_slice() else { panic!("{:?}", config.listeners) };
    assert_eq!(listener.name, "default");
    assert_eq!(listener.bind.to_string(), "0.0.0.0:1883");
    assert_eq!(listener.max_connections, None);
    assert_eq!(names(&config), ["auth_file", "auth_anonymous"]);
    assert_eq!(config.hooks.auth, None);
    assert_eq!(config.hooks.topic_check, TopicCheckSpec::All);
    assert_eq!(config.hooks.plugin_dirs, Vec::<PathBuf>::new());
    assert_eq!(settings(&config, "auth_anonymous"), json!({"allow-anonymous": true}));
    assert_eq!(settings(&config, "auth_file"), json!({"allow-anonymous": true}));
    assert_eq!(config.sys_interval_secs, 20);
    assert_eq!(config.timeout_disconnect_delay_secs, None);
    assert_eq!(config.max_qos, QoS::ExactlyOnce);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(
        config.warnings,
        ["default configuration: every client may connect, and no user name is verified; hint: to verify names, \
             load `auth_file` and set `auth.password-file`"]
    );
}

/// The example of amqtt's own documentation.
const EXAMPLE: &str = "\
listeners:
  default:
    max-connections: 500
    type: tcp
  my-tcp-1:
    bind: 127.0.0.1:1883
  my-tcp-2:
    bind: 1.2.3.4:1883
    max-connections: 1000
  my-tcp-tls-1:
    bind: 127.0.0.1:8883
    ssl: on
    cafile: /some/cafile
  my-ws-1:
    bind: 0.0.0.0:9001
    type: ws
  my-wss-1:
    bind: 0.0.0.0:9003
    type: ws
    ssl: on
    certfile: /some/certfile
    keyfile: /some/key
plugins:
  - auth_file
  - broker_sys

timeout-disconnect-delay: 2
auth:
  password-file: /some/passwd_file
";

#[test]
fn listeners_of_the_example_that_need_more_than_tcp_are_refused() {
    check_whole_error(
        EXAMPLE,
        "\
amqtt.yaml:12:10: key `listeners.my-tcp-tls-1.ssl`: TLS is not available in this version
  hint: this version listens on plain TCP only: leave this listener out
amqtt.yaml:16:11: key `listeners.my-ws-1.type`: `ws` is not available in this version
  hint: this version listens on plain TCP only: leave this listener out
amqtt.yaml:19:11: key `listeners.my-wss-1.type`: `ws` is not available in this version
  hint: this version listens on plain TCP only: leave this listener out
amqtt.yaml:20:10: key `listeners.my-wss-1.ssl`: TLS is not available in this version
  hint: this version listens on plain TCP only: leave this listener out",
    );
}

#[test]
fn the_rest_of_the_example_is_read() {
    let (before, rest) = EXAMPLE.split_once("  my-tcp-tls-1:").expect("is there");
    let (_, after) = rest.split_once("plugins:").expect("is there");
    let config = parse(&format!("{before}plugins:{after}")).expect("is valid");
    let listeners: Vec<_> = config
        .listeners
        .iter()
        .map(|listener| {
            let max = listener.max_connections.map(NonZeroUsize::get);
            (listener.name.as_str(), listener.bind.to_string(), max)
        })
        .collect();
    assert_eq!(
        listeners,
        [("my-tcp-1", "127.0.0.1:1883".to_owned(), Some(500)), ("my-tcp-2", "1.2.3.4:1883".to_owned(), Some(1000)),]
    );
    assert_eq!(names(&config), ["auth_file", "broker_sys"]);
    assert_eq!(settings(&config, "auth_file"), json!({"password-file": "/some/passwd_file"}));
    assert_eq!(config.timeout_disconnect_delay_secs, Some(2));
    assert_eq!(config.warnings, [""; 0]);
}

/// The example of hbmqtt's and moat-mqtt's documentation, placeholders included.
const OLD_EXAMPLE: &str = "\
listeners:
    default:
        max-connections: 50000
        type: tcp
    my-tcp-1:
        bind: 127.0.0.1:1883
    my-tcp-2:
        bind: 1.2.3.4:1884
        max-connections: 1000
    my-tcp-ssl-1:
        bind: 127.0.0.1:8885
        ssl: on
        cafile: /some/cafile
        capath: /some/folder
        capath: certificate data
        certfile: /some/certfile
        keyfile: /some/key
    my-ws-1:
        bind: 0.0.0.0:8080
        type: ws
timeout-disconnect-delay: 2
auth:
    plugins: ['auth.anonymous'] #List of plugins to activate for authentication among all registered plugins
    allow-anonymous: true / false
    password-file: \"/some/passwd_file\"
topic-check:
    enabled: true / false  # Set to False if topic filtering is not needed
    plugins: ['topic_acl'] #List of plugins to activate for topic filtering among all registered plugins
    acl:
        # username: [list of allowed topics]
        username1: ['repositories/+/master', 'calendar/#', 'data/memes']
        username2: ...
        anonymous: []  # List of topics on which an anonymous client can publish and subscribe
";

#[test]
fn placeholders_are_named_with_their_place() {
    check_whole_error(
        OLD_EXAMPLE,
        "\
amqtt.yaml:12:14: key `listeners.my-tcp-ssl-1.ssl`: TLS is not available in this version
  hint: this version listens on plain TCP only: leave this listener out
amqtt.yaml:20:15: key `listeners.my-ws-1.type`: `ws` is not available in this version
  hint: this version listens on plain TCP only: leave this listener out
amqtt.yaml:24:22: key `auth.allow-anonymous`: found `true / false`, wanted `true` or `false`
  hint: choose one of the two
amqtt.yaml:27:14: key `topic-check.enabled`: found `true / false`, wanted `true` or `false`
  hint: choose one of the two
amqtt.yaml:32:20: key `topic-check.acl.username2`: found `...`, wanted a list of topics",
    );
}

#[test]
fn the_old_example_without_placeholders_is_read() {
    let text = OLD_EXAMPLE
        .replace("ssl: on", "ssl: off")
        .replace("type: ws", "type: tcp")
        .replace("true / false", "true")
        .replace("...", "[data/memes]");
    let config = parse(&text).expect("is valid");
    assert_eq!(names(&config), ["auth_anonymous", "topic_acl"]);
    assert_eq!(config.hooks.auth, Some(vec!["auth_anonymous".to_owned()]));
    assert_eq!(config.hooks.topic_check, TopicCheckSpec::Named(vec!["topic_acl".to_owned()]));
    assert_eq!(
        settings(&config, "topic_acl"),
        json!({"acl": {
            "username1": ["repositories/+/master", "calendar/#", "data/memes"],
            "username2": ["data/memes"],
            "anonymous": [],
        }})
    );
    assert_eq!(
        config.warnings,
        [
            "amqtt.yaml:14:9: key `listeners.my-tcp-ssl-1.capath`: this value is not used: the key is repeated below",
            "amqtt.yaml:15:9: key `listeners.my-tcp-ssl-1.capath` is repeated: this value counts",
            "amqtt.yaml: no client with a user name can connect: `auth.password-file` is set, and `auth_file` is not \
             asked; hint: add `auth_file` to the plugins, or leave `password-file` out",
        ]
    );
}

#[test]
fn a_copy_of_the_old_example_that_lost_its_indentation_opens_nothing() {
    let text: String = OLD_EXAMPLE.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let error = parse(&text).expect_err("keys stand outside of their sections").to_string();
    for line in [
        "amqtt.yaml:2:1: key `default` stands outside of `listeners`\n  hint: indent it, to be a part of `listeners`",
        "amqtt.yaml:8:1: key `bind` is repeated",
        "amqtt.yaml:24:1: key `allow-anonymous` stands outside of `auth`",
        "amqtt.yaml:28:1: key `plugins` is repeated",
    ] {
        assert!(error.contains(line), "{line}\n{error}");
    }
}

#[test]
fn a_file_that_is_no_configuration_starts_nothing() {
    let empty = "amqtt.yaml: the file is empty\n  hint: without `-c` the broker runs with its default configuration";
    for text in ["", "\n\n", "# only a comment\n", "---\n", "~", "\u{feff}"] {
        check_whole_error(text, empty);
    }
    check_whole_error(
        "just words",
        "amqtt.yaml:1:1: the file: found `just words`, wanted a mapping, `key: value` on lines of their own",
    );
    check_whole_error(
        "- a\n",
        "amqtt.yaml:1:1: the file: found a list, wanted a mapping, `key: value` on lines of their own",
    );
    check_whole_error(
        "listeners:\n\tdefault:\n",
        "amqtt.yaml:2:1: found character that cannot start any token, while scanning for the next token\n  \
         hint: indent with spaces, not with tabs",
    );
    check_whole_error(
        "plugins: []",
        "amqtt.yaml:1:1: key `listeners` is missing\n  \
         hint: a broker needs one, for example `listeners: {default: {bind: 0.0.0.0:1883}}`",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Config::load(Path::new("/nonexistent/amqtt.yaml")).expect_err("is not there").to_string();
    assert!(error.starts_with("cannot read the configuration file `/nonexistent/amqtt.yaml`: No such file"), "{error}");
    let ConfigError::NotYaml(problem) = not_utf8(b"a: b\nc: d", "x.yaml") else { panic!("is about the text") };
    assert_eq!(problem.to_string(), "x.yaml:2:5: the file is not UTF-8 text");
}

#[test]
fn listeners_inherit_all_but_the_address() {
    let text = "listeners:\n  two: {bind: ':0', max_connections: -1}\n  default: {bind: '[::1]', max-connections: '7'}\n  \
                three: {bind: 0}\n";
    let config = parse(text).expect("is valid");
    let check = |index: usize, name: &str, address: &str, max: Option<usize>| {
        let listener = &config.listeners[index];
        let found = (listener.name.as_str(), listener.bind.to_string());
        assert_eq!(found, (name, address.to_owned()));
        assert_eq!(listener.max_connections.map(NonZeroUsize::get), max, "{name}");
    };
    check(0, "two", ":0", None);
    check(1, "default", "[::1]:1883", Some(7));
    check(2, "three", ":0", Some(7));
    assert_eq!(config.listeners.len(), 3);
    assert!(parse(&format!("\u{feff}{text}")).is_ok(), "with the mark that some editors write first");
}

#[test]
fn mistakes_in_listeners_are_errors() {
    let check = |listeners: &str, expected: &str| {
        check_whole_error(&format!("listeners:\n  {listeners}\n"), expected);
    };
    check(
        "a: {bind: 1883, max-conections: 5}",
        "amqtt.yaml:2:19: unknown key `listeners.a.max-conections`\n  hint: did you mean `max-connections`?",
    );
    check(
        "a: {type: tcp}",
        "amqtt.yaml:2:3: listener `a` has no `bind`\n  \
         hint: add for example `bind: 0.0.0.0:1883`; `bind` is the one key that is not inherited",
    );
    check(
        "default: {type: tcp}",
        "amqtt.yaml:1:1: key `listeners`: no listener has `bind`\n  \
         hint: give `default` a `bind`, or add a listener that has one",
    );
    check("a: {bind: 1883, type: udp}", "amqtt.yaml:2:25: key `listeners.a.type`: found `udp`, wanted `tcp` or `ws`");
    check(
        "a: {bind: [1883]}",
        "amqtt.yaml:2:13: key `listeners.a.bind`: found a list, wanted `host:port`, `:port`, `port` or `host`\n  \
         hint: quote an address in brackets: `bind: \"[::1]:1883\"`",
    );
    check(
        "a: {bind: 70000}",
        "amqtt.yaml:2:13: key `listeners.a.bind`: found `70000`, wanted `host:port`, `:port`, `port` or `host`\n  \
         hint: a port is a number from 0 to 65535, not `70000`",
    );
    check(
        "a: {bind: 1883, max-connections: -2}",
        "amqtt.yaml:2:36: key `listeners.a.max-connections`: found `-2`, wanted a whole number of at least -1",
    );
    check(
        "a: {bind: 1883}\n  b: {bind: ':1883'}",
        "amqtt.yaml:3:3: listeners `a` and `b` have the same address `:1883`",
    );
    check(
        "a: {bind: 1883}\n  a: {bind: 1884}",
        "amqtt.yaml:3:3: key `listeners.a` is repeated\n  hint: keep one of them; `-` and `_` are the same in keys",
    );
    check(
        "default: {ssl: maybe}\n  a: {bind: 1, ssl: no}",
        "amqtt.yaml:2:18: key `listeners.default.ssl`: found `maybe`, wanted `true` or `false`",
    );
    // Inherited by two listeners, said once.
    check(
        "default: {ssl: ON}\n  a: {bind: 1}\n  b: {bind: 2}",
        "amqtt.yaml:2:18: key `listeners.default.ssl`: TLS is not available in this version\n  \
         hint: this version listens on plain TCP only: leave this listener out",
    );
    let error = parse("listeners:\n  a:\n    bind: [::1]:1883\n").expect_err("is a list or no YAML").to_string();
    assert!(error.contains("hint: quote an address in brackets"), "{error}");
}

#[test]
fn a_listener_with_a_certificate_and_no_ssl_is_warned_about() {
    let config = parse("listeners: {a: {bind: 1883, certfile: c.pem}}").expect("is valid");
    assert_eq!(
        config.warnings,
        ["amqtt.yaml:1:29: listener `a` is not encrypted: `listeners.a.certfile` needs `ssl: on`; hint: say `ssl: \
             on`, or `ssl: off` if it is meant to be plain"]
    );
    let config = parse("listeners: {a: {bind: 1883, certfile: c.pem, ssl: 'Off'}}").expect("is valid");
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn switches_have_many_spellings() {
    let check = |written: &str, expected: bool| {
        let config = config(&format!("auth: {{allow_anonymous: {written}}}\nplugins: [auth_anonymous]"));
        let found = settings(&config, "auth_anonymous");
        assert_eq!(found, json!({"allow-anonymous": expected}), "{written}");
    };
    for written in ["true", "True", "'true'", "on", "ON", "\"On\"", "yes", "Yes"] {
        check(written, true);
    }
    for written in ["false", "FALSE", "'false'", "off", "Off", "\"OFF\"", "no", "No"] {
        check(written, false);
    }
    for written in ["1", "enabled", "''", "[]", "{}"] {
        let text = with_listener(&format!("auth: {{allow-anonymous: {written}}}"));
        assert!(parse(&text).is_err(), "{written}");
    }
}

#[test]
fn dashes_and_underscores_are_the_same() {
    let check = |lines: &str| {
        let config = config(lines);
        assert_eq!(config.sys_interval_secs, 7, "{lines}");
        assert_eq!(config.timeout_disconnect_delay_secs, Some(3), "{lines}");
        assert_eq!(config.max_qos, QoS::AtLeastOnce, "{lines}");
    };
    check("sys_interval: 7\ntimeout_disconnect_delay: 3\nmax_qos: 1");
    check("sys-interval: '7'\ntimeout-disconnect-delay: 3\nmax-qos: 1");
    check_error(
        "sys_interval: 7\nsys-interval: 8",
        "amqtt.yaml:3:1: key `sys-interval` is repeated\n  hint: keep one of them; `-` and `_` are the same in keys",
    );
}

#[test]
fn numbers_out_of_range_are_errors() {
    let interval = "wanted a whole number from 0 to 31536000";
    check_error("sys-interval: -1", &format!("amqtt.yaml:2:15: key `sys-interval`: found `-1`, {interval}"));
    check_error("sys-interval: soon", &format!("amqtt.yaml:2:15: key `sys-interval`: found `soon`, {interval}"));
    check_error("sys-interval: 1.5", &format!("amqtt.yaml:2:15: key `sys-interval`: found `1.5`, {interval}"));
    check_error("sys-interval:", &format!("amqtt.yaml:2:1: key `sys-interval`: found nothing, {interval}"));
    check_error("max-qos: 3", "amqtt.yaml:2:10: key `max-qos`: found `3`, wanted a whole number from 0 to 2");
}

#[test]
fn overlapping_subscriptions_give_one_message_or_one_each() {
    assert_eq!(config("").overlapping, Overlapping::Once);
    assert_eq!(config("overlapping-subscriptions: once").overlapping, Overlapping::Once);
    assert_eq!(config("overlapping_subscriptions: each").overlapping, Overlapping::Each);
    check_error(
        "overlapping-subscriptions: twice",
        "amqtt.yaml:2:28: key `overlapping-subscriptions`: found `twice`, wanted `once` or `each`",
    );
    check_error(
        "overlapping-subscriptions: true",
        "amqtt.yaml:2:28: key `overlapping-subscriptions`: found `true`, wanted `once` or `each`\n  \
         hint: quote it if it is meant as text",
    );
}

#[test]
fn unknown_keys_are_errors_where_they_could_open_the_broker() {
    check_error(
        "auth:\n  alow-anonymous: false",
        "amqtt.yaml:3:3: unknown key `auth.alow-anonymous`\n  hint: did you mean `allow-anonymous`?",
    );
    check_error(
        "topic-check: {enabled: false, acll: {}}",
        "amqtt.yaml:2:31: unknown key `topic-check.acll`\n  hint: did you mean `acl`?",
    );
    check_error(
        "plugins: [auth_file: {pasword_file: x}]",
        "amqtt.yaml:2:23: unknown key `plugins.auth_file.pasword_file`\n  hint: did you mean `password-file`?",
    );
    check_error(
        "plugins: [event_logger: {level: x}]",
        "amqtt.yaml:2:26: unknown key `plugins.event_logger.level`\n  hint: known keys are `path`, `sha256`, `memory`, `deadline`, `instances`, `grants`",
    );
    check_error(
        "allow-anonymous: false",
        "amqtt.yaml:2:1: key `allow-anonymous` stands outside of `auth`\n  hint: indent it, to be a part of `auth`",
    );
    check_warnings(
        "plugin: [x]\nlimits: {queue-bytes: 5}",
        &[
            "amqtt.yaml:2:1: unknown key `plugin` has no effect; hint: did you mean `plugins`?",
            "amqtt.yaml:3:10: unknown key `limits.queue-bytes` has no effect; hint: did you mean `queue-bytes-max`?",
        ],
    );
}

#[test]
fn the_loaded_plugins_are_the_union_of_three_lists() {
    let config = config(
        "\
plugins: [broker_sys, my-logger]
auth: {plugins: [auth.file, my_auth], password-file: ./passwd}
topic-check: {plugins: [my_logger, topic-acl], acl: {}}
",
    );
    assert_eq!(names(&config), ["broker_sys", "my_logger", "auth_file", "my_auth", "topic_acl"]);
    assert_eq!(config.hooks.auth, Some(vec!["auth_file".to_owned(), "my_auth".to_owned()]));
    assert_eq!(config.hooks.topic_check, TopicCheckSpec::Named(vec!["my_logger".to_owned(), "topic_acl".to_owned()]));
    assert_eq!(settings(&config, "auth_file"), json!({"password-file": "/etc/amqtt/passwd"}));
    // The sections are for the embedded plugins alone.
    assert_eq!(settings(&config, "my_auth"), json!({}));
    assert_eq!(settings(&config, "my_logger"), json!({}));
    assert_eq!(config.hooks.plugin_dirs, [PathBuf::from("/etc/amqtt/plugins")]);
}

#[test]
fn lists_of_plugins_have_one_form() {
    check_error(
        "plugins:",
        "amqtt.yaml:2:1: key `plugins`: found nothing, wanted a list of plugins\n  hint: write `[]` for none",
    );
    check_error("plugins: auth_file", "amqtt.yaml:2:10: key `plugins`: found `auth_file`, wanted a list of plugins");
    check_error(
        "plugins: [1]",
        "amqtt.yaml:2:11: key `plugins`: found `1`, wanted the name of a plugin\n  hint: quote it if it is meant as text",
    );
    check_error(
        "plugins:\n  - mine:\n    path: x.wasm",
        "amqtt.yaml:3:5: key `plugins`: found a mapping, wanted one plugin for each `-`\n  \
         hint: indent the settings of a plugin deeper than its name",
    );
    check_error(
        "plugins: [../x.wasm]",
        "amqtt.yaml:2:11: key `plugins`: `../x.wasm` is not the name of a plugin\n  \
         hint: give it a name and the file as `path`: `- my_plugin: {path: my_plugin.wasm}`",
    );
    check_error(
        "plugins: [mine: {a: 1}]\nauth: {plugins: [mine: {a: 1}]}",
        "amqtt.yaml:3:18: plugin `mine` has settings in two places\n  hint: keep one of them",
    );
}

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
        "amqtt.yaml:2:51: key `topic-check.acl.u` is repeated\n  hint: keep one of them; `-` and `_` are the same in keys",
    );
}

#[test]
fn classes_of_amqtt_are_our_plugins() {
    let check = |plugins: &str| {
        let config = config(plugins);
        assert_eq!(
            names(&config),
            ["auth_anonymous", "auth_file", "topic_acl", "topic_taboo", "event_logger", "packet_logger", "broker_sys"]
        );
        assert_eq!(settings(&config, "auth_anonymous"), json!({"allow-anonymous": false}));
        assert_eq!(settings(&config, "auth_file"), json!({"password-file": "/etc/amqtt/passwd"}));
        assert_eq!(settings(&config, "topic_acl"), json!({"acl": {"u": ["a"]}, "publish-acl": {"u": []}}));
        assert_eq!(settings(&config, "broker_sys"), json!({"sys-interval": 3}));
        assert_eq!(config.sys_interval_secs, 3);
        assert_eq!(config.hooks.auth, None);
        assert_eq!(config.hooks.topic_check, TopicCheckSpec::All);
        assert_eq!(config.warnings, [""; 0]);
    };
    check(
        "\
sys-interval: 9
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin: {allow_anonymous: false}
  amqtt.plugins.authentication.FileAuthPlugin:
    password_file: passwd
  amqtt.plugins.topic_checking.TopicAccessControlListPlugin:
    acl: {u: [a]}
    publish_acl: {u: []}
  amqtt.plugins.topic_checking.TopicTabooPlugin:
  amqtt.plugins.logging_amqtt.EventLoggerPlugin: {}
  amqtt.plugins.logging_amqtt.PacketLoggerPlugin: {}
  amqtt.plugins.sys.broker.BrokerSysPlugin: {sys_interval: 3}
",
    );
    check(
        "\
plugins:
  - amqtt.plugins.authentication.AnonymousAuthPlugin:
      allow_anonymous: off
  - amqtt.plugins.authentication.FileAuthPlugin: {password_file: passwd}
  - amqtt.plugins.topic_checking.TopicAccessControlListPlugin: {acl: {u: [a]}, publish_acl: {u: []}}
  - amqtt.plugins.topic_checking.TopicTabooPlugin
  - amqtt.plugins.logging_amqtt.EventLoggerPlugin
  - amqtt.plugins.logging_amqtt.PacketLoggerPlugin
  - amqtt.plugins.sys.broker.BrokerSysPlugin: {sys_interval: 3}
",
    );
    check_error(
        "plugins: {amqtt.contrib.auth_db.UserAuthDBPlugin: {}}",
        "amqtt.yaml:2:11: key `plugins`: `amqtt.contrib.auth_db.UserAuthDBPlugin` is not the name of a plugin\n  \
         hint: Python classes cannot be loaded; those of amqtt itself are known by their names",
    );
}

#[test]
fn an_entry_overrides_its_section() {
    let config = config(
        "\
auth: {allow-anonymous: true, password-file: /a}
sys-interval: 0
plugins: [auth_anonymous: {allow-anonymous: no}, auth_file: {password_file: b}, broker_sys]
",
    );
    let expected = json!({"allow-anonymous": false, "password-file": "/a"});
    assert_eq!(settings(&config, "auth_anonymous"), expected);
    let expected = json!({"allow-anonymous": true, "password-file": "/etc/amqtt/b"});
    assert_eq!(settings(&config, "auth_file"), expected);
    assert_eq!(settings(&config, "broker_sys"), json!({"sys-interval": 0}));
    assert_eq!(config.sys_interval_secs, 0);
}

#[test]
fn a_plugin_of_its_own_file_has_settings_and_grants() {
    let sum = "0123456789abcdefABCDEF".to_owned() + &"0".repeat(42);
    let config = config(&format!(
        "\
plugin-dirs: [extra, /opt/plugins]
plugins:
  - my-plugin:
      path: ../my.wasm
      sha256: '{sum}'
      grants: {{files: [word_list, absent], publish: [a/#, b], broker-info: yes}}
      word_list: words.txt
      mode: on
      nested: {{some_key: [1, 2.5, ~, true, x], other: relative.txt}}
"
    ));
    let plugin = plugin(&config, "my_plugin");
    assert_eq!(plugin.path, Some(PathBuf::from("/etc/amqtt/../my.wasm")));
    let sum = plugin.sha256.expect("has one");
    assert_eq!(sum[..12], [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab, 0xcd, 0xef, 0]);
    assert_eq!(plugin.grants.files, ["word-list", "absent"]);
    let topics: Vec<&str> = plugin.grants.publish.iter().map(|topic| topic.as_str()).collect();
    assert_eq!(topics, ["a/#", "b"]);
    assert!(plugin.grants.broker_info);
    assert_eq!(
        settings(&config, "my_plugin"),
        json!({
            "word-list": "/etc/amqtt/words.txt",
            "mode": "on",
            "nested": {"some_key": [1, 2.5, null, true, "x"], "other": "relative.txt"},
        })
    );
    let folders = ["/etc/amqtt/extra", "/opt/plugins", "/etc/amqtt/plugins"];
    assert_eq!(config.hooks.plugin_dirs, folders.map(PathBuf::from));
    assert_eq!(
        config.warnings,
        ["amqtt.yaml:7:23: key `plugins.my-plugin.grants.files`: the plugin has no setting `absent`; hint: name the \
             keys of the plugin's settings whose values are paths"]
    );
}

#[test]
fn mistakes_in_grants_are_errors() {
    let check = |settings: &str, expected: &str| check_error(&format!("plugins: [x: {{{settings}}}]"), expected);
    check("grants: {file: [a]}", "amqtt.yaml:2:24: unknown key `plugins.x.grants.file`\n  hint: did you mean `files`?");
    check(
        "grants: {publish: [a#]}",
        "amqtt.yaml:2:34: key `plugins.x.grants.publish`: found `a#`, wanted a topic\n  \
         hint: `#` is not alone in the last level of the topic filter",
    );
    check("grants: {files: [a]}, a: {}", "amqtt.yaml:2:40: key `plugins.x.a`: found a mapping, wanted a path");
    check(
        "sha256: abc",
        "amqtt.yaml:2:23: key `plugins.x.sha256`: found `abc`, wanted a SHA-256 sum, 64 hexadecimal digits",
    );
    check("n: .inf", "amqtt.yaml:2:18: key `plugins.x.n`: found `inf`, wanted a finite number");
    check_error(
        "plugins: [auth_file: {grants: {files: [x]}}]",
        "amqtt.yaml:2:23: key `plugins.auth_file.grants`: `auth_file` has what it needs\n  \
         hint: this is for plugins in files of their own, which `path` names",
    );
}

#[test]
fn a_file_in_place_of_an_embedded_plugin_is_granted_nothing_by_itself() {
    let config = config(
        "plugins: [auth_file: {path: /x/auth_file.wasm, extra: 1, grants: {files: [password_file]}}]\nauth: {password-file: p}",
    );
    let plugin = plugin(&config, "auth_file");
    assert_eq!(plugin.path, Some(PathBuf::from("/x/auth_file.wasm")));
    assert_eq!(plugin.grants.files, ["password-file"]);
    assert!(!plugin.grants.broker_info);
    assert_eq!(settings(&config, "auth_file"), json!({"password-file": "/etc/amqtt/p", "extra": 1}));
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn who_gets_in_by_accident_is_warned_about() {
    let to_verify = "hint: to verify names, load `auth_file` and set `auth.password-file`";
    let open = "amqtt.yaml: every client may connect, and no user name is verified";
    check_warnings("plugins: [auth_anonymous]", &[&format!("{open}; {to_verify}")]);
    check_warnings(
        "plugins: [auth_anonymous, x]",
        &[&format!("{open}, unless another plugin refuses it; {to_verify}")],
    );
    check_warnings(
        "plugins: [auth_anonymous, topic_acl]",
        &[&format!("{open}: the rules of `topic_acl` hold for the names that clients claim; {to_verify}")],
    );
    check_warnings("plugins: [auth_anonymous, auth_file]\nauth: {password-file: p}", &[]);
    check_warnings("plugins: [auth_anonymous, auth_file: {password-file: p}]", &[]);
    check_warnings("plugins: [auth_file]\nauth: {password-file: p}", &[]);
    // Loading the plugins tells of this one.
    check_warnings("auth: {plugins: []}\nplugins: [auth_anonymous]", &[]);
    let closed = "amqtt.yaml: no client can connect: there are no passwords, and anonymous clients are refused; hint: \
                  load `auth_file` and set `auth.password-file`, or load `auth_anonymous` with `allow-anonymous: true`";
    check_warnings("plugins: [auth_anonymous: {allow-anonymous: false}]", &[closed]);
    check_warnings("plugins: [auth_file]", &[closed]);
    check_warnings("plugins: [auth_file, x]", &[]);
}

#[test]
fn every_limit_can_be_set() {
    let config = config(
        "\
limits:
  packet-bytes-max: 128
  topic_levels_max: 2
  client-id-bytes-max: 23
  subscriptions-max: 4
  inflight-max: 5
  queue-messages-max: 0
  queue-bytes-max: 7
  outgoing-bytes-max: 8
  connect-timeout-secs: 9
  retained-messages-max: 0
  retained-bytes-max: 11
  sessions-max: 12
  topic-bytes-max: 13
  queue-total-bytes-max: 14
  packet-timeout-secs: 15
  connect-rate-max: 16
  session-expiry-secs: 0
  session-expiry-max-secs: 18
  receive-max: 19
  topic-alias-max: 0
  keep-alive-max-secs: 21
  user-properties-max: 22
  properties-bytes-max: 23
",
    );
    let expected = Limits {
        packet_bytes_max: 128,
        topic_levels_max: 2,
        client_id_bytes_max: 23,
        subscriptions_max: 4,
        inflight_max: 5,
        queue_messages_max: 0,
        queue_bytes_max: 7,
        outgoing_bytes_max: 8,
        connect_timeout_secs: 9,
        retained_messages_max: 0,
        retained_bytes_max: 11,
        sessions_max: 12,
        topic_bytes_max: 13,
        queue_total_bytes_max: 14,
        packet_timeout_secs: 15,
        connect_rate_max: 16,
        session_expiry_secs: 0,
        session_expiry_max_secs: 18,
        receive_max: 19,
        topic_alias_max: 0,
        keep_alive_max_secs: 21,
        user_properties_max: 22,
        properties_bytes_max: 23,
    };
    assert_eq!(config.limits, expected);
    assert_eq!(config.warnings, [""; 0]);
    check_error(
        "limits: {inflight-max: 0}",
        "amqtt.yaml:2:24: key `limits.inflight-max`: found `0`, wanted a whole number from 1 to 65535",
    );
    check_error(
        "limits: {sessions-max: many}",
        "amqtt.yaml:2:24: key `limits.sessions-max`: found `many`, wanted a whole number of at least 1",
    );
    check_error(
        "limits: [1]",
        "amqtt.yaml:2:9: key `limits`: found a list, wanted a mapping, `key: value` on lines of their own",
    );
}

#[test]
fn a_hidden_key_that_does_nothing_yet_says_so() {
    check_warnings(
        "persistence: {file: x.db}",
        &["amqtt.yaml:2:1: key `persistence` has no effect in this version: sessions are lost at a restart"],
    );
}

#[test]
fn the_number_of_errors_told_is_bounded() {
    let acl: String = (0..5_000).map(|user| format!("    u{user}: x\n")).collect();
    let text = with_listener(&format!("topic-check:\n  plugins: [topic_acl]\n  acl:\n{acl}"));
    let ConfigError::Invalid { problems, more } = parse(&text).expect_err("is full of errors") else {
        panic!("is about values")
    };
    assert_eq!((problems.len(), more), (20, 980));
    assert_eq!(problems[0].place, Some(Place { line: 5, column: 9 }));
}

#[test]
fn quoted_values_are_short_and_harmless() {
    check_error(
        "sys-interval: \"a\\e[31m\\n\"",
        "amqtt.yaml:2:15: key `sys-interval`: found `a\\u{1b}[31m\\n`, wanted a whole number from 0 to 31536000",
    );
    let long = "ä".repeat(100);
    let cut = "ä".repeat(60);
    check_error(
        &format!("max-qos: {long}"),
        &format!("amqtt.yaml:2:10: key `max-qos`: found `{cut}…`, wanted a whole number from 0 to 2"),
    );
}

#[test]
fn what_a_plugin_may_take_can_be_set_within_bounds() {
    let of = |settings: &str| format!("plugins: [x: {{{settings}}}]\n");
    let config = config(&of("memory: 32 MiB, deadline: 20 ms, instances: 2, own: 1"));
    let spec = plugin(&config, "x");
    let deadline = Some(std::time::Duration::from_millis(20));
    assert_eq!(spec.limits, PluginLimits { memory_bytes: Some(32 << 20), deadline, instances: Some(2) });
    assert_eq!(spec.settings.keys().collect::<Vec<_>>(), ["own"]);
    for (settings, wanted) in [
        ("memory: 1 KiB", "`64 KiB` to `4 GiB`"),
        ("memory: 5 GiB", "`64 KiB` to `4 GiB`"),
        ("memory: 16", "`64 KiB` to `4 GiB`"),
        ("deadline: 1 ms", "`5 ms` to `60 s`"),
        ("deadline: 2 h", "`5 ms` to `60 s`"),
        ("instances: 0", "1 to 64"),
    ] {
        let error = parse(&with_listener(&of(settings))).expect_err(settings).to_string();
        assert!(error.contains(wanted), "{error}");
    }
}
