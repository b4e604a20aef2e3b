//! How the votes of several plugins become one answer.

/// A plugin's answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allow,
    Deny,
    Abstain,
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

/// The answer to whether a client may do something with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may.
    pub allowed: bool,
    /// How long this answer holds: the shortest time of the plugins that were asked.
    pub cache: CacheFor,
}

impl Verdict {
    /// What holds where no plugin decides.
    pub const UNDECIDED: Self = Self { allowed: true, cache: CacheFor::UntilReload };

    /// What a fault of a plugin leads to: a refusal of this one request.
    pub(crate) const FAULT: Self = Self { allowed: false, cache: CacheFor::Never };
}

/// The answer to a CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthOutcome {
    /// The client may connect.
    Allowed,
    /// The client may not connect.
    Denied,
    /// Nobody could say, because a plugin failed or too many clients wait: the client may not connect now.
    Failed,
}

/// A plugin had no answer: it trapped, ran out of time or could not be started. Whoever called it has said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoAnswer;

/// A plugin's vote on a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vote {
    pub(crate) decision: Decision,
    pub(crate) cache: CacheFor,
}

/// Asks for votes on a topic in order until one denies; one allow is needed, and no answer is a deny.
///
/// Where there is nobody to ask, every topic is allowed.
pub(crate) fn combine_topic(votes: impl Iterator<Item = Result<Vote, NoAnswer>>) -> Verdict {
    let mut verdict = None;
    for vote in votes {
        let Ok(vote) = vote else { return Verdict::FAULT };
        let so_far = verdict.unwrap_or(Verdict { allowed: false, cache: CacheFor::UntilReload });
        let cache = so_far.cache.min(vote.cache);
        match vote.decision {
            Decision::Deny => return Verdict { allowed: false, cache },
            Decision::Allow => verdict = Some(Verdict { allowed: true, cache }),
            Decision::Abstain => verdict = Some(Verdict { cache, ..so_far }),
        }
    }
    verdict.unwrap_or(Verdict::UNDECIDED)
}

/// Asks for votes on a CONNECT in order until one denies; one allow is needed.
///
/// Where there is nobody to ask, nobody may connect.
pub(crate) fn combine_auth(votes: impl Iterator<Item = Result<Decision, NoAnswer>>) -> AuthOutcome {
    let mut outcome = AuthOutcome::Denied;
    for vote in votes {
        match vote {
            Err(NoAnswer) => return AuthOutcome::Failed,
            Ok(Decision::Deny) => return AuthOutcome::Denied,
            Ok(Decision::Allow) => outcome = AuthOutcome::Allowed,
            Ok(Decision::Abstain) => {}
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
        use AuthOutcome::{Allowed, Denied, Failed};
        for (script, expected) in [
            ("", Denied),
            ("-", Denied),
            ("--", Denied),
            ("a", Allowed),
            ("-a", Allowed),
            ("a-", Allowed),
            ("d", Denied),
            ("ad", Denied),
            ("da", Denied),
            ("d!", Denied),
            ("!", Failed),
            ("a!", Failed),
            ("!a", Failed),
            ("!d", Failed),
        ] {
            assert_eq!(combine_auth(decisions(script)), expected, "{script:?}");
        }
    }

    #[test]
    fn topics_need_an_allow_unless_nobody_decides() {
        use CacheFor::{Never, Seconds, UntilReload};
        let check = |votes: &[(char, CacheFor)], allowed: bool, cache: CacheFor| {
            let asked = votes.iter().map(|&(c, cache)| {
                let decision = decisions(&c.to_string()).next().expect("one character is one vote")?;
                Ok(Vote { decision, cache })
            });
            assert_eq!(combine_topic(asked), Verdict { allowed, cache }, "{votes:?}");
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
    fn seconds_of_the_interface_have_two_special_values() {
        assert_eq!(CacheFor::from_seconds(0), CacheFor::Never);
        assert_eq!(CacheFor::from_seconds(1), CacheFor::Seconds(1));
        assert_eq!(CacheFor::from_seconds(u32::MAX), CacheFor::UntilReload);
    }
}
