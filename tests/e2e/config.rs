//! `amqtt check` and `amqtt config`.

use std::path::PathBuf;
use std::process::Output;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::broker::amqtt;

/// A folder with a configuration and what that names.
struct Folder(TempDir);

impl Folder {
    fn with(config: &str) -> Self {
        let folder = Self(TempDir::new().expect("a temporary folder"));
        folder.write("broker.yaml", config);
        folder
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("can write");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Output {
        amqtt().arg(command).arg("-c").arg(self.path("broker.yaml")).args(arguments).output().expect("can start")
    }

    /// What is printed, with the folder left out, and the exit status.
    fn printed(&self, command: &str, arguments: &[&str]) -> (String, Option<i32>) {
        let Output { status, stdout, stderr } = self.run(command, arguments);
        let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
        (text.replace(&format!("{}/", self.0.path().display()), ""), status.code())
    }

    /// Checks all that `amqtt check` prints.
    fn check(&self, code: i32, expected: &str) {
        let (text, status) = self.printed("check", &[]);
        assert!(text == expected && status == Some(code), "{status:?}\n{text}");
    }
}

#[test]
fn a_good_configuration_is_ok() {
    let folder = Folder::with("listeners: {default: {bind: 0}}\nplugins: [auth_file]\nauth: {password-file: users}\n");
    folder.write(
        "users",
        "test:$6$xy$2d8b.u/9VVEi/aeOgYrHCtrlZMUKwRYMv0s6lMXUBSJrPoiBpxdBa3Ebw4eREVyeMzpmLnT5dn.ipoHXFbzpp1\n",
    );
    folder.check(0, "OK\n");
}

const NINE_MISTAKES: &str = "\
listeners:
  default: {type: udp}
  one: {bind: 127.0.0.1:70000, max-conections: 5}
auth:
  allow-anonymous: true / false
  password-file: ${NO_SUCH_VARIABLE_HERE}
topic-check:
  plugins: [topic_acl]
  acl:
    alice: a/b
    bob: ['a/#/b']
plugins:
  - auth_file
  - topic_acll
limts: {}
log_levels: 1
";

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let hint_on_plugins = "auth_anonymous, auth_file";
    let folder = Folder::with(NINE_MISTAKES);
    let (text, status) = folder.printed("check", &[]);
    let (values, plugins) = text.split_once("broker.yaml:14:5").unwrap_or_else(|| panic!("{text}"));
    let expected = "\
broker.yaml:2:19: error: key `listeners.default.type`: found `udp`, wanted `tcp` or `ws`
broker.yaml:3:15: error: key `listeners.one.bind`: found `127.0.0.1:70000`, wanted `host:port`, `:port`, `port` or `host`
  hint: a port is a number from 0 to 65535, not `70000`
broker.yaml:3:32: error: unknown key `listeners.one.max-conections`
  hint: did you mean `max-connections`?
broker.yaml:5:20: error: key `auth.allow-anonymous`: found `true / false`, wanted `true` or `false`
  hint: choose one of the two
broker.yaml:6:18: error: the environment variable `NO_SUCH_VARIABLE_HERE` is not set
  hint: set it, or write a default: `${NO_SUCH_VARIABLE_HERE:-default}`
broker.yaml:10:12: error: key `topic-check.acl.alice`: found `a/b`, wanted a list of topics
  hint: write `['a/b']` for a list of one
broker.yaml:11:11: error: key `topic-check.acl.bob`: found `a/#/b`, wanted a topic
  hint: `#` is not alone in the last level of the topic filter
";
    assert!(values == expected, "{text}");
    assert!(plugins.starts_with(": error: plugin \"topic_acll\" not found"), "{text}");
    assert!(plugins.contains(hint_on_plugins), "{text}");
    let end = "broker.yaml:15:1: error: unknown key `limts`\n  hint: did you mean `limits`?\nbroker.yaml:16:1: warning: unknown key \
               `log_levels` has no effect\n  hint: did you mean `log-level`?\n9 errors, 1 warning\n";
    assert!(plugins.ends_with(end), "{text}");
    assert_eq!(status, Some(1));
}

#[test]
fn a_program_gets_the_same_as_json() {
    let folder = Folder::with(NINE_MISTAKES);
    let output = folder.run("check", &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: Json = serde_json::from_slice(&output.stdout).expect("is JSON");
    assert_eq!(json["ok"], false);
    assert_eq!(json["errors"].as_array().map(Vec::len), Some(9));
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(1));
    let mut first = json["errors"][0].clone();
    assert!(first["file"].as_str().is_some_and(|file| file.ends_with("/broker.yaml")));
    first["file"] = Json::Null;
    let expected = serde_json::json!({
        "file": null, "line": 2, "column": 19, "key": "listeners.default.type", "found": "udp", "allowed": "`tcp` or `ws`",
        "message": "key `listeners.default.type`: found `udp`, wanted `tcp` or `ws`", "hint": null,
    });
    assert_eq!(first, expected);
    let good = Folder::with("listeners: {default: {bind: 0}}\nplugins: [auth_file]\nauth: {plugins: []}\n");
    let output = good.run("check", &["--format", "json"]);
    let json: Json = serde_json::from_slice(&output.stdout).expect("is JSON");
    let warnings = json["warnings"].as_array().expect("is a list");
    let warning = warnings.iter().find(|it| it["message"] == "no plugin answers auth: every CONNECT is refused");
    let hint = warning.and_then(|it| it["hint"].as_str());
    assert_eq!(hint, Some("add `auth_file` or `auth_anonymous` to `auth.plugins`"), "{json}");
    assert_eq!(
        (output.status.code(), &json["ok"], &json["errors"]),
        (Some(0), &Json::Bool(true), &serde_json::json!([]))
    );
}

/// What a broker would only find when it starts.
#[test]
fn files_and_plugins_are_tried() {
    let config = "\
listeners: {default: {bind: 0}}
plugins:
  - auth_file
  - mine: {path: mine.wasm}
auth: {password-file: users}
";
    let folder = Folder::with(config);
    folder.write("mine.wasm", "no component");
    let (text, status) = folder.printed("check", &[]);
    assert_eq!(status, Some(1), "{text}");
    for expected in [
        "broker.yaml:3:5: error: plugin \"auth_file\" (built in)",
        "`password-file`: cannot read the file",
        "broker.yaml:4:5: error: plugin \"mine\" (`mine.wasm`) cannot be used: it is not WebAssembly\n  hint: ",
        "2 errors\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
    let pinned = config
        .replace("mine: {path: mine.wasm}", &format!("mine:\n      sha256: {}\n      path: mine.wasm", "0".repeat(64)));
    folder.write("broker.yaml", pinned);
    let (text, _) = folder.printed("check", &[]);
    let expected = "broker.yaml:5:7: error: plugin \"mine\" (`mine.wasm`) cannot be used: its sha256 is `";
    assert!(text.contains(expected), "{text}");
    // What is wrong elsewhere hides none of it; what is wrong with settings of plugins may be why one complains.
    for (lines, complains) in [("max-qos: 7\n", true), ("topic-check: {acl: {a: b}}\n", false)] {
        folder.write("broker.yaml", format!("{config}{lines}"));
        let (text, _) = folder.printed("check", &[]);
        assert_eq!(text.contains("`password-file`: cannot read the file"), complains, "{text}");
        assert!(text.contains("found `"), "{text}");
    }
    folder.write("broker.yaml", config.replace("  - mine: {path: mine.wasm}\n", ""));
    folder.write("users", "alice:hunter2\n");
    let (text, status) = folder.printed("check", &[]);
    assert_eq!(status, Some(0), "{text}");
    assert!(
        text.contains("broker.yaml:3:5: warning: plugin \"auth_file\": password file line 1 is left out"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
    folder.write("rules", "# none yet\n");
    folder
        .write("broker.yaml", "listeners: {default: {bind: 0}}\nplugins: [auth_file, topic_acl: {acl-file: rules}]\n");
    let (text, status) = folder.printed("check", &[]);
    assert!(status == Some(0) && text.contains("warning: plugin \"topic_acl\": no rule in the ACL file"), "{text}");
    let topic_check = "listeners: {default: {bind: 0}}\nauth: {plugins: [auth_file]}\nplugins: [broker_sys]\n\
                       topic-check: {plugins: [broker_sys]}\n";
    folder.write("broker.yaml", topic_check);
    let (text, status) = folder.printed("check", &[]);
    assert!(status == Some(1) && text.contains("none of its plugins decides topics"), "{text}");
    // What the text says already is not said again.
    folder
        .write("broker.yaml", "listeners: {default: {bind: 0}}\nplugins: [auth_file]\ntopic-check: {acl: {a: [b]}}\n");
    let (text, status) = folder.printed("check", &[]);
    assert!(status == Some(1) && text.contains("no plugin decides topics") && text.contains("\n1 error"), "{text}");
}

/// It may be a slip: what was meant is elsewhere, or not there any more.
#[test]
fn what_nothing_comes_of_is_warned_about() {
    let config = format!(
        "\
listeners: {{default: {{bind: 0}}}}
plugin-dirs: [mine]
plugins:
  - auth_anonymous: {{instances: 2}}
  - topic_acl: {{acl: {{a: [b]}}, instances: 2}}
  - events: {{path: '{0}', grants: {{publish: [test/#], sessions: true, broker-info: true}}}}
",
        amqtt_tests::guests::EVENTS
    );
    let folder = Folder::with(&config);
    std::fs::create_dir(folder.path("mine")).expect("can make a folder");
    folder.write("mine/auth-anonymous.wasm", "");
    let (text, status) = folder.printed("check", &[]);
    for expected in [
        "broker.yaml:5:5: warning: plugin \"topic_acl\": `instances` has no effect: it is not asked about logins\n",
        "\nbroker.yaml:6:5: warning: plugin \"events\" never uses what it is granted: `broker-info`, `sessions`\n  hint: leave \
         it out of `grants`\n",
        "\nbroker.yaml: warning: plugin \"auth_anonymous\" is built in: `mine/auth-anonymous.wasm` is not loaded\n  hint: give \
         the file another name, or load it in place of the one that is built in by `path` in its entry\n",
        // The fourth is that everybody may connect.
        "\nOK, 4 warnings\n",
    ] {
        assert!(text.contains(expected) && status == Some(0), "{expected:?} is not in:\n{text}");
    }
}

#[test]
fn a_file_that_is_no_yaml_has_one_error() {
    let expected = "broker.yaml:2:1: error: while parsing a node, did not find expected node content\n  hint: the `{` of line 1, \
                    column 12 is not closed before this: look for a bracket, a `,` or a quote that is missing\n1 error\n";
    Folder::with("listeners: {\n").check(1, expected);
    let folder = Folder::with("");
    std::fs::remove_file(folder.path("broker.yaml")).expect("was there");
    let (text, status) = folder.printed("check", &[]);
    assert!(status == Some(1) && text.contains("No such file"), "{text}");
}

#[test]
fn the_configuration_in_force_is_printed_without_secrets() {
    let folder = Folder::with("listeners: {a: {bind: \"127.0.0.1:${PORT}\"}}\nplugins: [x: {token: \"${SECRET}\"}]\n");
    let output = amqtt()
        .args(["config", "-c"])
        .arg(folder.path("broker.yaml"))
        .envs([("PORT", "1999"), ("SECRET", "hunter2")])
        .output()
        .expect("can start");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("bind: \"127.0.0.1:${PORT}\"") && text.contains("# environment, "), "{text}");
    assert!(!text.contains("1999"), "{text}");
    assert!(text.contains("token: \"(hidden)\"") && !text.contains("hunter2"), "{text}");
    assert!(text.contains("  sessions-max: 1000000 ") && text.contains("# default\n"), "{text}");
    let (text, status) = Folder::with("listeners: [a]\n").printed("config", &[]);
    assert!(status == Some(1) && text.starts_with("amqtt: broker.yaml:1:12: key `listeners`: found a list"), "{text}");
}

/// Whoever wrote the configuration is not who reads what is said of it.
#[test]
fn names_in_messages_command_no_terminal() {
    let config = "listeners: {\"a\\e[31m\\nb\": {bind: 0, \"\\e[1m\": 1}}\nplugins: [auth_anonymous, x: {path: \"/\\e[3m\\nx\"}]\n";
    let folder = Folder::with(config);
    let plain = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        text
    };
    let text = plain(&folder.run("check", &[]).stdout);
    assert!(text.contains("unknown key `listeners.a\\u{1b}[31m\\nb.\\u{1b}[1m`"), "{text}");
    assert!(text.contains("plugin \"x\" (`/\\u{1b}[3m\\nx`) cannot be used"), "{text}");
    folder.write("broker.yaml", config.replace(", \"\\e[1m\": 1", ""));
    let started = amqtt().arg("-c").arg(folder.path("broker.yaml")).output().expect("can start");
    let text = plain(&started.stderr);
    assert!(text.contains("plugin \"x\" (`/\\u{1b}[3m\\nx`) cannot be used"), "{text}");
    let new = |path: &str| amqtt().args(["plugin", "new", "mine", "--path"]).arg(folder.path(path)).output();
    let made = new("e\u{1b}[31m").expect("can start");
    assert!(plain(&made.stdout).contains("e\\u{1b}[31m`: "), "{made:?}");
    let again = new("e\u{1b}[31m").expect("can start");
    assert!(plain(&again.stderr).contains("e\\u{1b}[31m` is there already"), "{again:?}");
}

#[test]
fn a_file_of_a_plugin_may_lie_above_the_configuration_and_a_link_not_lead_there() {
    let folder = Folder::with("");
    let config = "listeners: {default: {bind: 0}}\nplugins: [auth_file]\nauth: {password-file: ../users}\n";
    std::fs::create_dir(folder.path("conf")).expect("can make a folder");
    folder.write("conf/broker.yaml", config);
    folder.write("users", "# no users\n");
    let check = |path: &str| {
        let output = amqtt().args(["check", "-c"]).arg(folder.path(path)).output().expect("can start");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
    };
    for path in ["conf/broker.yaml", "conf/../conf/broker.yaml"] {
        let (text, status) = check(path);
        assert!(status == Some(0) && text.ends_with("OK, 1 warning\n"), "{text}");
    }
    std::os::unix::fs::symlink("../users", folder.path("conf/link")).expect("can link");
    folder.write("conf/broker.yaml", config.replace("../users", "link"));
    let (text, status) = check("conf/broker.yaml");
    assert!(status == Some(1) && text.contains("leads out of its folder"), "{text}");
    assert!(text.contains("\n  hint: name the file that it leads to"), "{text}");
}

#[test]
fn the_default_configuration_and_the_schema_need_no_file() {
    let print = |argument: &[&str]| {
        let output = amqtt().arg("config").args(argument).output().expect("can start");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let default = print(&[]);
    assert!(default.contains("# default configuration:4\n") && default.contains("bind: \"0.0.0.0:1883\""), "{default}");
    let schema: Json = serde_json::from_str(&print(&["--schema"])).expect("is JSON");
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
}
