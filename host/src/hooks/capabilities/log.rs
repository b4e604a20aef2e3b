use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tracing::Level;

use crate::hooks::excess::{Cause, Limit, PluginExcess};
use crate::hooks::limits::{LOG_BURST, LOG_MESSAGE_BYTES_MAX, LOG_PER_SECOND, LOGGER_BURST, LOGGER_PER_SECOND};
use crate::types::TokenBucket;

/// How important a message is.
pub(crate) type LogLevel = Level;

/// The capability `log`: lines in the broker's log under the plugin's name.
pub(crate) struct PluginLog {
    plugin: Arc<str>,
    limit: Limit,
    rate: Mutex<TokenBucket>,
    excess: Arc<PluginExcess>,
}

/// Writes with a level that is only known while running, which the macros of `tracing` do not take.
macro_rules! at_level {
    ($level:expr, $macro:ident!($($arguments:tt)*)) => {
        match $level {
            Level::ERROR => tracing::$macro!(target: TARGET, Level::ERROR, $($arguments)*),
            Level::WARN => tracing::$macro!(target: TARGET, Level::WARN, $($arguments)*),
            Level::INFO => tracing::$macro!(target: TARGET, Level::INFO, $($arguments)*),
            Level::DEBUG => tracing::$macro!(target: TARGET, Level::DEBUG, $($arguments)*),
            Level::TRACE => tracing::$macro!(target: TARGET, Level::TRACE, $($arguments)*),
        }
    };
}

/// What the lines of plugins are filtered by.
const TARGET: &str = "amqtt::plugin";

impl PluginLog {
    /// For a plugin that writes a line now and then.
    pub(crate) fn new(plugin: Arc<str>, excess: Arc<PluginExcess>) -> Self {
        Self::with_rate(plugin, LOG_BURST, LOG_PER_SECOND, excess)
    }

    /// For a plugin of the broker's own that does nothing but write lines.
    pub(crate) fn of_logger(plugin: Arc<str>, excess: Arc<PluginExcess>) -> Self {
        Self::with_rate(plugin, LOGGER_BURST, LOGGER_PER_SECOND, excess)
    }

    fn with_rate(plugin: Arc<str>, burst: u32, per_second: u32, excess: Arc<PluginExcess>) -> Self {
        let rate = Mutex::new(TokenBucket::new(burst, per_second));
        Self { plugin, limit: Limit::Rate { burst, per_second }, rate, excess }
    }

    /// Whether messages of this level are written at all.
    pub(crate) fn enabled(&self, level: LogLevel) -> bool {
        at_level!(level, enabled!(plugin))
    }

    /// Writes one message as one line. Beyond the rate, messages are left out, counted, and told of with the hook that wrote
    /// them.
    pub(crate) fn write(&self, level: LogLevel, message: &str, hook: Option<&'static str>) {
        if !self.enabled(level) {
            return;
        }
        if !self.rate.lock().take(Instant::now()) {
            return self.excess.log_line(Cause { hook, limit: self.limit });
        }
        let plugin = &*self.plugin;
        let message = escape_within(message, LOG_MESSAGE_BYTES_MAX);
        at_level!(level, event!(plugin, "{message}"));
    }
}

/// Cuts a text at a bound in bytes, between two characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Makes control characters visible, so that a message stays one line and cannot command a terminal.
pub fn escape(text: &str) -> String {
    escape_within(text, usize::MAX)
}

/// The same, as far as it fits into a bound in bytes: a character is there, or its escape is, as a whole or not at all.
pub(crate) fn escape_within(text: &str, bytes_max: usize) -> String {
    let mut escaped = String::with_capacity(text.len().min(bytes_max));
    for character in text.chars() {
        let fits = escaped.len();
        push_escaped(&mut escaped, character);
        if escaped.len() > bytes_max {
            escaped.truncate(fits);
            break;
        }
    }
    escaped
}

fn push_escaped(escaped: &mut String, character: char) {
    match character {
        '\n' => escaped.push_str("\\n"),
        '\t' => escaped.push_str("\\t"),
        '\r' => escaped.push_str("\\r"),
        c if is_command(c) => {
            // Writing to a string does not fail.
            let _ = write!(escaped, "\\u{{{:x}}}", u32::from(c));
        }
        c => escaped.push(c),
    }
}

/// Whether a character does something to a terminal, in place of being shown.
pub(crate) fn is_command(c: char) -> bool {
    // The others turn the direction of text around or are line ends in disguise.
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        for (text, expected) in [
            ("plain ünïcödé 雪 `\\`", "plain ünïcödé 雪 `\\`"),
            ("a\nERROR - forged\r\n", "a\\nERROR - forged\\r\\n"),
            ("\x1b[31mred\x07\0", "\\u{1b}[31mred\\u{7}\\u{0}"),
            ("\u{85}\u{9b}2J\u{202e}\u{2028}", "\\u{85}\\u{9b}2J\\u{202e}\\u{2028}"),
            ("tab\there", "tab\\there"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("longer than that", 10), "longer tha");
        assert_eq!(cut("雪雪雪雪", 10), "雪雪雪");
    }

    #[test]
    fn what_is_escaped_fits_its_bound_and_no_escape_is_cut_in_two() {
        assert_eq!(escape_within("a\nb", 4), "a\\nb");
        assert_eq!(escape_within("a\nb", 3), "a\\n");
        assert_eq!(escape_within("a\nb", 2), "a");
        assert_eq!(escape_within("a\0b", 5), "a");
        assert_eq!(escape_within("雪雪", 5), "雪");
        assert_eq!(escape_within(&"\0".repeat(1_024), 1_024), "\\u{0}".repeat(204));
        assert_eq!(escape_within("", 0), "");
    }

    #[test]
    fn the_loggers_may_write_more_than_others() {
        let left_out = |log: PluginLog| {
            let mut rate = log.rate.lock();
            let start = Instant::now();
            (0..LOGGER_BURST).filter(|_| !rate.take(start)).count()
        };
        let excess = || Arc::new(PluginExcess::new("p".into()));
        assert_eq!(left_out(PluginLog::of_logger("event_logger".into(), excess())), 0);
        assert_eq!(left_out(PluginLog::new("other".into(), excess())), (LOGGER_BURST - LOG_BURST) as usize);
    }
}
