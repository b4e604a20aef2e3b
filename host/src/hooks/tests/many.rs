//! `check-many` across several plugins: each topic's votes are combined as if it were asked about alone.

use super::*;

/// Decides by the topic: `free/…`, `denied/…` with a reason, `trapped/…`; abstains on others.
fn everything(folder: &Path) -> PluginSpec {
    std::fs::copy(amqtt_tests::guests::EVERYTHING, folder.join("everything.wasm")).expect("a built guest");
    let grants = Grants {
        files: vec!["file".into()],
        publish: vec![TopicFilter::new("everything/#").expect("valid")],
        broker_info: true,
        sessions: true,
        invalidate: true,
    };
    PluginSpec { grants, ..embedded("everything", json!({})) }
}

fn votes(decision: Does) -> Guest {
    Guest { topic_check: Some(decision), actions: vec![Action::Publish], ..Guest::default() }
}

/// What `everything` (E) and the guests (their places in the list) say together: `a`llowed, `d`enied, `D`enied with a
/// reason, `?` any of them; and whether there were faults.
fn check(order: &str, guests: &[Guest], topics: &[&str], expected: &str, faults_expected: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = guest_spec(folder.path(), guests);
    let place = order.find('E').expect("it is among them");
    spec.plugins.insert(place, everything(folder.path()));
    spec.plugins.iter_mut().for_each(|plugin| plugin.limits.deadline = Some(Duration::from_secs(20)));
    let (hooks, _) = load(spec).expect("guests that load");
    let asked: Vec<_> = topics.iter().map(|topic| (*topic, FACTS)).collect();
    let verdicts = hooks.topic_checker().check_many(&client(None), Action::Publish, &asked);
    let told = verdicts.iter().map(|verdict| match verdict {
        Verdict { allowed: true, .. } => 'a',
        Verdict { reason: Some(_), .. } => 'D',
        _ => 'd',
    });
    let told: String = told.collect();
    let fits = told.len() == expected.len()
        && told.chars().zip(expected.chars()).all(|(it, it_is)| it_is == '?' || it == it_is);
    assert!(fits, "{order} {topics:?}: {told} instead of {expected}");
    assert_eq!(faults(&hooks) > 0, faults_expected, "{order} {topics:?}");
}

/// Plugins whose `check` allows publishing, and whose `check-many` says something else: for how long; that, and for what;
/// nothing at all.
pub(crate) fn guests_that_answer_many_otherwise(folder: &Path) -> Vec<PluginSpec> {
    // As all guests have it: no topic of many is for long.
    let allows = votes(Does::Answer(0));
    let extends = Guest { extends_to: Some("#"), ..allows.clone() };
    let left_out = Guest { verdicts_left_out: 1, ..allows.clone() };
    let plugins = guest_spec(folder, &[allows, extends, left_out]).plugins.into_iter();
    plugins.map(|spec| PluginSpec { path: Some(folder.join(format!("{}.wasm", spec.name))), ..spec }).collect()
}

const TOPICS: [&str; 4] = ["free/1", "denied/2", "unknown/3", "free/4"];

#[test]
fn votes_on_several_topics_are_combined_for_each() {
    // What nobody allows is denied.
    check("E.", &[votes(Does::Answer(2))], &TOPICS, "aDda", false);
    check("E.", &[votes(Does::Answer(0))], &TOPICS, "aDaa", false);
    check(".E", &[votes(Does::Answer(0))], &TOPICS, "aDaa", false);
    check("E.", &[votes(Does::Answer(1))], &TOPICS, "dDdd", false);
    check(".E", &[votes(Does::Answer(1))], &TOPICS, "dddd", false);
}

#[test]
fn a_fault_denies_what_was_still_open_and_nothing_else() {
    for does in [Does::Trap, Does::WrongAnswer, Does::Hog] {
        // What `everything` has denied before keeps its reason.
        check("E.", &[votes(does)], &TOPICS, "dDdd", true);
        // Who comes after a fault is asked no more.
        check(".E", &[votes(does)], &TOPICS, "dddd", true);
    }
    // After a fault they are asked about one by one, as far as there is a fresh instance in time.
    check("E.", &[votes(Does::Answer(0))], &["free/1", "trapped/2", "free/3"], "?d?", true);
    check(".E.", &[votes(Does::Answer(0)), votes(Does::Answer(0))], &["free/1", "trapped/2"], "?d", true);
}

/// What is known of each topic's message is its own.
#[test]
fn each_topic_has_its_own_facts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = guest_spec(folder.path(), &[]);
    spec.plugins.push(everything(folder.path()));
    let (hooks, _) = load(spec).expect("it loads");
    let asked = [10, 1_000, 20].map(|len| ("short/a", TopicFacts { payload_len: Some(len), ..FACTS }));
    let verdicts = hooks.topic_checker().check_many(&client(None), Action::Publish, &asked);
    assert_eq!(verdicts.iter().map(|verdict| verdict.allowed).collect::<Vec<_>>(), [true, false, true]);
}

/// The guest takes some 20 ms for each: longer for all than the deadline of one.
#[test]
fn a_call_has_the_time_of_all_its_topics() {
    let path = Some(amqtt_tests::guests::SLOW_CHECK.into());
    let mut plugin = PluginSpec { path, ..embedded("guest_slow_check", json!({})) };
    plugin.limits.deadline = Some(Duration::from_millis(80));
    let (hooks, _) = load(HookSpec { plugins: vec![plugin], ..HookSpec::default() }).expect("it loads");
    let verdicts = hooks.topic_checker().check_many(&client(None), Action::Publish, &[("slow-publish/a", FACTS); 8]);
    assert!(verdicts.iter().all(|verdict| verdict.allowed) && verdicts.len() == 8);
    assert_eq!(faults(&hooks), 0);
}

/// Aside there is time for fresh instances: the topic that makes a plugin fail is denied, and no other.
#[test]
fn a_topic_that_makes_a_plugin_fail_takes_no_other_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = guest_spec(folder.path(), &[]);
    spec.plugins.push(everything(folder.path()));
    let (hooks, _) = load(spec).expect("it loads");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let asked = ["free/1", "trapped/2", "free/3"].map(|topic| (topic.into(), FACTS)).into();
    let verdicts = runtime.block_on(hooks.topic_checker().ask(client(None), Action::Publish, asked));
    assert_eq!(verdicts.iter().map(|verdict| verdict.allowed).collect::<Vec<_>>(), [true, false, true]);
    assert!(faults(&hooks) > 0);
}

#[test]
fn an_answer_of_another_length_is_a_fault() {
    let short = Guest { verdicts_left_out: 1, ..votes(Does::Answer(0)) };
    check("E.", std::slice::from_ref(&short), &TOPICS, "dDdd", true);
    check(".E", std::slice::from_ref(&short), &["free/1"], "d", true);
}
