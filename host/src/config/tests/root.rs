//! Files as a whole, and the keys at their top.

use super::*;

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
        "amqtt.yaml:2:2: tabs disallowed within this context (block indentation)\n  \
         hint: indent with spaces, not with tabs",
    );
    let columns = "hint: look at the spaces before this line and those above: what belongs to one list or mapping begins \
                   in one column";
    check_whole_error(
        "listeners:\n  default:\n    type: tcp\n   bind: 1883\n",
        &format!("amqtt.yaml:4:4: while parsing a block mapping, did not find expected key\n  {columns}"),
    );
    check_whole_error(
        "plugins:\n  - a\n - b\n",
        &format!("amqtt.yaml:3:2: while parsing a block mapping, did not find expected key\n  {columns}"),
    );
    check_whole_error(
        "auth: plugins: []\n",
        "amqtt.yaml:1:14: mapping values are not allowed in this context\n  \
         hint: a key stands on a line of its own, indented like the others beside it; quote a text with `: ` in it",
    );
    check_whole_error(
        "plugins: []",
        "amqtt.yaml:1:1: key `listeners` is missing\n  \
         hint: a broker needs one, for example `listeners: {default: {bind: 0.0.0.0:1883}}`",
    );
}

/// The parser says what it did not find; what is wrong stands before that.
#[test]
fn yaml_that_breaks_off_has_a_hint() {
    let open = |text: &str, at: &str, open: &str| {
        let error = parse(text).expect_err(text).to_string();
        let hint = format!(
            "\n  hint: the {open} is not closed before this: look for a bracket, a `,` or a quote that is missing"
        );
        assert!(error.starts_with(&format!("amqtt.yaml:{at}: ")) && error.ends_with(&hint), "{text}: {error}");
    };
    open("plugins: [a, b\nlisteners:\n  default: {bind: 1}\n", "2:10", "`[` of line 1, column 10");
    open("plugins:\n- x: {a: [1]\nauth: {}\n", "3:1", "`{` of line 2, column 6");
    open("plugins: [x: {a: 1]\n", "1:19", "`{` of line 1, column 14");
    open("ä: {\n", "2:1", "`{` of line 1, column 4");
    let error = parse("log-level: \"info\nauth: {}\n").expect_err("an open quote").to_string();
    let hint = "\n  hint: look for an open `[`, `{` or quote, or for indentation that differs, in the lines before";
    assert!(error.ends_with(hint), "{error}");
    let tried = Tried { name: "x", path: Some(Path::new("/x.wasm")), grants: None };
    let error = PluginTrial::of_settings(tried, "{\"acl\":", Path::new("/"), "--settings").expect_err("breaks off");
    assert!(error.to_string().contains("\n  hint: the `{` of line 1, column 1 is not closed"), "{error}");
    // What the reader says itself is clear.
    let error = parse("a: !secret b\n").expect_err("a tag").to_string();
    assert!(!error.contains("hint"), "{error}");
}

#[test]
fn a_configuration_of_mosquitto_is_known() {
    let hint = "\n  hint: this is a `mosquitto.conf`, which is not read: a configuration is YAML, and `amqtt config` prints \
                one to begin with";
    check_whole_error(
        "# mosquitto.conf\nlistener 1883\nallow_anonymous true\n",
        &format!("amqtt.yaml:2:1: the file is no YAML mapping{hint}"),
    );
    let error = parse("listener 1883\n# a comment\nlog_type all\nx: 1\n").expect_err("is no YAML").to_string();
    assert!(error.ends_with(hint), "{error}");
    for yaml in ["listener : [a\n", "listener: 1883 x: y\n"] {
        let error = parse(yaml).expect_err(yaml).to_string();
        assert!(!error.contains("mosquitto.conf"), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Config::load(Path::new("/nonexistent/amqtt.yaml")).expect_err("is not there").to_string();
    assert!(error.starts_with("cannot read `/nonexistent/amqtt.yaml`: No such file"), "{error}");
    let check = |bytes: &[u8], expected: &str| {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let file = folder.path().join("x.yaml");
        std::fs::write(&file, bytes).expect("can write");
        let error = Config::load(&file).expect_err(expected).to_string();
        assert_eq!(error.replace(&format!("{}/", folder.path().display()), ""), expected);
    };
    check(b"a: b\nc: d\xff", "x.yaml:2:5: the file is not UTF-8 text\n  hint: save it as UTF-8");
    let utf16 = "x.yaml:1:1: the file is UTF-16 text\n  hint: save it as UTF-8";
    check(b"\xff\xfea\0:\0 \0b\0", utf16);
    check(b"\xfe\xff\0a\0:\0 \0b", utf16);
    check(
        b"a\0:\0 \0b\0",
        "x.yaml:1:2: the character U+0000 may not stand in YAML\n  hint: save the file as UTF-8 text",
    );
}

#[test]
fn dashes_and_underscores_are_the_same() {
    let check = |lines: &str| {
        let config = config(lines);
        assert_eq!(config.sys_interval_secs, 7, "{lines}");
        assert_eq!(config.timeout_disconnect_delay_secs, Some(3), "{lines}");
        assert_eq!(config.capabilities.max_qos, QoS::AtLeastOnce, "{lines}");
    };
    check("sys_interval: 7\ntimeout_disconnect_delay: 3\nmax_qos: 1");
    check("sys-interval: '7'\ntimeout-disconnect-delay: 3\nmax-qos: 1");
    check_error(
        "sys_interval: 7\nsys-interval: 8",
        "amqtt.yaml:3:1: key `sys-interval` is repeated: it stands in line 2 already\n  hint: keep one of them; `-` and `_` are the same in keys",
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
fn what_clients_may_ask_for_is_a_matter_of_settings() {
    let without = Capabilities {
        max_qos: QoS::AtMostOnce,
        retain: false,
        wildcard_subscriptions: false,
        subscription_identifiers: false,
        shared_subscriptions: false,
        share_strategy: ShareStrategy::LeastQueued,
        check_payload_format: true,
        server_reference: Some("other:1883 [::1]:1883".into()),
        redirect: Some(ReasonCode::ServerMoved),
        response_information: Some("responses/{client-id}/".into()),
    };
    let lines = "max-qos: 0\nretain-available: off\nwildcard_subscriptions: no\nsubscription-identifiers: false\n\
                 check-payload-format: on\nshared-subscriptions: off\nshare-strategy: least-queued\n\
                 server_reference: 'other:1883 [::1]:1883'\nredirect: server-moved\n\
                 response_information: 'responses/{client-id}/'";
    assert_eq!(config(lines).capabilities, without);
    check_error(
        "retain-available: maybe",
        "amqtt.yaml:2:19: key `retain-available`: found `maybe`, wanted `true` or `false`",
    );
}

#[test]
fn what_clients_are_told_is_short_and_fits_its_packet() {
    check_error(
        "redirect: away",
        "amqtt.yaml:2:11: key `redirect`: found `away`, wanted `none` or `use-another-server` or `server-moved`",
    );
    check_error(
        "response-information: 'responses/#'",
        "amqtt.yaml:2:23: key `response-information`: found `responses/#`, \
         wanted the beginning of a topic name, at most 1,024 bytes",
    );
    assert_eq!(
        config(&format!("server-reference: {}", "x".repeat(1_024))).capabilities.farewell(),
        ReasonCode::UseAnotherServer
    );
    for line in [
        format!("server-reference: {}", "x".repeat(1_025)),
        format!("response-information: {}", "x".repeat(1_025)),
        "server-reference: \"a\\tb\"".to_owned(),
    ] {
        assert!(
            parse(&with_listener(&line)).is_err_and(|error| error.to_string().contains("at most 1,024 bytes")),
            "{line}"
        );
    }
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
fn the_log_has_four_levels() {
    for (written, expected) in
        [("error", LogLevel::Error), ("Warn", LogLevel::Warn), ("info", LogLevel::Info), ("DEBUG", LogLevel::Debug)]
    {
        assert_eq!(config(&format!("log_level: {written}")).log_level, expected);
    }
    assert_eq!(config("").log_level, LogLevel::Info);
    check_error(
        "log-level: loud",
        "amqtt.yaml:2:12: key `log-level`: found `loud`, wanted `error` or `warn` or `info` or `debug`",
    );
}

const UNKNOWN_INTERVAL: &str =
    "amqtt.yaml:3:1: unknown key `session_expiry_interval` has no effect; hint: known keys are";

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
        "amqtt.yaml:2:26: unknown key `plugins.event_logger.level`\n  hint: known keys are `path`, `sha256`, `grants`, `memory`, `deadline`, `instances`",
    );
    check_error(
        "allow-anonymous: false",
        "amqtt.yaml:2:1: key `allow-anonymous` stands outside of `auth`\n  hint: indent it, to be a part of `auth`",
    );
    check_error(
        "limits: {packet-byte-max: 5}",
        "amqtt.yaml:2:10: unknown key `limits.packet-byte-max`\n  hint: did you mean `packet-bytes-max`?",
    );
    check_warnings(
        "sys_intervall: 5\nsession_expiry_interval: 7\nmy.own: 1\npersistence: {files: a}",
        &[
            "amqtt.yaml:2:1: unknown key `sys_intervall` has no effect; hint: did you mean `sys-interval`?",
            UNKNOWN_INTERVAL,
            "amqtt.yaml:4:1: unknown key `my.own` has no effect; hint: known keys are",
            "amqtt.yaml:5:1: key `persistence` has no effect in this version: sessions are lost at a restart",
            "amqtt.yaml:5:15: unknown key `persistence.files` has no effect; hint: did you mean `file`?",
        ],
    );
}

/// Whoever wrote it meant a section or a rule, and without it the broker would be open.
#[test]
fn what_is_nearly_a_section_or_out_of_place_is_an_error() {
    let check = |line: &str, message: &str, hint: &str| {
        let error = parse(&with_listener(line)).expect_err(line).to_string();
        assert_eq!(error, format!("amqtt.yaml:2:1: {message}\n  hint: {hint}"), "{line}");
    };
    for (key, meant) in [
        ("auht", "auth"),
        ("Auth", "auth"),
        ("topic-chek", "topic-check"),
        ("Topic_Check", "topic-check"),
        ("plugin", "plugins"),
        ("listener", "listeners"),
        ("limts", "limits"),
        ("max_qoss", "max-qos"),
        ("MAX_QOS", "max-qos"),
        ("redirct", "redirect"),
    ] {
        check(&format!("{key}: {{}}"), &format!("unknown key `{key}`"), &format!("did you mean `{meant}`?"));
    }
    for (key, section) in [
        ("allow-anonymous", "auth"),
        ("Password_File", "auth"),
        ("acl-file", "topic-check"),
        ("taboo", "topic-check"),
        ("taboo_exempt", "topic-check"),
        ("require-certificate", "listeners"),
        ("certfile", "listeners"),
        ("default", "listeners"),
        ("packet-bytes-max", "limits"),
        ("sha256", "plugins"),
        ("decoy-key", "plugins"),
        ("auth_anonymous", "plugins"),
        ("topic-acl", "plugins"),
        ("auth.file", "plugins"),
        ("amqtt.plugins.authentication.AnonymousAuthPlugin", "plugins"),
    ] {
        check(
            &format!("{key}: {{}}"),
            &format!("key `{key}` stands outside of `{section}`"),
            &format!("indent it, to be a part of `{section}`"),
        );
    }
    for (key, meant, section) in [
        ("alow-anonymous", "allow-anonymous", "auth"),
        ("acls", "acl", "topic-check"),
        ("topic_ac", "topic_acl", "plugins"),
    ] {
        check(
            &format!("{key}: {{}}"),
            &format!("unknown key `{key}`"),
            &format!("did you mean `{meant}`? it is a part of `{section}`"),
        );
    }
    for key in ["auth.allow-anonymous", "Auth.anything", "limits.sessions-max"] {
        let (section, rest) = key.split_once('.').expect("has a dot");
        let section = section.to_lowercase();
        check(
            &format!("{key}: 1"),
            &format!("unknown key `{key}`"),
            &format!("a key within `{section}` stands below it, indented: `{section}: {{{rest}: …}}`"),
        );
    }
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
    let error = parse(&text).expect_err("is full of errors");
    let ConfigError::Invalid(problems) = &error else { panic!("is about values") };
    assert_eq!(problems.len(), 1_000);
    assert_eq!(problems[0].place, Some(Place { line: 5, column: 9 }));
    let error = error.to_string();
    assert_eq!(error.lines().count(), 2 * 20 + 1, "{error}");
    assert!(error.ends_with("\nand 980 more: `amqtt check` lists them"), "{error}");
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
fn plugins_are_loaded_again_at_a_signal_or_also_on_change() {
    assert!(!config("").reload_on_change);
    assert!(!config("plugin-reload: on-signal").reload_on_change);
    assert!(config("plugin_reload: on-change").reload_on_change);
    check_error(
        "plugin-reload: always",
        "amqtt.yaml:2:16: key `plugin-reload`: found `always`, wanted `on-signal` or `on-change`",
    );
}

/// What the readers of YAML that these files were written for understand otherwise is refused.
#[test]
fn what_readers_of_yaml_disagree_on_is_an_error() {
    let zeros = "hint: leave out the zeros in front: some readers of YAML take them as the mark of an octal number";
    check_error(
        "sys-interval: 010",
        &format!(
            "amqtt.yaml:2:15: key `sys-interval`: found `010`, wanted a whole number from 0 to 31536000\n  {zeros}"
        ),
    );
    for text in ["00", "+07", "'010'"] {
        let error = parse(&with_listener(&format!("sys-interval: {text}"))).expect_err(text).to_string();
        assert!(error.ends_with(zeros), "{error}");
    }
    check_whole_error(
        "listeners: {a: {bind: 1883, max-connections: -0100}}",
        &format!(
            "amqtt.yaml:1:46: key `listeners.a.max-connections`: found `-0100`, wanted a whole number of at least -1\n  \
             {zeros}"
        ),
    );
    for bind in ["0100", "'127.0.0.1:0100'"] {
        let error = parse(&format!("listeners: {{a: {{bind: {bind}}}}}")).expect_err(bind).to_string();
        assert!(error.ends_with("hint: a port has no zeros in front"), "{error}");
    }
    check_error(
        "x: &x {a: 1}\ny: &y {b: 1}\nplugins: [p: {<<: *x, <<: *y}]",
        "amqtt.yaml:4:23: key `<<` is repeated: it stands in line 4 already\n  \
         hint: name several mappings in one list: `<<: [*one, *two]`",
    );
    for (character, code) in [('\u{85}', "0085"), ('\u{2028}', "2028"), ('\u{2029}', "2029"), ('\u{1b}', "001B")] {
        check_error(
            &format!("# a comment{character}auth: {{}}"),
            &format!(
                "amqtt.yaml:2:12: the character U+{code} may not stand in YAML\n  \
                 hint: remove it, or write it as `\\u{code}` in double quotes"
            ),
        );
        let text = format!("plugins: [x: {{a: \"\\u{code}\"}}]");
        assert_eq!(settings(&config(&text), "x"), json!({"a": character.to_string()}));
    }
}

#[test]
fn numbers_are_shown_as_they_are_written() {
    let check = |written: &str| {
        let error = parse(&format!("listeners: {{a: {{bind: {written}}}}}")).expect_err(written).to_string();
        assert!(error.contains(&format!("found `{written}`, wanted")), "{error}");
    };
    check("22090.0");
    check("1e3");
    check(".inf");
    check("0x1FFFF");
}

/// Whoever reads it has a terminal.
#[test]
fn no_name_in_a_message_commands_a_terminal() {
    let check = |text: &str, expected: &str| {
        let error = parse(text).expect_err(text);
        let ConfigError::Invalid(problems) = &error else { panic!("{error}") };
        let texts = problems.iter().flat_map(|it| [it.to_string(), it.as_kind("error"), it.on_one_line()]);
        for text in texts {
            assert!(text.replace("\n  hint: ", "").chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text:?}");
        }
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("listeners: {\"a\\e[31m\\n\": {}}", "listener `a\\u{1b}[31m\\n` has no `bind`");
    check("listeners: {a: {\"\\e[31m\\n\": 1}}", "unknown key `listeners.a.\\u{1b}[31m\\n`");
    check("listeners: {a: {bind: \"\\x9b31m\\u202e:1\"}}", "hint: `\\u{9b}31m\\u{202e}` is neither");
    check("listeners: {a: {bind: 1}}\nplugins: [\"\\e[31m\"]", "`\\u{1b}[31m` is not the name of a plugin");
    check("listeners: {a: {bind: 1}}\nplugins: [x: {grants: {\"\\e\": 1}}]", "unknown key `plugins.x.grants.\\u{1b}`");
    let file = Config::parse("a", Path::new("/"), "a\u{1b}\nb").expect_err("is no mapping").to_string();
    assert!(file.starts_with("a\\u{1b}\\nb:1:1: "), "{file}");
}
