use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::back_off::BackOff;
use super::limits::{CIRCUIT_SOURCES, SITE_BITS};

/// Whether a plugin is called, by all threads together.
///
/// It opens when every call fails, whoever asks: faults in a row, each caused by another address, of IPv6 by another
/// site. One peer alone cannot bring that about. While it is open, plugins are not called and every decision is a deny;
/// after a while one call is let through to see.
#[derive(Default)]
pub(crate) struct Circuit {
    /// Read without the lock: whether there was a fault since the last success.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who caused the faults since the last success, each once; none: the broker itself.
    sources: Vec<Option<IpAddr>>,
    open_until: Option<Instant>,
    /// The one call is on its way.
    trying: bool,
    back_off: BackOff,
}

impl Circuit {
    /// Whether a call may be made now.
    pub(crate) fn lets_through(&self) -> bool {
        !self.troubled.load(Ordering::Relaxed) || self.state.lock().lets_through(Instant::now())
    }

    /// The call that was let through was not made: another may be.
    pub(crate) fn was_not_tried(&self) {
        if self.troubled.load(Ordering::Relaxed) {
            self.state.lock().trying = false;
        }
    }

    /// A call gave an answer.
    pub(crate) fn succeeded(&self) {
        if self.troubled.load(Ordering::Relaxed) {
            let mut state = self.state.lock();
            *state = State::default();
            self.troubled.store(false, Ordering::Relaxed);
        }
    }

    /// A call failed that `source` had caused. Says for how long the plugin is not called, if it is not.
    pub(crate) fn failed(&self, source: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let mut state = self.state.lock();
        self.troubled.store(true, Ordering::Relaxed);
        state.failed(source.map(site), now)
    }
}

impl State {
    fn lets_through(&mut self, now: Instant) -> bool {
        match self.open_until {
            None => true,
            Some(until) if now >= until && !self.trying => {
                self.trying = true;
                true
            }
            Some(_) => false,
        }
    }

    fn failed(&mut self, source: Option<IpAddr>, now: Instant) -> Option<Duration> {
        if self.open_until.is_none() {
            if source.is_none() || !self.sources.contains(&source) {
                self.sources.push(source);
            }
            if self.sources.len() < CIRCUIT_SOURCES {
                return None;
            }
        } else if !std::mem::take(&mut self.trying) {
            // It was under way when the circuit opened.
            return None;
        }
        let (wait, until) = self.back_off.failed(now);
        self.open_until = Some(until);
        Some(wait)
    }
}

/// What one peer may have all of: an address, of IPv6 many networks.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> SITE_BITS)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(number: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, number]))
    }

    #[test]
    fn one_address_never_opens_it() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        assert!((0..1_000).all(|_| circuit.failed(from(1), now).is_none()));
        // Who has one address of IPv6 has 2^64, and who has one network of it often some thousand.
        let of_one_host = |number| Some(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, number]));
        let of_one_site = |number| Some(IpAddr::from([0x2001, 0xdb8, 0, number, 0, 0, 0, 1]));
        assert!((0..1_000).all(|number| circuit.failed(of_one_host(number), now).is_none()));
        assert!((0..1_000).all(|number| circuit.failed(of_one_site(number), now).is_none()));
        assert!(circuit.lets_through());
        let of_another_site = |number| Some(IpAddr::from([0x2001, 0xdb8, number, 0, 0, 0, 0, 1]));
        assert!((1..100).any(|number| circuit.failed(of_another_site(number), now).is_some()));
    }

    #[test]
    fn it_opens_when_everybody_fails_and_a_success_between_counts_from_the_start() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        let fail = |count| (0..count).filter_map(|number| circuit.failed(from(number as u8), now)).last();
        assert_eq!(fail(CIRCUIT_SOURCES - 1), None);
        circuit.succeeded();
        assert_eq!(fail(CIRCUIT_SOURCES - 1), None);
        assert_eq!(fail(CIRCUIT_SOURCES), Some(Duration::from_secs(1)));
        assert!(!circuit.lets_through());
    }

    #[test]
    fn what_nobody_outside_causes_counts_each_time() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        let opened = (0..CIRCUIT_SOURCES).filter_map(|_| circuit.failed(None, now)).count();
        assert_eq!(opened, 1);
    }

    #[test]
    fn one_call_is_let_through_after_a_while_which_doubles() {
        let now = Instant::now();
        let mut state = State::default();
        let opened = (0..CIRCUIT_SOURCES).filter_map(|_| state.failed(None, now)).last();
        assert_eq!(opened, Some(Duration::from_secs(1)));
        assert_eq!(state.failed(None, now), None, "under way when it opened");
        assert!(!state.lets_through(now));
        let later = now + Duration::from_secs(1);
        assert_eq!([state.lets_through(later), state.lets_through(later)], [true, false]);
        assert_eq!(state.failed(from(1), later), Some(Duration::from_secs(2)));
        assert!(!state.lets_through(later + Duration::from_secs(1)));
        assert!(state.lets_through(later + Duration::from_secs(2)));
    }
}
