//! The configurations in the documents that this broker takes over from.

use super::*;

#[test]
fn the_default_configuration_is_that_of_the_documentation() {
    assert_eq!(DEFAULT, include_str!("../../../../tests/seeds/000_default.yaml"));
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
    assert_eq!(config.capabilities.max_qos, QoS::ExactlyOnce);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(
        config.warnings,
        ["default configuration: every client may connect, and no user name is verified; hint: to verify names, \
             load `auth_file` and set `auth.password-file`"]
    );
}

/// The example of amqtt's own documentation.
const EXAMPLE: &str = include_str!("../../../../tests/seeds/000_example.yaml");

/// The example of hbmqtt's and moat-mqtt's documentation, placeholders included.
const OLD_EXAMPLE: &str = include_str!("../../../../tests/seeds/004.yaml");

/// The same in a document that lost its indentation.
const WITHOUT_INDENTATION: &str = include_str!("../../../../tests/seeds/003.yaml");

/// The document forgot the certificate of one listener; the other one's are not on every machine.
#[test]
fn certificates_that_the_example_names_are_looked_for() {
    check_whole_error(
        EXAMPLE,
        "\
amqtt.yaml:12:5: key `listeners.my-tcp-tls-1.ssl`: TLS needs a certificate, and there is no `certfile`
  hint: add `certfile`, and `keyfile` unless the key is in the same file
amqtt.yaml:21:15: key `listeners.my-wss-1.certfile`: cannot read `/some/certfile`: No such file or directory (os error \
         2)
amqtt.yaml:22:14: key `listeners.my-wss-1.keyfile`: cannot read `/some/key`: No such file or directory (os error 2)",
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

#[test]
fn placeholders_are_named_with_their_place() {
    check_whole_error(
        OLD_EXAMPLE,
        "\
amqtt.yaml:13:17: key `listeners.my-tcp-ssl-1.cafile`: cannot read `/some/cafile`: No such file or directory (os error 2)
amqtt.yaml:15:17: key `listeners.my-tcp-ssl-1.capath`: cannot read `/etc/amqtt/certificate data`: No such file or \
         directory (os error 2)
amqtt.yaml:16:19: key `listeners.my-tcp-ssl-1.certfile`: cannot read `/some/certfile`: No such file or directory (os \
         error 2)
amqtt.yaml:17:18: key `listeners.my-tcp-ssl-1.keyfile`: cannot read `/some/key`: No such file or directory (os error 2)
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
            "amqtt.yaml:15:9: key `listeners.my-tcp-ssl-1.capath` is repeated: line 15 counts, line 14 has no effect",
            "amqtt.yaml:16:9: key `listeners.my-tcp-ssl-1.certfile` has no effect with `ssl: off`",
            "amqtt.yaml: no client with a user name can connect: `auth.password-file` is set, and `auth_file` is not \
             asked; hint: add `auth_file` to the plugins, or leave `password-file` out",
        ]
    );
}

#[test]
fn a_copy_of_the_old_example_that_lost_its_indentation_opens_nothing() {
    let error = parse(WITHOUT_INDENTATION).expect_err("keys stand outside of their sections").to_string();
    for line in [
        "amqtt.yaml:2:1: key `default` stands outside of `listeners`\n  hint: indent it, to be a part of `listeners`",
        "amqtt.yaml:8:1: key `bind` is repeated",
        "amqtt.yaml:24:1: key `allow-anonymous` stands outside of `auth`",
        "amqtt.yaml:28:1: key `plugins` is repeated",
    ] {
        assert!(error.contains(line), "{line}\n{error}");
    }
}
