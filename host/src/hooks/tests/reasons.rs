//! What a plugin says of its answers is bounded, whichever hook it is of.

use super::*;
use crate::hooks::limits::{REASON_PROPERTIES_MAX, REASON_TEXT_BYTES_MAX};

#[test]
fn long_reasons_are_cut_and_too_many_properties_are_left_out() {
    let grants = Grants { publish: vec![TopicFilter::new("told/#").expect("valid")], ..Grants::default() };
    let path = Some(amqtt_tests::guests::REASONS.into());
    let mut plugin = PluginSpec { path, grants, ..embedded("guest_reasons", json!({})) };
    plugin.limits.deadline = Some(Duration::from_secs(20));
    let (hooks, _) = load(HookSpec { plugins: vec![plugin], ..HookSpec::default() }).expect("it loads");
    let mut checker = hooks.topic_checker();
    let asked = [("refused/87/long", FACTS), ("refused/97/short", FACTS)];
    let verdicts = checker.check_many(&client(None), Action::Publish, &asked);
    let alone = checker.check(&client(None), Action::Subscribe, asked[0].0, FACTS);
    for reason in [&verdicts[0], &alone].map(|verdict| verdict.reason.as_deref().expect("a reason")) {
        let Reason { code, text, user_properties } = reason;
        assert_eq!(*code, Some(0x87));
        // A character is not cut in two, and what would end a line is escaped before.
        let expected = format!("t\\n{}", "é".repeat((REASON_TEXT_BYTES_MAX - 3) / 2));
        assert_eq!(text.as_deref(), Some(expected.as_str()));
        assert_eq!(user_properties.len(), REASON_PROPERTIES_MAX);
        for (number, pair) in user_properties.chunks(2).enumerate() {
            assert_eq!(
                (&*pair[0].name, &*pair[0].value),
                (&*number.to_string(), &*"é".repeat(REASON_TEXT_BYTES_MAX / 2))
            );
            let name = format!("n{}", "é".repeat((REASON_TEXT_BYTES_MAX - 1) / 2));
            assert_eq!((&*pair[1].name, &*pair[1].value), (&*name, ""));
        }
    }
    // The other's is its own.
    let other = verdicts[1].reason.as_deref().expect("a reason");
    assert_eq!(
        (other.code, other.text.as_deref(), other.user_properties.len()),
        (Some(0x97), Some("not refused/97/short"), 1)
    );
    drop(checker);
    hooks.stop();
    assert_eq!(faults(&hooks), 0);
}
