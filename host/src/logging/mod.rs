//! The log on standard error, in the form that amqtt users know: `[time] :: LEVEL - message`.

mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Write;
use std::sync::Arc;
use std::{io, panic, thread};

use amqtt::config::LogLevel;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, reload};

use self::queue::Queue;

/// Starts to log on standard error, which whoever logs waits for; gives what changes the level.
pub(crate) fn start(level: LogLevel) -> impl Fn(LogLevel) {
    start_with(level, io::stderr)
}

/// The same for who waits for nobody: lines are written by a thread of their own, panics too.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start_aside(level: LogLevel) -> io::Result<(Aside, impl Fn(LogLevel))> {
    let queue = Queue::start(io::stderr(), missing)?;
    let of_panics = Arc::clone(&queue);
    panic::set_hook(Box::new(move |panic| {
        let thread = thread::current();
        let text = format!("thread `{}` {panic}", thread.name().unwrap_or("without a name"));
        of_panics.push(line(&Level::ERROR, &text).as_bytes());
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            of_panics.push(format!("{backtrace}\n").as_bytes());
        }
    }));
    let set_level = start_with(level, Arc::clone(&queue));
    Ok((Aside(queue), set_level))
}

/// A log that is written by a thread of its own. When this is dropped, what was logged before is written, as far as
/// somebody takes it within a second.
pub(crate) struct Aside(Arc<Queue>);

impl Aside {
    /// Writes what is no event: a last word of the process.
    pub(crate) fn write(&self, text: &str) {
        self.0.push(text.as_bytes());
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.finish();
    }
}

fn missing(lines: u64) -> String {
    line(
        &Level::WARN,
        &format!("{lines} lines of the log were left out: it is not read fast enough, or cannot be written"),
    )
}

fn start_with<W>(level: LogLevel, writer: W) -> impl Fn(LogLevel) + use<W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter_layer, handle) = reload::Layer::new(filter(level));
    let lines = fmt::layer().with_ansi(false).with_writer(writer).event_format(Line);
    tracing_subscriber::registry().with(filter_layer).with(lines).init();
    move |level| {
        if let Err(error) = handle.reload(filter(level)) {
            tracing::error!("the log level stays as it was: {error}");
        }
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

/// One event as one line, whatever a client put into a name.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        begin(&mut writer, event.metadata().level())?;
        let mut escaped = Escaped(&mut writer);
        context.field_format().format_fields(Writer::new(&mut escaped), event)?;
        writer.write_char('\n')
    }
}

/// The time and the level of a line.
fn begin(writer: &mut Writer<'_>, level: &Level) -> std::fmt::Result {
    writer.write_char('[')?;
    // Universal time: logs of several machines can be compared.
    SystemTime.format_time(writer)?;
    write!(writer, "] :: {level} - ")
}

/// A line that is no event.
fn line(level: &Level, text: &str) -> String {
    let mut line = String::new();
    let mut writer = Writer::new(&mut line);
    // Writing to a string does not fail.
    let _ = begin(&mut writer, level).and_then(|()| Escaped(&mut writer).write_str(text));
    line + "\n"
}

/// Lets no control character through: a line break would make a line that the broker never wrote.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let mut clean_from = 0;
        for (index, c) in text.char_indices().filter(|(_, c)| c.is_control()) {
            self.0.write_str(&text[clean_from..index])?;
            write!(self.0, "{}", c.escape_default())?;
            clean_from = index + c.len_utf8();
        }
        self.0.write_str(&text[clean_from..])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_event_is_one_line_in_the_form_of_amqtt() {
        let kept = tempfile::NamedTempFile::new().expect("a file");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(LevelFilter::INFO)
            .with_writer(Arc::new(kept.reopen().expect("is there")))
            .event_format(Line)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(client = "c1", "refused `a\n[2000] :: INFO - fake\u{1b}[31m`");
            tracing::debug!("not told");
        });
        let log = std::fs::read_to_string(kept.path()).expect("text");
        let (time, message) = log.split_once("] :: ").expect("has a time");
        assert!(time.starts_with("[2") && time.ends_with('Z'), "{log}");
        assert_eq!(message, "WARN - refused `a\\n[2000] :: INFO - fake\\x1b[31m` client=\"c1\"\n");
    }
}
