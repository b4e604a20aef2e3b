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
  plugins: [topic-acl, topic_taboo]
  acl: {alice: [a/#, 'b c'], 'on': []}
sys_interval: 7
limits: {inflight-max: 5}
plugins:
  - auth.file
  - amqtt.plugins.authentication.AnonymousAuthPlugin
  - auth_scram: {password-file: \"${TOKEN}/scram\", decoy-key: \"${TOKEN}\"}
  - topic_taboo: {taboo: [\"${TOKEN}\", b], taboo-exempt: [c]}
  - mine:
      path: mine.wasm
      sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
      api_token: hunter2
      password-file: /etc/other
      url: mqtt://user:hunter2@host/
      nested: {secret: hunter2, list: [\"$6$salt$hunter2\", plain, \"${TOKEN}\", 5, on], n: 1}
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
    bind: \"${HOST}:${PORT:-1884}\"                         # environment, amqtt.yaml:4
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
  - auth_scram:                                           # amqtt.yaml:17
      password-file: \"${TOKEN}/scram\"                     # environment, amqtt.yaml:17
      decoy-key: \"(hidden)\"                               # environment, amqtt.yaml:17
  - topic_taboo:                                          # amqtt.yaml:18
      taboo: [\"${TOKEN}\",\"b\"]                             # environment, amqtt.yaml:18
      taboo-exempt: [\"c\"]                                 # amqtt.yaml:18
  - mine:                                                 # amqtt.yaml:19
      path: /etc/amqtt/mine.wasm                          # amqtt.yaml:20
      sha256: \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"  # amqtt.yaml:21
      api_token: \"(hidden)\"                               # amqtt.yaml:22
      password-file: /etc/other                           # amqtt.yaml:23
      url: \"(hidden)\"                                     # amqtt.yaml:24
      nested:                                             # amqtt.yaml:25
        list: [\"(hidden)\",\"(hidden)\",\"(hidden)\",5,\"on\"]
        \"n\": 1
        secret: \"(hidden)\"
      from: \"(hidden)\"                                    # environment, amqtt.yaml:26
auth:                                                     # amqtt.yaml:6
  # plugins: every loaded plugin that answers auth        # default
  allow-anonymous: false                                  # amqtt.yaml:7
  password-file: /etc/amqtt/passwd                        # amqtt.yaml:8
topic-check:                                              # amqtt.yaml:9
  # enabled: true if the section names plugins or an ACL  # default
  plugins:                                                # amqtt.yaml:10
    - topic_acl                                           # amqtt.yaml:10
    - topic_taboo                                         # amqtt.yaml:10
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
    let text = format!("{}      odd-path: \"/x y\"\n", &TEXT[..secrets]).replace(", decoy-key: \"${TOKEN}\"", "");
    let text = text.replace("[a/#, 'b c']", "[a/#, \"$${x} 'y' \\n\\x9b\"]");
    let printed = printed(&text);
    let meaning = |text: &str| {
        let mut config = source(text, environment).config().unwrap_or_else(|error| panic!("{text}\n{error}"));
        config.warnings.clear();
        format!("{config:#?}")
    };
    assert_eq!(meaning(&printed), meaning(&text), "{printed}");
    let again = crate::config::effective::of(&source(&printed, environment)).expect("is valid");
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

/// What a variable holds may be secret wherever it stands, also in a hint or in what the system says.
#[test]
fn no_message_tells_what_a_variable_holds() {
    let check = |text: &str, expected: &str| {
        let source = source(text, environment);
        let error = source.config().expect_err(text).to_string();
        assert!(error.contains(expected), "{text}\n{error}");
        assert!(!error.contains("hunter2"), "{text}\n{error}");
    };
    let listener = |line: &str| format!("listeners: {{a: {{bind: 1, {line}}}}}");
    check("listeners: {a: {bind: \"${TOKEN}:x\"}}", "found `${TOKEN}:x`, wanted `host:port`");
    check("listeners: {a: {bind: \"[${TOKEN}]:1\"}}", "found `[${TOKEN}]:1`, wanted `host:port`");
    check(
        "listeners: {a: {bind: \"${TOKEN}\"}, b: {bind: \"${TOKEN}\"}}",
        "listeners `a` and `b` have the same address `${TOKEN}`",
    );
    check(
        &listener("ssl: on, certfile: \"/${TOKEN}/x\", keyfile: /y"),
        "certfile`: cannot read `/${TOKEN}/x`: No such",
    );
    check(&listener("ssl: on, certfile: \"${TOKEN}\""), "certfile`: cannot read `${TOKEN}`: No such");
    check(&with_listener("plugins: [\"${TOKEN}/x\"]"), "`${TOKEN}/x` is not the name of a plugin");
}

#[test]
fn no_message_tells_a_secret() {
    check_error(
        "plugins: [auth_scram: {password-file: p, decoy-key: 12345}]",
        "amqtt.yaml:2:53: key `plugins.auth_scram.decoy-key`: found a secret, wanted text\n  \
         hint: quote it if it is meant as text",
    );
    check_error(
        "plugins: [x: {api-key: 12345, grants: {files: [api_key]}}]",
        "amqtt.yaml:2:24: key `plugins.x.api-key`: found a secret, wanted a path\n  \
         hint: quote it if it is meant as text",
    );
}

/// Of what only a plugin understands, the broker cannot know what is secret.
#[test]
fn of_other_plugins_only_what_is_plainly_harmless_is_printed() {
    let check = |written: &str, expected: &str| {
        let printed = printed(&with_listener(&format!("plugins: [mine: {{{written}}}]")));
        let line = printed.lines().find(|line| line.contains("# amqtt.yaml:2") && line.starts_with("      "));
        let line = line.unwrap_or_else(|| panic!("{written}\n{printed}"));
        assert_eq!(line.split("  # ").next().unwrap_or("").trim(), expected, "{written}");
    };
    for secret in [
        "pass: x",
        "pwd: x",
        "key: x",
        "hmac-key: x",
        "bearer: x",
        "auth-header: x",
        "dsn: 'postgres://u:p/w@host/db'",
        "url: 'http://h/?password=zz'",
        "token-profile: x",
        "mode: strict",
        "pin: 1234",
        "passCode: 1234",
        "token-profile: 5",
        "tokens: {a: 1}",
        "password: 12345",
        "config-file: 'http://u:p@h/x'",
        "profile: x",
        "path-prefix: x",
    ] {
        let (key, _) = secret.split_once(':').expect("has a value");
        check(secret, &format!("{key}: \"(hidden)\""));
    }
    check("retries: 5", "retries: 5");
    check("ratio: 0.5", "ratio: 0.5");
    check("verbose: true", "verbose: true");
    check("verbose: 'ON'", "verbose: \"ON\"");
    check("key-file: /etc/x", "key-file: /etc/x");
    check("log_dir: logs", "log_dir: logs");
    check("path-max: 5", "path-max: 5");
    check("monkey: 5", "monkey: 5");
}

#[test]
fn variables_are_values_and_never_more() {
    let environment: fn(&str) -> Option<OsString> = |_| Some("[a, b]: {c: d}\n- e".into());
    let text = with_listener("plugins: [x: {one: \"${YAML}\", two: [\"${YAML}\"], \"${YAML}\": 1, hash: $6$s$h}]");
    let config = source(&text, environment).config().expect("is valid");
    let value = "[a, b]: {c: d}\n- e";
    assert_eq!(settings(&config, "x"), json!({"one": value, "two": [value], "${YAML}": 1, "hash": "$6$s$h"}));
}
