use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::event_queues::EventQueues;
use super::limits::{FAULT_LOG_BURST, FAULT_LOG_PER_SECOND, FAULTS_COUNTED_MAX, FAULTS_WINDOW};
use super::loaded::Loaded;
use super::suspects::{Suspects, network_name};
use super::wasm::Fault;
use super::{Event, EventKind};
use crate::types::{ClientInfo, TokenBucket};

/// What a plugin was called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Auth,
    EnhancedAuth,
    TopicCheck,
    Events,
    /// An event of the kind `PluginFault`: a fault in one of these is not told again, or it would never end.
    EventsAboutFaults,
    Ticks,
    Init,
    Stop,
}

impl Call {
    /// The hook in the plugin interface.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::EnhancedAuth => "enhanced-auth",
            Self::TopicCheck => "topic-check",
            Self::Events => "events",
            Self::EventsAboutFaults => "events (plugin-fault)",
            Self::Ticks => "ticks",
            Self::Init => "init",
            Self::Stop => "stop",
        }
    }

    /// Whether a client waits for what the plugin says.
    pub(crate) fn decides(self) -> bool {
        matches!(self, Self::Auth | Self::EnhancedAuth | Self::TopicCheck)
    }
}

/// Counts the faults of one plugin, over all its instances and for as long as the broker runs, and says them.
pub(crate) struct Faults {
    count: AtomicU64,
    /// When the last ones were.
    recent: Mutex<VecDeque<Instant>>,
    log_rate: Mutex<TokenBucket>,
    /// Whether the log has said that the time for a call can be set.
    deadline_told: AtomicBool,
    events: Arc<EventQueues>,
    suspects: Arc<Suspects>,
}

impl Faults {
    pub(crate) fn new(events: Arc<EventQueues>, suspects: Arc<Suspects>) -> Self {
        let log_rate = Mutex::new(TokenBucket::new(FAULT_LOG_BURST, FAULT_LOG_PER_SECOND));
        let deadline_told = AtomicBool::new(false);
        Self { count: AtomicU64::new(0), recent: Mutex::default(), log_rate, deadline_told, events, suspects }
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Takes note of a fault in a call that `client` has caused, if anybody has, and draws the conclusions.
    pub(super) fn report(&self, plugin: &Loaded, call: Call, client: Option<&ClientInfo>, fault: &Fault) {
        let now = Instant::now();
        let address = client.map(|client| client.address());
        let mut text = fault.in_hook(call.name());
        if let Some(client) = client {
            // Writing to a string does not fail, here and below.
            let _ = write!(text, ", for client {:?} at {}", client.client_id, client.address());
        }
        let mut conclusions = String::new();
        if let Some(wait) = plugin.circuit(call).failed(address, now) {
            let what = if call.decides() { "called only for" } else { "no ticks, and events only of" };
            let _ = write!(conclusions, ": {what} addresses that have not made it fail, for {wait:?}");
        }
        // Also while the circuit is open: who knows a call that fails must not be the one to find out, time and again, whether
        // the plugin works.
        if let Some(address) = address.filter(|_| call.decides()) {
            let took = if let Fault::TimedOut(limit) = fault { *limit } else { Duration::ZERO };
            let wait = self.suspects.blame(address, took, now);
            let _ = write!(conclusions, ": requests of {} are put {wait:?} apart", network_name(address));
        }
        self.note(plugin, call, fault, &text, &conclusions, now);
    }

    /// Takes note that a fresh instance did not start, and that the plugin is left alone for a while.
    pub(super) fn report_start(&self, plugin: &Loaded, fault: &Fault, wait: Duration) {
        let conclusions = format!(": not called for {wait:?}");
        let text = fault.in_hook(Call::Init.name());
        self.note(plugin, Call::Init, fault, &text, &conclusions, Instant::now());
    }

    fn note(&self, plugin: &Loaded, call: Call, fault: &Fault, text: &str, conclusions: &str, now: Instant) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let recent = ordinal(count_recent(&mut self.recent.lock(), now));
        let text = format!("{plugin} {text} ({recent} fault in {} s){conclusions}", FAULTS_WINDOW.as_secs());
        if self.log_rate.lock().take(now) {
            // No setting has `init` take longer.
            let has_passed = matches!(fault, Fault::TimedOut(_)) && call != Call::Init;
            let tells = has_passed && !self.deadline_told.swap(true, Ordering::Relaxed);
            let hint = if tells { "; hint: `deadline` in its entry sets another limit" } else { "" };
            tracing::error!("{text}{hint}");
        }
        if call != Call::EventsAboutFaults {
            let mut event = Event::new(EventKind::PluginFault);
            event.reason = Some(text.into());
            self.events.put(event);
        }
    }
}

/// Adds a fault at `now`, and says how many there were lately.
fn count_recent(recent: &mut VecDeque<Instant>, now: Instant) -> usize {
    while recent.front().is_some_and(|&then| now.saturating_duration_since(then) > FAULTS_WINDOW) {
        recent.pop_front();
    }
    if recent.len() >= FAULTS_COUNTED_MAX {
        recent.pop_front();
    }
    recent.push_back(now);
    recent.len()
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (1, teens) if teens != 11 => "st",
        (2, teens) if teens != 12 => "nd",
        (3, teens) if teens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals() {
        let ordinals = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111, 113].map(ordinal);
        assert_eq!(ordinals, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th", "113th"]);
    }

    #[test]
    fn faults_of_long_ago_do_not_count_as_recent() {
        let (mut recent, now) = (VecDeque::new(), Instant::now());
        assert_eq!([count_recent(&mut recent, now), count_recent(&mut recent, now)], [1, 2]);
        assert_eq!(count_recent(&mut recent, now + FAULTS_WINDOW), 3);
        assert_eq!(count_recent(&mut recent, now + FAULTS_WINDOW + Duration::from_secs(1)), 2);
        assert_eq!((0..1_000).map(|_| count_recent(&mut recent, now)).max(), Some(FAULTS_COUNTED_MAX));
    }
}
