//! Lists of plugins, their settings and grants.

use super::*;

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
    check_error(
        "plugins: auth_file",
        "amqtt.yaml:2:10: key `plugins`: found `auth_file`, wanted a list of plugins\n  \
         hint: write `['auth_file']` for a list of one",
    );
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

/// Two lists may name the same one, which is no slip: what is loaded, and who is asked.
#[test]
fn a_plugin_that_stands_twice_in_one_list_is_warned_about() {
    let check = |text: &str, expected: &[&str]| {
        let config = config(text);
        assert_eq!(names(&config).len(), 1, "{text}");
        assert_eq!(config.warnings, expected, "{text}");
    };
    let hint = "hint: it is loaded and asked once: leave one of them out";
    let twice = |line: u32, column: u32, list: &str| {
        format!("amqtt.yaml:{line}:{column}: key `{list}`: `mine_too` stands there twice; {hint}")
    };
    check("plugins: [mine-too, mine_too: {a: 1}]", &[&twice(2, 21, "plugins")]);
    check("plugins: [mine_too]\nauth: {plugins: [mine_too, mine_too]}", &[&twice(3, 28, "auth.plugins")]);
    check("plugins: [mine_too]\nauth: {plugins: [mine_too]}\ntopic-check: {plugins: [mine-too]}", &[]);
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
      grants: {{files: [word_list, absent], publish: [a/#, b], broker-info: yes, sessions: on, invalidate: true}}
      word_list: words.txt
      mode: on
      nested: {{some_key: [1, 2.5, ~, true, x], other: relative.txt}}
plugin-cache: compiled
"
    ));
    let plugin = plugin(&config, "my_plugin");
    assert_eq!(plugin.path, Some(PathBuf::from("/etc/amqtt/../my.wasm")));
    let sum = plugin.sha256.expect("has one");
    assert_eq!(sum[..12], [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab, 0xcd, 0xef, 0]);
    assert_eq!(plugin.grants.files, ["word-list", "absent"]);
    let topics: Vec<&str> = plugin.grants.publish.iter().map(|topic| topic.as_str()).collect();
    assert_eq!(topics, ["a/#", "b"]);
    assert!(plugin.grants.broker_info && plugin.grants.sessions && plugin.grants.invalidate);
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
    assert_eq!(config.hooks.plugin_cache, Some(PathBuf::from("/etc/amqtt/compiled")));
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
    check("n: .inf", "amqtt.yaml:2:18: key `plugins.x.n`: found `.inf`, wanted a finite number");
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
    assert!(!plugin.grants.broker_info && !plugin.grants.sessions && !plugin.grants.invalidate);
    assert_eq!(settings(&config, "auth_file"), json!({"password-file": "/etc/amqtt/p", "extra": 1}));
    assert_eq!(config.warnings, [""; 0]);
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

/// What `amqtt plugin check` is given stands for what a configuration has.
#[test]
fn a_plugin_that_is_built_in_is_tried_with_its_own_settings() {
    let read = |name: &str, path: Option<&Path>, text: &str| {
        let tried = Tried { name, path, grants: None };
        PluginTrial::of_settings(tried, text, Path::new("/etc/amqtt"), "--settings")
    };
    let error = read("auth_file", None, "{pasword-file: x}").expect_err("is no key of it").to_string();
    assert_eq!(error, "--settings:1:2: unknown key `pasword-file`\n  hint: did you mean `password-file`?");
    let trial = read("auth_file", None, "{password_file: x}").expect("is valid");
    assert_eq!(Json::Object(trial.spec.settings), json!({"password-file": "/etc/amqtt/x"}));
    let trial = read("auth_file", Some(Path::new("/x/auth_file.wasm")), "{pasword-file: x}").expect("is a stranger");
    assert_eq!(Json::Object(trial.spec.settings), json!({"pasword-file": "x"}));
}

/// It would be handed to the plugin as a setting, and what it was to forbid would be allowed.
#[test]
fn a_slip_in_a_key_of_the_broker_in_an_entry_is_an_error() {
    let meant = |key: &str, meant: &str| {
        let expected = format!("amqtt.yaml:2:15: unknown key `plugins.x.{key}`\n  hint: did you mean `{meant}`?");
        check_error(&format!("plugins: [x: {{{key}: a}}]"), &expected);
    };
    for key in ["sha265", "sha-256", "sha256sum", "sha_512", "sah256", "SHA256", "sha-sum", "sha1"] {
        meant(key, "sha256");
    }
    for (key, known) in [
        ("grant", "grants"),
        ("memroy", "memory"),
        ("Deadline", "deadline"),
        ("dead_line", "deadline"),
        ("deadlin", "deadline"),
        ("instnaces", "instances"),
        ("PATH", "path"),
    ] {
        meant(key, known);
    }
    let sum = "0".repeat(63) + "a";
    for key in ["pin", "checksum", "sum"] {
        let expected = format!("amqtt.yaml:2:15: unknown key `plugins.x.{key}`\n  hint: did you mean `sha256`?");
        check_error(&format!("plugins: [x: {{{key}: {sum}}}]"), &expected);
    }
    // Wherever an entry may stand, and where it is tried.
    check_error(
        "plugins: {x: {sha265: a}}",
        "amqtt.yaml:2:15: unknown key `plugins.x.sha265`\n  hint: did you mean `sha256`?",
    );
    check_error(
        "auth: {plugins: [x: {grant: a}]}",
        "amqtt.yaml:2:22: unknown key `auth.plugins.x.grant`\n  hint: did you mean `grants`?",
    );
    check_error(
        "plugins: [auth_file: {path: x.wasm, sha265: a}]",
        "amqtt.yaml:2:37: unknown key `plugins.auth_file.sha265`\n  hint: did you mean `sha256`?",
    );
    let tried = Tried { name: "x", path: Some(Path::new("/x.wasm")), grants: None };
    let error = PluginTrial::of_settings(tried, "{sha265: a}", Path::new("/"), "--settings").expect_err("a slip");
    assert_eq!(error.to_string(), "--settings:1:2: unknown key `sha265`\n  hint: did you mean `sha256`?");
}

/// Plugins of others have names of their own.
#[test]
fn what_only_resembles_a_key_of_the_broker_is_a_setting() {
    let own = [
        "paths",
        "bath",
        "pth",
        "shard",
        "share",
        "shape",
        "granted-by",
        "rights",
        "memo",
        "memories",
        "dead-letter",
        "timeout",
        "headline-file",
        "pin",
        "checksum",
        "sum",
        "hash",
        "password-file",
        "acl",
    ];
    let settings: Vec<_> = own.iter().map(|key| format!("{key}: 4")).collect();
    let config = config(&format!("plugins: [x: {{{}}}]", settings.join(", ")));
    assert_eq!(plugin(&config, "x").settings.len(), own.len());
    assert_eq!(config.warnings, [""; 0]);
}
