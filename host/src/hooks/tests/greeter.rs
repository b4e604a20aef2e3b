//! Who is let in without a question to another thread.

use super::*;

fn greet(greeter: &mut Greeter, username: Option<&str>) -> Option<AuthOutcome> {
    greeter.greet(&client(username), &Credentials { username: username.map(Arc::from), password: None })
}

fn anonymous(settings: Value) -> HookSpec {
    HookSpec { plugins: vec![embedded("auth_anonymous", settings)], ..HookSpec::default() }
}

#[test]
fn auth_anonymous_is_asked_in_place_and_says_the_same() {
    for (settings, username) in [
        (json!({}), None),
        (json!({}), Some("alice")),
        (json!({ "allow-anonymous": false }), None),
        (json!({ "allow-anonymous": false }), Some("alice")),
        (json!({ "password-file": "/etc/passwd" }), Some("alice")),
    ] {
        let (hooks, _) = load(anonymous(settings.clone())).expect("loads");
        let expected = authenticate(&hooks, username, "");
        assert_eq!(greet(&mut hooks.greeter(), username), Some(expected), "{settings} {username:?}");
    }
}

/// A hash, a file that is read again, a plugin that nobody knows: none of these may take a worker's time.
#[test]
fn others_are_asked_on_threads_of_their_own() {
    let check = |spec: HookSpec, what: &str| {
        let (hooks, _) = load(spec).expect(what);
        assert_eq!(greet(&mut hooks.greeter(), None), None, "{what}");
    };
    let passwords = tempfile::NamedTempFile::new().expect("a file");
    let file = embedded("auth_file", json!({ "password-file": passwords.path() }));
    check(HookSpec { plugins: vec![file.clone()], ..HookSpec::default() }, "auth_file");
    let mut both = anonymous(json!({}));
    both.plugins.push(file);
    check(both, "one of two");
    let mut few = anonymous(json!({}));
    few.plugins[0].limits.instances = Some(1);
    check(few, "as many instances as the configuration says");
    check(HookSpec::default(), "nobody answers auth");

    let folder = tempfile::tempdir().expect("a folder");
    let mut named_alike = guest_spec(folder.path(), &[Guest { auth: Some(Does::Answer(0)), ..Guest::default() }]);
    named_alike.plugins[0].name = "auth_anonymous".to_owned();
    named_alike.plugins[0].path = Some(folder.path().join("guest_0.wasm"));
    check(named_alike, "a file of that name");
}

#[test]
fn a_greeter_follows_a_reload() {
    let fixture = fixture(Guest { auth: Some(Does::Answer(1)), ..Guest::default() });
    let mut greeter = fixture.hooks.greeter();
    assert_eq!(greet(&mut greeter, None), None);
    for (allowed, expected) in [(true, AuthOutcome::Allowed), (false, AuthOutcome::Denied(None))] {
        fixture.hooks.reload(&anonymous(json!({ "allow-anonymous": allowed }))).expect("works");
        assert_eq!(greet(&mut greeter, None), Some(expected));
    }
    fixture.hooks.reload(&guest_spec(fixture.folder.path(), &[])).expect("works");
    assert_eq!(greet(&mut greeter, None), None, "nobody answers auth any more");
}

#[test]
fn whose_address_has_made_plugins_fail_is_not_greeted() {
    let fails = Guest { topic_check: Some(Does::Trap), actions: vec![Action::Publish], ..Guest::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = guest_spec(folder.path(), &[fails]);
    spec.plugins.extend(anonymous(json!({})).plugins);
    let (hooks, _) = load(spec).expect("loads");
    let mut greeter = hooks.greeter();
    assert_eq!(greet(&mut greeter, None), Some(AuthOutcome::Allowed));
    assert!(!hooks.topic_checker().check(&client(None), Action::Publish, "a", FACTS).allowed);
    assert_eq!(greet(&mut greeter, None), None);
}
