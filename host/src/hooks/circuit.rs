use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ahash::RandomState;
use parking_lot::Mutex;

use super::back_off::BackOff;
use super::limits::{CIRCUIT_SITES_MAX, CIRCUIT_SOURCES, SITE_BITS};

/// Whether a plugin is called, by all threads together.
///
/// It opens after faults in a row, each caused by another address, of IPv6 by another site. While it is open, plugins are
/// called only for sites that have not made them fail since the last answer. Where some know requests that a plugin fails
/// with, others get their answers, and the first of these closes the circuit. Where every call fails, each site finds out
/// once. A rate would bound the calls as well, but whoever sends much could use it up.
///
/// What no client causes is not called while it is open. After a while everything is let through until the next fault.
#[derive(Default)]
pub(crate) struct Circuit {
    /// Read without the lock: whether there was a fault since the last success.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who has caused faults since the last success.
    sites: HashSet<IpAddr, RandomState>,
    /// Faults since then that no client has caused.
    of_nobody: usize,
    /// Set when it opens, and until the next success.
    open_until: Option<Instant>,
    back_off: BackOff,
}

impl Circuit {
    /// Whether a call may be made now in a matter of `source`; none: the broker itself.
    pub(crate) fn lets_through(&self, source: Option<IpAddr>) -> bool {
        !self.troubled.load(Ordering::Relaxed) || self.state.lock().lets_through(source.map(site), Instant::now())
    }

    /// A call gave an answer.
    pub(crate) fn succeeded(&self) {
        if self.troubled.load(Ordering::Relaxed) {
            let mut state = self.state.lock();
            *state = State::default();
            self.troubled.store(false, Ordering::Relaxed);
        }
    }

    /// A call failed that `source` had caused. Says for how long it is open from now on, if it opens.
    pub(crate) fn failed(&self, source: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let mut state = self.state.lock();
        self.troubled.store(true, Ordering::Relaxed);
        state.failed(source.map(site), now)
    }
}

impl State {
    fn lets_through(&self, site: Option<IpAddr>, now: Instant) -> bool {
        let is_open = self.open_until.is_some_and(|until| now < until);
        !is_open || self.has_room() && site.is_some_and(|site| !self.sites.contains(&site))
    }

    fn has_room(&self) -> bool {
        self.sites.len() < CIRCUIT_SITES_MAX
    }

    fn failed(&mut self, site: Option<IpAddr>, now: Instant) -> Option<Duration> {
        match site {
            Some(site) if self.has_room() => drop(self.sites.insert(site)),
            Some(_) => {}
            None => self.of_nobody += 1,
        }
        let opens = match self.open_until {
            Some(until) => now >= until,
            None => self.sites.len() + self.of_nobody >= CIRCUIT_SOURCES,
        };
        if !opens {
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

    /// Open because of these addresses.
    fn open(sources: impl IntoIterator<Item = Option<IpAddr>>, now: Instant) -> State {
        let mut state = State::default();
        let opened: Vec<_> = sources.into_iter().filter_map(|source| state.failed(source.map(site), now)).collect();
        assert_eq!(opened, [Duration::from_secs(1)]);
        state
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
        assert!([None, from(1), of_one_site(1)].iter().all(|source| circuit.lets_through(*source)));
        let of_another_site = |number| Some(IpAddr::from([0x2001, 0xdb8, number, 0, 0, 0, 0, 1]));
        assert!((1..100).any(|number| circuit.failed(of_another_site(number), now).is_some()));
        assert!(!circuit.lets_through(of_one_site(2_000)), "of a site that has made it fail");
    }

    #[test]
    fn it_opens_after_some_addresses_and_a_success_between_counts_from_the_start() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        let fail = |count| (0..count).filter_map(|number| circuit.failed(from(number as u8), now)).last();
        assert_eq!(fail(CIRCUIT_SOURCES - 1), None);
        circuit.succeeded();
        assert_eq!(fail(CIRCUIT_SOURCES - 1), None);
        assert_eq!(fail(CIRCUIT_SOURCES), Some(Duration::from_secs(1)));
        assert!(!circuit.lets_through(from(0)) && !circuit.lets_through(None));
        circuit.succeeded();
        assert!(circuit.lets_through(from(0)) && circuit.lets_through(None));
    }

    /// However many there are of those that make it fail, and each of them is called once.
    #[test]
    fn who_has_not_made_it_fail_is_let_through() {
        let now = Instant::now();
        let mut state = open((0..CIRCUIT_SOURCES as u8).map(from), now);
        for number in CIRCUIT_SOURCES as u8..200 {
            assert!(state.lets_through(from(number), now), "{number}");
            assert_eq!(state.failed(from(number), now), None, "it is open already");
            assert!((0..=number).all(|known| !state.lets_through(from(known), now)), "{number}");
        }
    }

    #[test]
    fn who_has_very_many_addresses_does_not_have_all_of_them_called() {
        let now = Instant::now();
        let number = |number: usize| Some(IpAddr::from((number as u32).to_be_bytes()));
        let mut state = open((0..CIRCUIT_SITES_MAX - 1).map(number), now);
        let [last, beyond] = [CIRCUIT_SITES_MAX - 1, CIRCUIT_SITES_MAX].map(number);
        assert!(state.lets_through(last, now));
        assert_eq!(state.failed(last, now), None);
        assert!(!state.lets_through(beyond, now));
        assert_eq!(state.failed(beyond, now), None);
        assert_eq!(state.sites.len(), CIRCUIT_SITES_MAX);
    }

    #[test]
    fn what_nobody_outside_causes_counts_each_time() {
        let now = Instant::now();
        let state = open([None; CIRCUIT_SOURCES], now);
        assert!(!state.lets_through(None, now));
    }

    #[test]
    fn everything_is_let_through_after_a_while_which_doubles() {
        let now = Instant::now();
        let mut state = open([None; CIRCUIT_SOURCES], now);
        assert_eq!(state.failed(from(1), now), None, "under way when it opened");
        let everybody = [None, from(1), from(2)];
        let let_through = |state: &State, now| everybody.map(|source| state.lets_through(source, now));
        assert_eq!(let_through(&state, now), [false, false, true]);
        let later = now + Duration::from_secs(1);
        assert_eq!(let_through(&state, later), [true; 3]);
        assert_eq!(state.failed(from(1), later), Some(Duration::from_secs(2)));
        assert_eq!(let_through(&state, later + Duration::from_secs(1)), [false, false, true]);
        assert_eq!(let_through(&state, later + Duration::from_secs(2)), [true; 3]);
    }
}
