//! How the votes of several plugins become one answer.

use std::sync::Arc;

use super::limits::EXTENSIONS_MAX;
use crate::types::{TopicFilter, UserProperty};

/// A plugin's answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A vote for it.
    Allow,
    /// A veto.
    Deny,
    /// No vote.
    Abstain,
}

impl Decision {
    /// Its name in the plugin interface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Abstain => "abstain",
        }
    }
}

/// How long an answer may be given again to the same client, action and topic without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheFor {
    /// It has to be asked each time.
    Never,
    /// This many seconds, at least one.
    Seconds(u32),
    /// As long as the plugins stay loaded.
    UntilReload,
}

impl CacheFor {
    /// Reads the number of the plugin interface: 0 is never, the largest number is until the plugin is loaded again.
    pub(crate) fn from_seconds(seconds: u32) -> Self {
        match seconds {
            0 => Self::Never,
            u32::MAX => Self::UntilReload,
            seconds => Self::Seconds(seconds),
        }
    }
}

/// What a plugin says of its own deny, for the client to be told (MQTT 5.0).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reason {
    /// A reason code from 0x80 on; whether the packet has it is for the codec to say.
    pub code: Option<u8>,
    /// The reason string: no control characters, at most as long as plugins may make it.
    pub text: Option<Box<str>>,
    /// User properties: no control characters, at most as many as plugins may add.
    pub user_properties: Vec<UserProperty>,
}

impl Reason {
    /// What it is counted as where it is kept.
    pub fn bytes(&self) -> usize {
        let user = self.user_properties.iter().map(|user| user.name.len() + user.value.len());
        self.text.as_ref().map_or(0, |text| text.len()) + user.sum::<usize>()
    }
}

/// The answer to whether a client may do something with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may.
    pub allowed: bool,
    /// Whether it is what plugins have said; else it is a refusal because one of them has failed or could not be asked.
    pub answered: bool,
    /// How long this answer holds: the shortest time of the plugins that were asked.
    pub cache: CacheFor,
    /// Why not, if the plugin that denied says so.
    pub reason: Option<Arc<Reason>>,
    /// It holds for every topic name that all of these match as well; where there are none, for the topic alone.
    pub extended_to: Vec<TopicFilter>,
}

impl Verdict {
    /// What holds where no plugin decides.
    pub const UNDECIDED: Self =
        Self { allowed: true, answered: true, cache: CacheFor::UntilReload, reason: None, extended_to: Vec::new() };

    /// What a fault of a plugin leads to: a refusal of this one request.
    pub(crate) const FAULT: Self =
        Self { allowed: false, answered: false, cache: CacheFor::Never, reason: None, extended_to: Vec::new() };

    /// Nothing, or what there is to be told of the refusal, which says nothing where nobody gave a reason.
    pub fn result(&self) -> Result<(), Arc<Reason>> {
        if self.allowed { Ok(()) } else { Err(self.reason.clone().unwrap_or_default()) }
    }
}

/// The answer to a CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthOutcome {
    /// The client may connect.
    Allowed,
    /// The client may not connect, and why if a plugin says so.
    Denied(Option<Box<Reason>>),
    /// Nobody could say, because a plugin failed or too many clients wait: the client may not connect now.
    Failed,
}

/// A plugin had no answer: it trapped, ran out of time or could not be started. Whoever called it has said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoAnswer;

/// A plugin's vote on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vote {
    pub(crate) decision: Decision,
    pub(crate) cache: CacheFor,
    /// What it says of a deny.
    pub(crate) reason: Option<Arc<Reason>>,
    /// It is the same for every topic name that this matches.
    pub(crate) extended_to: Option<TopicFilter>,
}

/// A plugin's vote on a CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthVote {
    pub(crate) decision: Decision,
    /// What it says of a deny.
    pub(crate) reason: Option<Box<Reason>>,
}

/// The votes on one topic so far: one allow is needed, the first deny ends it, and no answer is a deny.
#[derive(Debug, Clone, Default)]
pub(crate) struct Votes {
    verdict: Option<Verdict>,
    closed: bool,
}

impl Votes {
    /// Counts a plugin's vote.
    pub(crate) fn add(&mut self, vote: Result<Vote, NoAnswer>) {
        let Ok(vote) = vote else {
            *self = Self { verdict: Some(Verdict::FAULT), closed: true };
            return;
        };
        let Vote { decision, cache, reason, extended_to } = vote;
        let is_first = self.verdict.is_none();
        let none = || Verdict { allowed: false, ..Verdict::UNDECIDED };
        let verdict = self.verdict.get_or_insert_with(none);
        verdict.cache = verdict.cache.min(cache);
        match extended_to {
            // A veto asks nobody for agreement.
            filter if is_first || decision == Decision::Deny => verdict.extended_to = filter.into_iter().collect(),
            Some(filter) if !verdict.extended_to.is_empty() && verdict.extended_to.len() < EXTENSIONS_MAX => {
                verdict.extended_to.push(filter);
            }
            Some(_) | None => verdict.extended_to.clear(),
        }
        match decision {
            Decision::Deny => {
                verdict.allowed = false;
                verdict.reason = reason;
                self.closed = true;
            }
            Decision::Allow => verdict.allowed = true,
            Decision::Abstain => {}
        }
    }

    /// Whether no further vote counts.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The answer. Where nobody was asked, every topic is allowed.
    pub(crate) fn verdict(self) -> Verdict {
        self.verdict.unwrap_or(Verdict::UNDECIDED)
    }
}

/// Asks for votes on a topic in order until one ends it.
pub(crate) fn combine_topic(votes: impl Iterator<Item = Result<Vote, NoAnswer>>) -> Verdict {
    let mut votes_so_far = Votes::default();
    for vote in votes {
        votes_so_far.add(vote);
        if votes_so_far.is_closed() {
            break;
        }
    }
    votes_so_far.verdict()
}

/// Asks for votes on a CONNECT in order until one denies; one allow is needed.
///
/// Where there is nobody to ask, nobody may connect.
pub(crate) fn combine_auth(votes: impl Iterator<Item = Result<AuthVote, NoAnswer>>) -> AuthOutcome {
    let mut outcome = AuthOutcome::Denied(None);
    for vote in votes {
        match vote {
            Err(NoAnswer) => return AuthOutcome::Failed,
            Ok(AuthVote { decision: Decision::Deny, reason }) => return AuthOutcome::Denied(reason),
            Ok(AuthVote { decision: Decision::Allow, .. }) => outcome = AuthOutcome::Allowed,
            Ok(AuthVote { decision: Decision::Abstain, .. }) => {}
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a`llow, `d`eny, `-` abstain, `!` no answer.
    fn decisions(script: &str) -> impl Iterator<Item = Result<Decision, NoAnswer>> {
        script.chars().map(|c| match c {
            'a' => Ok(Decision::Allow),
            'd' => Ok(Decision::Deny),
            '-' => Ok(Decision::Abstain),
            _ => Err(NoAnswer),
        })
    }

    #[test]
    fn auth_needs_an_allow_and_stops_at_the_first_deny() {
        use AuthOutcome::{Allowed, Failed};
        const DENIED: AuthOutcome = AuthOutcome::Denied(None);
        for (script, expected) in [
            ("", DENIED),
            ("-", DENIED),
            ("--", DENIED),
            ("a", Allowed),
            ("-a", Allowed),
            ("a-", Allowed),
            ("d", DENIED),
            ("ad", DENIED),
            ("da", DENIED),
            ("d!", DENIED),
            ("!", Failed),
            ("a!", Failed),
            ("!a", Failed),
            ("!d", Failed),
        ] {
            let votes = decisions(script).map(|vote| vote.map(|decision| AuthVote { decision, reason: None }));
            assert_eq!(combine_auth(votes), expected, "{script:?}");
        }
    }

    #[test]
    fn topics_need_an_allow_unless_nobody_decides() {
        use CacheFor::{Never, Seconds, UntilReload};
        let check = |votes: &[(char, CacheFor)], allowed: bool, cache: CacheFor| {
            let asked = votes.iter().map(|&(c, cache)| {
                let decision = decisions(&c.to_string()).next().expect("one character is one vote")?;
                Ok(Vote { decision, cache, reason: None, extended_to: None })
            });
            let answered = votes.iter().all(|(vote, _)| *vote != '!');
            assert_eq!(combine_topic(asked), Verdict { allowed, answered, cache, ..Verdict::UNDECIDED }, "{votes:?}");
        };
        check(&[], true, UntilReload);
        check(&[('-', UntilReload)], false, UntilReload);
        check(&[('a', UntilReload)], true, UntilReload);
        check(&[('a', Seconds(5)), ('a', UntilReload)], true, Seconds(5));
        check(&[('a', UntilReload), ('-', Seconds(5))], true, Seconds(5));
        check(&[('-', Seconds(5)), ('a', Seconds(9))], true, Seconds(5));
        check(&[('a', Never), ('d', Seconds(5))], false, Never);
        check(&[('d', Seconds(5)), ('a', Never)], false, Seconds(5));
        check(&[('!', UntilReload), ('a', UntilReload)], false, Never);
        check(&[('a', UntilReload), ('!', UntilReload)], false, Never);
    }

    #[test]
    fn a_reason_is_that_of_the_plugin_that_denied() {
        let reason = |code| Reason { code: Some(code), ..Reason::default() };
        let vote = |decision, code| Ok(AuthVote { decision, reason: Some(Box::new(reason(code))) });
        let votes = [vote(Decision::Allow, 1), vote(Decision::Deny, 2), vote(Decision::Deny, 3)];
        assert_eq!(combine_auth(votes.into_iter()), AuthOutcome::Denied(Some(Box::new(reason(2)))));
        let vote = |decision, code| {
            let reason = Some(Arc::new(reason(code)));
            Ok(Vote { decision, cache: CacheFor::Never, reason, extended_to: None })
        };
        let votes = [vote(Decision::Allow, 1), vote(Decision::Deny, 2), vote(Decision::Deny, 3)];
        assert_eq!(combine_topic(votes.into_iter()).reason, Some(Arc::new(reason(2))));
        assert_eq!(combine_topic([vote(Decision::Abstain, 1)].into_iter()).reason, None);
    }

    #[test]
    fn an_answer_is_extended_to_what_all_agree_on_and_a_veto_to_what_it_says() {
        let check = |script: &[(char, &str)], expected: &[&str]| {
            let asked = script.iter().map(|&(c, filter)| {
                let decision = decisions(&c.to_string()).next().expect("one character is one vote")?;
                let extended_to = TopicFilter::new(filter).ok();
                Ok(Vote { decision, cache: CacheFor::UntilReload, reason: None, extended_to })
            });
            let extended_to = combine_topic(asked).extended_to;
            let filters: Vec<_> = extended_to.iter().map(TopicFilter::as_str).collect();
            assert_eq!(filters, expected, "{script:?}");
        };
        check(&[('a', "a/#")], &["a/#"]);
        check(&[('a', "")], &[]);
        check(&[('a', "a/#"), ('-', "+/b")], &["a/#", "+/b"]);
        check(&[('-', "a/#"), ('a', "")], &[]);
        check(&[('-', ""), ('a', "a/#")], &[]);
        check(&[('a', ""), ('a', "a/#"), ('a', "b")], &[]);
        check(&[('a', "a/#"), ('d', "a/b/#")], &["a/b/#"]);
        check(&[('a', "a/#"), ('d', "")], &[]);
        check(&[('a', ""), ('d', "a/b/#")], &["a/b/#"]);
        check(&[('a', "a/#"), ('!', "a/#")], &[]);
        check(&[('a', "#"); EXTENSIONS_MAX], &["#"; EXTENSIONS_MAX]);
        check(&[('a', "#"); EXTENSIONS_MAX + 1], &[]);
    }

    #[test]
    fn seconds_of_the_interface_have_two_special_values() {
        assert_eq!(CacheFor::from_seconds(0), CacheFor::Never);
        assert_eq!(CacheFor::from_seconds(1), CacheFor::Seconds(1));
        assert_eq!(CacheFor::from_seconds(u32::MAX), CacheFor::UntilReload);
    }
}
