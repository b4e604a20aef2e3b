//! What `amqtt config` prints.

use super::*;

const TEXT: &str = "\
listeners:
  default: {type: tcp, max_connections: 10}
  one:
    bind: ${HOST}:${PORT:-1884}
  two: {bind: '[::1]:0', max-connections: -1}
auth:
  allow_anonymous: no
  password-file: passwd
topic-check:
  plugins: [topic-acl]
  acl: {alice: [a/#, 'b c'], 'on': []}
sys_interval: 7
limits: {inflight-max: 5}
plugins:
  - auth.file
  - amqtt.plugins.authentication.AnonymousAuthPlugin
  - mine:
      path: mine.wasm
      api_token: hunter2
      password-file: /etc/other
      url: mqtt://user:hunter2@host/
      nested: {secret: hunter2, list: [\"$6$salt$hunter2\", plain, \"${TOKEN}\"], n: 1}
      from: ${TOKEN}
";

fn environment(name: &str) -> Option<OsString> {
    match name {
        "HOST" => Some("127.0.0.1".into()),
        "TOKEN" => Some("hunter2".into()),
        _ => None,
    }
}

fn printed(text: &str) -> String {
    crate::config::effective::of(&source(text, environment)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_value_is_printed_with_its_origin() {
    let printed = printed(TEXT);
    let expected = "\
listeners:                                                # amqtt.yaml:1
  default:                                                # amqtt.yaml:2
    type: tcp                                             # amqtt.yaml:2
    max-connections: 10                                   # amqtt.yaml:2
  one:                                                    # amqtt.yaml:3
    bind: \"127.0.0.1:1884\"                                # environment, amqtt.yaml:4
    type: tcp                                             # amqtt.yaml:2
    # path: any path                                      # default
    # origins: pages of any origin                        # default
    max-connections: 10                                   # amqtt.yaml:2
    ssl: false                                            # default
    require-certificate: false                            # default
  two:                                                    # amqtt.yaml:5
    bind: \"[::1]:0\"                                       # amqtt.yaml:5
    type: tcp                                             # amqtt.yaml:2
    # path: any path                                      # default
    # origins: pages of any origin                        # default
    max-connections: -1                                   # amqtt.yaml:5
    ssl: false                                            # default
    require-certificate: false                            # default
plugins:                                                  # amqtt.yaml:14
  - auth_file                                             # amqtt.yaml:15
  - auth_anonymous                                        # amqtt.yaml:16
  - mine:                                                 # amqtt.yaml:17
      path: /etc/amqtt/mine.wasm                          # amqtt.yaml:18
      api_token: \"(hidden)\"                               # amqtt.yaml:19
      password-file: /etc/other                           # amqtt.yaml:20
      url: \"(hidden)\"                                     # amqtt.yaml:21
      nested:                                             # amqtt.yaml:22
        list: [\"(hidden)\",\"plain\",\"(hidden)\"]
        \"n\": 1
        secret: \"(hidden)\"
      from: \"(hidden)\"                                    # environment, amqtt.yaml:23
auth:                                                     # amqtt.yaml:6
  # plugins: every loaded plugin that answers auth        # default
  allow-anonymous: false                                  # amqtt.yaml:7
  password-file: /etc/amqtt/passwd                        # amqtt.yaml:8
topic-check:                                              # amqtt.yaml:9
  # enabled: true if the section names plugins or an ACL  # default
  plugins:                                                # amqtt.yaml:10
    - topic_acl                                           # amqtt.yaml:10
  acl:                                                    # amqtt.yaml:11
    alice: [\"a/#\",\"b c\"]
    \"on\": []
sys-interval: 7                                           # amqtt.yaml:12
";
    let (head, limits) = printed.split_at(printed.find("# timeout-disconnect-delay: half").expect("is there"));
    assert!(head == expected, "{head}");
    assert!(limits.contains("  inflight-max: 5                                         # amqtt.yaml:13\n"), "{limits}");
    assert!(limits.contains("  sessions-max: 1000000                                   # default\n"), "{limits}");
    assert!(!printed.contains("hunter2"), "{printed}");
}

/// The print is a configuration, and the same one.
#[test]
fn what_is_printed_can_be_read_again() {
    let secrets = TEXT.find("      api_token").expect("is there");
    let text = format!("{}      odd: \"$${{x}} # 'y' \\n\"\n", &TEXT[..secrets]);
    let printed = printed(&text);
    let meaning = |text: &str| {
        let mut config = source(text, environment).config().unwrap_or_else(|error| panic!("{text}\n{error}"));
        config.warnings.clear();
        format!("{config:#?}")
    };
    assert_eq!(meaning(&printed), meaning(&text), "{printed}");
    let again = crate::config::effective::of(&source(&printed, |_| None)).expect("is valid");
    let values = |text: &str| {
        text.lines().map(|line| line.split("  # ").next().unwrap_or("").trim_end().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values(&again), values(&printed));
}

/// The tables say what the types say.
#[test]
fn the_defaults_that_are_printed_are_in_force() {
    let limits = printed("listeners: {a: {bind: 1}}");
    let printed = limits.replace("  # default", "");
    let config = parse(&printed).unwrap_or_else(|error| panic!("{printed}\n{error}"));
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.sys_interval_secs, 20);
    assert_eq!(config.capabilities, Capabilities::default());
    for row in crate::config::limits::KEYS.settings() {
        assert!(printed.contains(&format!("  {}: ", row.key)), "{} is not in {printed}", row.key);
    }
}

#[test]
fn errors_never_quote_what_comes_from_the_environment() {
    let check = |lines: &str, expected: &str| {
        let error = source(&with_listener(lines), environment).config().expect_err(lines).to_string();
        assert_eq!(error, expected, "{lines}");
    };
    check("max-qos: ${TOKEN}", "amqtt.yaml:2:10: key `max-qos`: found `${TOKEN}`, wanted a whole number from 0 to 2");
    check(
        "max-qos: ${ABSENT}",
        "amqtt.yaml:2:10: the environment variable `ABSENT` is not set\n  \
         hint: set it, or write a default: `${ABSENT:-default}`",
    );
}

#[test]
fn variables_are_values_and_never_more() {
    let environment: fn(&str) -> Option<OsString> = |_| Some("[a, b]: {c: d}\n- e".into());
    let text = with_listener("plugins: [x: {one: \"${YAML}\", two: [\"${YAML}\"], \"${YAML}\": 1, hash: $6$s$h}]");
    let config = source(&text, environment).config().expect("is valid");
    let value = "[a, b]: {c: d}\n- e";
    assert_eq!(settings(&config, "x"), json!({"one": value, "two": [value], "${YAML}": 1, "hash": "$6$s$h"}));
}
