use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::event_queue::EventQueue;
use super::limits::{FAULT_LOG_BURST, FAULT_LOG_PER_SECOND};
use super::wasm::Fault;
use super::{Event, EventKind};
use crate::types::TokenBucket;

/// Counts the faults of one plugin, over all its instances, and says them.
pub(crate) struct Faults {
    plugin: Arc<str>,
    count: AtomicU64,
    log_rate: Mutex<TokenBucket>,
    events: Arc<EventQueue>,
}

impl Faults {
    pub(crate) fn new(plugin: Arc<str>, events: Arc<EventQueue>) -> Self {
        let log_rate = Mutex::new(TokenBucket::new(FAULT_LOG_BURST, FAULT_LOG_PER_SECOND));
        Self { plugin, count: AtomicU64::new(0), log_rate, events }
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Takes note of a fault in a call of a hook.
    pub(crate) fn report(&self, hook: &'static str, fault: &Fault) {
        self.note(&fault.in_hook(hook), hook != PLUGIN_FAULT_HOOK);
    }

    /// Takes note that a fresh instance did not start, and that the plugin is left alone for a while.
    pub(crate) fn report_start(&self, fault: &Fault, wait: Duration) {
        self.note(&format!("{}: not called for {wait:?}", fault.in_hook("init")), true);
    }

    fn note(&self, text: &str, tell: bool) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.log_rate.lock().take(Instant::now()) {
            tracing::error!("plugin \"{}\" {text} ({} fault)", self.plugin, ordinal(count));
        }
        if tell {
            let reason = Some(format!("plugin \"{}\" {text}", self.plugin).into());
            let kind = EventKind::PluginFault;
            self.events.put(Event { kind, client: None, topic: None, qos: None, payload: None, reason });
        }
    }
}

/// The hook name of events of the kind `PluginFault`: a fault in one of these is not told again, or it would never end.
pub(crate) const PLUGIN_FAULT_HOOK: &str = "events (plugin-fault)";

fn ordinal(number: u64) -> String {
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
}
