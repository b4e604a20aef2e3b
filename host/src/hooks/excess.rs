use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::limits::EXCESS_TOLD_INTERVAL;

/// What plugins do past their limits, of which nothing comes: counted by plugin for as long as the broker runs, whatever
/// is loaded, and told in the log.
#[derive(Default)]
pub(crate) struct Excesses {
    by_plugin: Mutex<BTreeMap<Arc<str>, Arc<PluginExcess>>>,
}

impl Excesses {
    /// That of one plugin.
    pub(crate) fn of(&self, plugin: &Arc<str>) -> Arc<PluginExcess> {
        let mut by_plugin = self.by_plugin.lock();
        let new = || Arc::new(PluginExcess::new(Arc::clone(plugin)));
        Arc::clone(by_plugin.entry(Arc::clone(plugin)).or_insert_with(new))
    }

    /// The counters of all.
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        let by_plugin = self.by_plugin.lock();
        let counters_of = |name: &str, of: fn(&PluginExcess) -> &Excess| {
            let counts = || by_plugin.iter().map(|(plugin, excess)| (plugin, of(excess).count()));
            let of_all = (name.to_owned(), counts().map(|(_, count)| count).sum());
            let of_each = counts().map(|(plugin, count)| (format!("{name}/{plugin}"), count));
            std::iter::once(of_all).chain(of_each).collect::<Vec<_>>()
        };
        let mut counters = counters_of("plugin-log-lines-dropped", |excess| &excess.log_lines);
        counters.extend(counters_of("plugin-publishes-refused", |excess| &excess.publishes));
        counters
    }

    /// Tells of what has come since it was told last, where that is long ago.
    pub(crate) fn tell_rest(&self, now: Instant) {
        self.tell(|last| now.saturating_duration_since(last) >= EXCESS_TOLD_INTERVAL);
    }

    /// Tells of all of it, at the end.
    pub(crate) fn tell_all(&self) {
        self.tell(|_| true);
    }

    fn tell(&self, is_due: impl Fn(Instant) -> bool) {
        let all: Vec<_> = self.by_plugin.lock().values().map(Arc::clone).collect();
        for excess in all {
            for kind in [&excess.log_lines, &excess.publishes] {
                kind.tell_rest(&excess.plugin, &is_due);
            }
        }
    }
}

/// The part of one plugin, all its instances together.
pub(crate) struct PluginExcess {
    plugin: Arc<str>,
    log_lines: Excess,
    publishes: Excess,
}

impl PluginExcess {
    pub(crate) fn new(plugin: Arc<str>) -> Self {
        let log_lines = Excess::new(Words {
            does: "writes more to the log",
            what: "log messages are left out",
            one: "log message was left out",
            many: "log messages were left out",
            hint: "set `log-level` to what matters more, or have its author write less",
        });
        let publishes = Excess::new(Words {
            does: "publishes more",
            what: "its messages are refused with `limited`",
            one: "message was refused",
            many: "messages were refused",
            hint: "have its author publish less, and what was refused once more later",
        });
        Self { plugin, log_lines, publishes }
    }

    /// Takes note of a log message that was left out.
    pub(crate) fn log_line(&self, cause: Cause) {
        self.log_lines.note(&self.plugin, cause, Instant::now());
    }

    /// Takes note of a message that was not published.
    pub(crate) fn publish(&self, cause: Cause) {
        self.publishes.note(&self.plugin, cause, Instant::now());
    }
}

/// In which hook, where that is known, and past which limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    pub(crate) hook: Option<&'static str>,
    pub(crate) limit: Limit,
}

/// What was too much.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    /// So many at once, and so many per second in the long run.
    Rate { burst: u32, per_second: u32 },
    /// As many as the broker has room for at the moment.
    Room,
}

/// The text continues `it does more `.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(hook) = self.hook {
            write!(f, "in {hook} ")?;
        }
        match self.limit {
            Limit::Rate { burst, per_second } => {
                write!(f, "than it may, {burst} at once and then {per_second} per second")
            }
            Limit::Room => f.write_str("than there is room for in the broker at the moment"),
        }
    }
}

/// One kind of it.
struct Excess {
    words: Words,
    count: AtomicU64,
    told: Mutex<Option<Told>>,
}

/// What the log says of one kind.
struct Words {
    does: &'static str,
    what: &'static str,
    one: &'static str,
    many: &'static str,
    hint: &'static str,
}

/// What the log has said.
struct Told {
    last: Instant,
    /// How many it knows of.
    count: u64,
    /// Of the last one, told or not.
    cause: Cause,
}

impl Excess {
    fn new(words: Words) -> Self {
        Self { words, count: AtomicU64::new(0), told: Mutex::default() }
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts one more. The first one is told at once, and so is the first after a quiet time.
    fn note(&self, plugin: &str, cause: Cause, now: Instant) {
        let mut told = self.told.lock();
        // Under the lock, or a thread could tell of one that another has not told yet.
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(told) = told.as_mut() {
            told.cause = cause;
            // What is more is told together, later.
            if told.count + 1 < count || now.saturating_duration_since(told.last) < EXCESS_TOLD_INTERVAL {
                return;
            }
        }
        *told = Some(Told { last: now, count, cause });
        drop(told);
        let Words { does, what, hint, .. } = self.words;
        tracing::warn!("plugin \"{plugin}\" {does} {cause}: {what}; hint: {hint}");
    }

    fn tell_rest(&self, plugin: &str, is_due: impl Fn(Instant) -> bool) {
        let mut told = self.told.lock();
        let count = self.count();
        let Some(told_of) = told.as_mut().filter(|told| told.count < count && is_due(told.last)) else { return };
        let (more, cause, now) = (count - told_of.count, told_of.cause, Instant::now());
        *told_of = Told { last: now, count, cause };
        drop(told);
        let Words { does, one, many, .. } = self.words;
        let were = if more == 1 { one } else { many };
        tracing::warn!("plugin \"{plugin}\" {does} {cause}: {more} more {were} since that was told");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hooks::tests::log;

    const RATE: Limit = Limit::Rate { burst: 20, per_second: 10 };

    fn cause(hook: &'static str) -> Cause {
        Cause { hook: Some(hook), limit: RATE }
    }

    #[test]
    fn the_first_is_told_at_once_and_what_is_more_together_once_in_a_while() {
        log::keep();
        let (excesses, name) = (Excesses::default(), Arc::<str>::from("told_in_turns"));
        let (excess, start) = (excesses.of(&name), Instant::now());
        let mut seen = 0;
        let mut told = || {
            let lines = log::lines("told_in_turns");
            let new = lines[seen..].iter().map(|line| line[line.find("plugin").expect("is in it")..].to_owned());
            let new: Vec<_> = new.collect();
            seen = lines.len();
            new
        };
        let note = |hook, now| excess.publishes.note(&name, cause(hook), now);
        note("ticks", start);
        let first = "plugin \"told_in_turns\" publishes more in ticks than it may, 20 at once and then 10 per second: \
                     its messages are refused with `limited`; hint: have its author publish less, and what was refused once more later";
        assert_eq!(told(), [first]);
        excesses.tell_rest(start + EXCESS_TOLD_INTERVAL);
        assert!(told().is_empty(), "there is no more to tell");
        note("auth", start);
        note("auth", start);
        excesses.tell_rest(start + EXCESS_TOLD_INTERVAL - Duration::from_millis(1));
        assert!(told().is_empty(), "it is too soon");
        // Another one does not come before what waits to be told.
        let later = start + EXCESS_TOLD_INTERVAL;
        note("auth", later);
        assert!(told().is_empty());
        excesses.tell_rest(later);
        let rest = "plugin \"told_in_turns\" publishes more in auth than it may, 20 at once and then 10 per second: \
                    3 more messages were refused since that was told";
        assert_eq!(told(), [rest]);
        note("ticks", Instant::now() + EXCESS_TOLD_INTERVAL);
        assert_eq!(told(), [first], "after a quiet time");
        excess.publish(Cause { hook: None, limit: Limit::Room });
        excesses.tell_all();
        let rest = "plugin \"told_in_turns\" publishes more than there is room for in the broker at the moment: \
                    1 more message was refused since that was told";
        assert_eq!(told(), [rest]);
    }

    #[test]
    fn each_plugin_is_counted_for_itself_over_reloads() {
        let (excesses, names) = (Excesses::default(), ["a", "b"].map(Arc::<str>::from));
        excesses.of(&names[0]).log_line(cause("auth"));
        excesses.of(&names[0]).log_line(cause("auth"));
        excesses.of(&names[1]).log_line(cause("auth"));
        excesses.of(&names[1]).publish(cause("auth"));
        let counters = [
            ("plugin-log-lines-dropped", 3),
            ("plugin-log-lines-dropped/a", 2),
            ("plugin-log-lines-dropped/b", 1),
            ("plugin-publishes-refused", 1),
            ("plugin-publishes-refused/a", 0),
            ("plugin-publishes-refused/b", 1),
        ];
        assert_eq!(excesses.counters(), counters.map(|(name, count)| (name.to_owned(), count)));
    }
}
