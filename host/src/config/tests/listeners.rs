//! `listeners`.

use super::*;

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
        "amqtt.yaml:3:3: key `listeners.a` is repeated: it stands in line 2 already\n  hint: keep one of them; `-` and `_` are the same in keys",
    );
    check(
        "default: {ssl: maybe}\n  a: {bind: 1, ssl: no}",
        "amqtt.yaml:2:18: key `listeners.default.ssl`: found `maybe`, wanted `true` or `false`",
    );
    // Inherited by two listeners, said once.
    check(
        "default: {ssl: ON}\n  a: {bind: 1}\n  b: {bind: 2}",
        "amqtt.yaml:2:13: key `listeners.default.ssl`: TLS needs a certificate, and there is no `certfile`\n  \
         hint: add `certfile`, and `keyfile` unless the key is in the same file",
    );
    check(
        "a: {bind: 1, type: ws, path: mqtt}",
        "amqtt.yaml:2:32: key `listeners.a.path`: found `mqtt`, wanted a path such as `/mqtt`\n  \
         hint: it begins with `/`, and has no query",
    );
    let check_origin = |origin: &str, hint: &str| {
        let wanted = "wanted a list of origins such as `https://app.example`";
        let expected =
            format!("amqtt.yaml:2:35: key `listeners.a.origins`: found a list, {wanted}\n  hint: `{origin}`: {hint}");
        check(&format!("a: {{bind: 1, type: ws, origins: ['{origin}']}}"), &expected);
    };
    let parts = "it is a scheme, a host and maybe a port, without a path and without wildcards";
    check_origin("https://app.example/", parts);
    check_origin("https://*.example", parts);
    check_origin("*", "it begins with `https://` or the like; without the key, any origin will do");
    check_origin("https://app.example:443", "browsers leave out the scheme's own port");
    for text in ["listeners:\n  a:\n    bind: [::1]:1883\n", "listeners: {a: {bind: [::1]:1883}}\n"] {
        let error = parse(text).expect_err("is a list or no YAML").to_string();
        assert!(error.contains("hint: quote an address in brackets"), "{error}");
    }
}

#[test]
fn a_listener_with_a_certificate_says_whether_it_is_encrypted() {
    for setting in ["certfile: c", "keyfile: c", "cafile: c", "capath: c", "cadata: c", "require-certificate: on"] {
        let (key, _) = setting.split_once(':').expect("has a value");
        let plain = format!(
            "listener `a` is not encrypted: `listeners.a.{key}` needs `ssl: on`\n  \
             hint: say `ssl: on`, or `ssl: off` if it is meant to be plain"
        );
        check_whole_error(&format!("listeners: {{a: {{bind: 1, {setting}}}}}"), &format!("amqtt.yaml:1:26: {plain}"));
        let text = format!("listeners: {{default: {{{setting}}}, a: {{bind: 1}}}}");
        let error = parse(&text).expect_err(setting).to_string();
        assert!(error.contains(&plain.replace("listeners.a", "listeners.default")), "{error}");
        let config = parse(&format!("listeners: {{a: {{bind: 1, {setting}, ssl: 'Off'}}}}")).expect("is valid");
        assert_eq!(
            config.warnings,
            [format!("amqtt.yaml:1:26: key `listeners.a.{key}` has no effect with `ssl: off`")]
        );
        let inherited = format!("listeners: {{default: {{{setting}}}, a: {{bind: 1, ssl: off}}}}");
        assert_eq!(parse(&inherited).expect("is valid").warnings, [""; 0]);
    }
    let config = parse("listeners: {a: {bind: 1, require-certificate: off}}").expect("is valid");
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn a_path_without_websocket_is_warned_about() {
    let config = parse("listeners: {default: {path: /mqtt}, a: {bind: 1}, b: {bind: 2, type: ws}}").expect("is valid");
    assert_eq!(config.warnings, [""; 0]);
    assert_eq!(config.listeners[1].kind, ListenerKind::WebSocket { path: Some("/mqtt".to_owned()), origins: None });
    let config = parse("listeners: {a: {bind: 1, path: /mqtt}}").expect("is valid");
    assert_eq!(config.warnings, ["amqtt.yaml:1:26: key `listeners.a.path` has no effect without `type: ws`"]);
}

#[test]
fn origins_are_inherited_and_need_websocket() {
    let config = parse(
        "listeners:\n  default: {type: ws, origins: [https://app.example, 'null']}\n  a: {bind: 1}\n  b: {bind: 2, origins: []}\n  \
         c: {bind: 3, type: tcp, origins: []}\n",
    )
    .expect("is valid");
    let origins = |index: usize| match &config.listeners[index].kind {
        ListenerKind::WebSocket { origins, .. } => origins.clone(),
        ListenerKind::Tcp => None,
    };
    assert_eq!(origins(0), Some(vec!["https://app.example".to_owned(), "null".to_owned()]));
    assert_eq!(origins(1), Some(Vec::new()), "no page at all");
    assert_eq!(config.warnings, ["amqtt.yaml:5:27: key `listeners.c.origins` has no effect without `type: ws`"]);
}

/// Reads a configuration of listeners in a folder with a certificate.
fn with_certificate(listeners: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::TempDir::new().expect("a temporary folder");
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = own.signing_key.serialize_pem();
    for (name, content) in [("cert.pem", own.cert.pem()), ("key.pem", key.clone()), ("both.pem", own.cert.pem() + &key)]
    {
        std::fs::write(dir.path().join(name), content).expect("can write");
    }
    Config::parse(listeners, dir.path(), "amqtt.yaml")
}

#[test]
fn ports_follow_from_what_is_spoken() {
    let config = with_certificate(
        "listeners:
  default: {bind: 127.0.0.1}
  tls: {bind: 127.0.0.1, ssl: on, certfile: both.pem}
  ws: {bind: 127.0.0.1, type: WS}
  wss: {bind: '::1', type: ws, ssl: 'YES', certfile: cert.pem, keyfile: key.pem}
",
    )
    .expect("is valid");
    let found: Vec<_> = config.listeners.iter().map(|listener| listener.bind.to_string()).collect();
    assert_eq!(found, ["127.0.0.1:1883", "127.0.0.1:8883", "127.0.0.1:9001", "[::1]:9003"]);
}

#[test]
fn every_setting_of_tls_is_read() {
    let config = with_certificate(
        "listeners:
  default: {ssl: on, certfile: cert.pem, keyfile: key.pem, require_certificate: on, cafile: cert.pem}
  a: {bind: 1, capath: .}
  b: {bind: 2, require-certificate: no}
  c: {bind: 3, ssl: off}
",
    )
    .expect("is valid");
    let [a, b, c] = config.listeners.as_slice() else { panic!("{:?}", config.listeners) };
    let (Some(a), Some(b)) = (&a.tls, &b.tls) else { panic!("{a:?} {b:?}") };
    let dir = a.certfile.parent().expect("is absolute");
    assert_eq!((&a.keyfile, &a.cafile), (&Some(dir.join("key.pem")), &Some(dir.join("cert.pem"))));
    assert_eq!((&a.capath, &b.capath), (&Some(dir.to_owned()), &None));
    assert!(a.require_certificate && !b.require_certificate && c.tls.is_none());
}

#[test]
fn a_certificate_that_nobody_could_vouch_for_is_not_required() {
    let listeners = "listeners: {a: {bind: 1, ssl: on, certfile: both.pem, require-certificate: true}}";
    let error = with_certificate(listeners).expect_err("there is no authority").to_string();
    assert_eq!(
        error,
        "amqtt.yaml:1:55: key `listeners.a.require-certificate`: there is nobody who could vouch for a certificate\n  \
         hint: add `cafile`, `capath` or `cadata` with the authorities of clients"
    );
}
