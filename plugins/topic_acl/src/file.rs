//! Rules in a file, in the format that mosquitto reads.

use std::borrow::Cow;

use amqtt_plugin_sdk::{Action, TopicFilter};

use crate::rules::{ByUsername, Judgement};

/// The entry for clients without a user name in rules that are not in a file: no user's name here.
const ANONYMOUS: &str = "anonymous";

/// What the clients may do.
#[derive(Debug, Default)]
pub(crate) struct FileRules {
    /// Of clients without a user name: what comes before the first `user`.
    anonymous: Vec<Rule>,
    by_username: ByUsername<Vec<Rule>>,
    /// Of everybody, with the names of each put in.
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Rule {
    access: Access,
    filter: TopicFilter,
}

#[derive(Debug)]
struct Pattern {
    access: Access,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    ReadWrite,
    Deny,
}

/// A client, as far as rules care.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) username: Option<&'a str>,
    pub(crate) client_id: &'a str,
}

impl FileRules {
    /// Reads `user`, `topic` and `pattern` lines. A file with a line that is none of them counts as a whole as wrong:
    /// whoever cannot be sure what is denied allows nothing.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, String> {
        let content = std::str::from_utf8(content).map_err(|_| "it is not UTF-8".to_owned())?;
        let content = content.strip_prefix('\u{feff}').unwrap_or(content);
        let (mut rules, mut user) = (Self::default(), None);
        for (index, line) in content.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                rules.add(line, &mut user).map_err(|reason| format!("line {}: {reason}", index + 1))?;
            }
        }
        Ok(rules)
    }

    /// How many rules there are.
    pub(crate) fn len(&self) -> usize {
        let own = self.by_username.values().map(Vec::len).sum::<usize>();
        self.anonymous.len() + own + self.patterns.len()
    }

    /// Whether a client may do something with a topic, or with all that a topic filter can match.
    ///
    /// A filter that is denied in part is granted if a rule covers it: what is denied is then not delivered.
    pub(crate) fn judge(&self, who: Who<'_>, action: Action, topic: &str) -> Judgement<'_> {
        if self.own(who).is_empty() && self.patterns.is_empty() {
            return Judgement::nothing_is_allowed();
        }
        let counting = || self.of(who).filter(|(access, _)| *access == Access::Deny || access.allows(action));
        let mut allowing = None;
        for (access, filter) in counting().filter(|(_, filter)| filter.covers(topic)) {
            if access == Access::Deny {
                return Judgement::DENIED;
            }
            allowing = allowing.or(Some(filter));
        }
        let Some(filter) = allowing else { return Judgement::DENIED };
        let denied_in_part = counting().any(|(access, denied)| access == Access::Deny && denied.overlaps(&filter));
        Judgement { allowed: true, extends_to: (!denied_in_part).then_some(filter) }
    }

    /// The rules for a client, patterns last.
    fn of(&self, who: Who<'_>) -> impl Iterator<Item = (Access, Cow<'_, TopicFilter>)> {
        let own = self.own(who).iter().map(|rule| (rule.access, Cow::Borrowed(&rule.filter)));
        let patterns = self.patterns.iter();
        own.chain(patterns.filter_map(move |pattern| Some((pattern.access, Cow::Owned(pattern.of(who)?)))))
    }

    fn own(&self, who: Who<'_>) -> &[Rule] {
        match who.username.filter(|name| !name.is_empty()) {
            None => &self.anonymous,
            Some(name) => self.by_username.get(name).map_or(&[], |rules| rules),
        }
    }

    fn add(&mut self, line: &str, user: &mut Option<String>) -> Result<(), String> {
        let (word, rest) = split_word(line);
        match word {
            "user" if rest.is_empty() => Err("`user` is followed by no name".to_owned()),
            "user" if rest == ANONYMOUS => {
                Err("what clients without a user name may do stands before the first `user`".to_owned())
            }
            "user" => {
                self.by_username.entry(rest.to_owned()).or_default();
                *user = Some(rest.to_owned());
                Ok(())
            }
            "topic" => {
                let (access, text) = split_access(rest)?;
                let rule = Rule { access, filter: filter(text)? };
                match user {
                    None => self.anonymous.push(rule),
                    Some(name) => self.by_username.entry(name.clone()).or_default().push(rule),
                }
                Ok(())
            }
            "pattern" => {
                let (access, text) = split_access(rest)?;
                let pattern = Pattern { access, text: text.to_owned() };
                filter(&pattern.fill("x", "x"))?;
                self.patterns.push(pattern);
                Ok(())
            }
            _ => Err(format!("`{word}` is none of `user`, `topic` and `pattern`")),
        }
    }
}

impl Access {
    fn allows(self, action: Action) -> bool {
        match action {
            Action::Publish => matches!(self, Self::Write | Self::ReadWrite),
            Action::Subscribe | Action::Receive => matches!(self, Self::Read | Self::ReadWrite),
        }
    }
}

impl Pattern {
    /// The filter that this is for a client; none where the client lacks a name that is in it, or has one that would
    /// change the levels or the wildcards of the filter.
    fn of(&self, who: Who<'_>) -> Option<TopicFilter> {
        let username = who.username.unwrap_or_default();
        let fits = |marker: &str, name: &str| {
            !self.text.contains(marker) || (!name.is_empty() && !name.contains(['+', '#', '/', '\0']))
        };
        let fits = fits("%u", username) && fits("%c", who.client_id);
        fits.then(|| TopicFilter::new(&self.fill(username, who.client_id)).ok()).flatten()
    }

    fn fill(&self, username: &str, client_id: &str) -> String {
        // In one go: a name that contains `%c` stays what it is.
        let mut filled = String::with_capacity(self.text.len());
        let mut rest = self.text.as_str();
        while let Some(at) = rest.find('%') {
            let (before, marker) = rest.split_at(at);
            filled.push_str(before);
            let (name, after) = match marker.get(..2) {
                Some("%u") => (username, &marker[2..]),
                Some("%c") => (client_id, &marker[2..]),
                _ => ("%", &marker[1..]),
            };
            filled.push_str(name);
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

/// The first word of a text, and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

/// `read`, `write`, `readwrite` or `deny` before a topic; a single word is a topic, and both are meant.
fn split_access(text: &str) -> Result<(Access, &str), String> {
    let (word, rest) = split_word(text);
    if rest.is_empty() {
        return Ok((Access::ReadWrite, text));
    }
    let access = match word {
        "read" => Access::Read,
        "write" => Access::Write,
        "readwrite" => Access::ReadWrite,
        "deny" => Access::Deny,
        // Read as a topic with spaces, a mistyped `deny` would allow.
        _ => return Err(format!("`{word}` before a topic is none of `read`, `write`, `readwrite` and `deny`")),
    };
    Ok((access, rest))
}

fn filter(text: &str) -> Result<TopicFilter, String> {
    TopicFilter::new(text).map_err(|reason| format!("{reason}: `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\u{feff}# who may do what\n\
        topic read news/#\n\
        \n\
        user alice\r\n\
        topic readwrite plant/#\n\
        topic deny plant/keys/+\n\
        topic write log\n\
        topic readwrite a topic with spaces\n\
        user bob\n\
        topic read plant/1\n\
        pattern readwrite home/%u/#\n\
        pattern write by-id/%c\n";

    fn check(username: Option<&str>, action: Action, topic: &str, expected: bool) {
        let rules = FileRules::parse(FILE.as_bytes()).expect("well-formed");
        let who = Who { username, client_id: "c1" };
        assert_eq!(rules.judge(who, action, topic).allowed, expected, "{username:?} {action:?} {topic}");
    }

    #[test]
    fn reading_is_subscribing_and_receiving_and_writing_is_publishing() {
        use Action::{Publish, Receive, Subscribe};
        for action in [Subscribe, Receive] {
            check(None, action, "news/today", true);
            check(Some("bob"), action, "plant/1", true);
            check(Some("alice"), action, "log", false);
        }
        check(None, Publish, "news/today", false);
        check(Some("bob"), Publish, "plant/1", false);
        check(Some("alice"), Publish, "log", true);
        for action in [Publish, Subscribe, Receive] {
            check(Some("alice"), action, "plant/2", true);
            check(Some("alice"), action, "a topic with spaces", true);
            check(Some("alice"), action, "news/today", false);
            check(Some("carol"), action, "plant/1", false);
            check(None, action, "plant/1", false);
        }
    }

    #[test]
    fn what_is_denied_is_denied_whatever_else_allows_it() {
        for action in [Action::Publish, Action::Receive, Action::Subscribe] {
            check(Some("alice"), action, "plant/keys/1", false);
        }
        check(Some("alice"), Action::Subscribe, "plant/keys/+", false);
        // Granted, and the keys are kept back when they are delivered.
        check(Some("alice"), Action::Subscribe, "plant/#", true);
        check(Some("alice"), Action::Receive, "plant/keys", true);
    }

    /// An answer that holds for a whole filter must not open what another rule denies below it.
    #[test]
    fn an_answer_is_extended_as_far_as_no_rule_contradicts() {
        let rules = FileRules::parse(FILE.as_bytes()).expect("well-formed");
        let check = |username, action, topic, expected: Option<&str>| {
            let who = Who { username, client_id: "c1" };
            let extends_to = rules.judge(who, action, topic).extends_to;
            assert_eq!(extends_to.as_deref().map(TopicFilter::as_str), expected, "{username:?} {action:?} {topic}");
        };
        check(None, Action::Receive, "news/today", Some("news/#"));
        check(Some("alice"), Action::Publish, "plant/1", None);
        check(Some("alice"), Action::Publish, "plant/keys/1", None);
        check(Some("alice"), Action::Publish, "log", Some("log"));
        check(Some("carol"), Action::Publish, "home/carol/lamp", Some("home/carol/#"));
        check(Some("carol"), Action::Publish, "home/dave/lamp", None);
        let nothing = FileRules::parse(b"user alice\n").expect("well-formed");
        let judged = nothing.judge(Who { username: Some("alice"), client_id: "c1" }, Action::Publish, "a");
        assert_eq!(judged, Judgement::nothing_is_allowed());
        // A deny of one action is a deny of all.
        let rules = FileRules::parse(b"topic read a/#\npattern deny +/%c/x\n").expect("well-formed");
        let judge =
            |client_id, topic| rules.judge(Who { username: None, client_id }, Action::Receive, topic).extends_to;
        assert_eq!(judge("c1", "a/b"), None);
        assert_eq!(judge("a/b", "a/b").as_deref().map(TopicFilter::as_str), Some("a/#"), "the pattern is not for it");
    }

    #[test]
    fn patterns_are_filled_with_the_names_of_the_client() {
        check(Some("carol"), Action::Publish, "home/carol/lamp", true);
        check(Some("carol"), Action::Subscribe, "home/carol/#", true);
        check(Some("carol"), Action::Publish, "home/dave/lamp", false);
        check(Some("carol"), Action::Subscribe, "home/+/lamp", false);
        check(None, Action::Publish, "home//lamp", false);
        check(None, Action::Publish, "by-id/c1", true);
        check(None, Action::Publish, "by-id/c2", false);
    }

    /// CVE-2017-7650.
    #[test]
    fn names_gain_nothing_by_their_spelling() {
        for name in ["+", "#", "carol/../dave", "dave/lamp", "", "%c", "alice\0"] {
            check(Some(name), Action::Subscribe, "home/dave/lamp", false);
            check(Some(name), Action::Subscribe, "home/+/lamp", false);
            check(Some(name), Action::Subscribe, "home/c1/lamp", false);
            check(Some(name), Action::Subscribe, "#", false);
        }
        let rules = FileRules::parse(b"pattern home/%u/%c").expect("well-formed");
        for client_id in ["+", "#", "a/b"] {
            let who = Who { username: Some("bob"), client_id };
            assert!(!rules.judge(who, Action::Subscribe, "home/bob/+").allowed, "{client_id}");
            assert!(!rules.judge(who, Action::Subscribe, "home/bob/a/b").allowed, "{client_id}");
        }
    }

    #[test]
    fn an_empty_file_allows_nothing() {
        for content in ["", "# nothing\n", "user alice\n"] {
            let rules = FileRules::parse(content.as_bytes()).expect("well-formed");
            for username in [None, Some("alice")] {
                assert!(!rules.judge(Who { username, client_id: "c1" }, Action::Publish, "a").allowed, "{content:?}");
            }
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        let check = |content: &[u8], expected: &str| {
            let error = FileRules::parse(content).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        check(b"user alice\ntopic read a/#/b\n", "line 2: `#` stands alone in the last level: `a/#/b`");
        check(b"topics a\n", "line 1: `topics` is none of");
        check(b"topic\n", "line 1: a topic filter has at least one character");
        check(b"pattern read a/%u#\n", "line 1: `#` stands alone");
        for line in ["topic dney secret/#", "topic Deny secret/#", "pattern readwrit a/%u", "topic a topic with spaces"]
        {
            let word = line.split(' ').nth(1).expect("has two words");
            check(format!("topic a\n{line}\n").as_bytes(), &format!("line 2: `{word}` before a topic is none of"));
        }
        check(b"user \n", "line 1: `user` is followed by no name");
        check(b"user anonymous\n", "line 1: what clients without a user name may do");
        check(b"\xff", "not UTF-8");
    }

    #[test]
    fn words_of_access_may_be_topics() {
        let rules = FileRules::parse(b"topic read\ntopic deny deny\n").expect("well-formed");
        let who = Who { username: None, client_id: "c1" };
        assert!(rules.judge(who, Action::Publish, "read").allowed);
        assert!(!rules.judge(who, Action::Publish, "deny").allowed);
    }
}
