//! Values that have several spellings.

use super::*;

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
