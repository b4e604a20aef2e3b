use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ahash::RandomState;
use parking_lot::Mutex;

use super::limits::{
    SUSPECT_FORGET, SUSPECT_PATIENCE, SUSPECT_TOLD_INTERVAL, SUSPECT_WAIT_MAX, SUSPECT_WAIT_MIN, SUSPECTS_MAX,
};
use super::queue::Closed;
use crate::types::{ClientInfo, network};

/// Addresses whose requests have made plugins fail.
///
/// What they ask is put to plugins one at a time, and more slowly with each fault. So whoever knows a request that makes
/// a plugin fail holds up nobody but himself. An address that has caused no fault for a while is forgotten.
#[derive(Default)]
pub(crate) struct Suspects {
    /// Read without the lock: as a rule there are none.
    count: AtomicUsize,
    by_network: Mutex<HashMap<IpAddr, Suspect, RandomState>>,
    told: Mutex<Told>,
}

/// Questions that were not put, as the log tells of them.
#[derive(Default)]
struct Told {
    last: Option<Instant>,
    left_out: u64,
}

struct Suspect {
    /// Time between two of its questions.
    wait: Duration,
    /// When its next question may be put.
    turn: Instant,
    last_fault: Instant,
}

/// When a question of an address may be put to a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    At(Instant),
    /// Too many of its questions wait already, so far apart: this one is not put.
    Never(Duration),
}

/// Why a question was not put to the plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotPut {
    /// Others are loaded now.
    Closed,
    /// The client's address has made one fail since it was asked. Many of its questions may have waited then, and each of
    /// them may take a thread for as long as plugins have for an answer.
    Suspect,
}

impl From<Closed> for NotPut {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl Suspects {
    /// Forgets those that have caused no fault for a while: most of them never ask again.
    pub(crate) fn forget_old(&self, now: Instant) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut suspects = self.by_network.lock();
        suspects.retain(|_, suspect| !suspect.is_forgotten(now));
        self.count.store(suspects.len(), Ordering::Relaxed);
    }

    /// Whether `address` has to wait at all.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && self.by_network.lock().contains_key(&network(address))
    }

    /// Gives a question of `address` its turn.
    pub(crate) fn turn(&self, address: IpAddr, now: Instant) -> Turn {
        if self.count.load(Ordering::Relaxed) == 0 {
            return Turn::Now;
        }
        let mut suspects = self.by_network.lock();
        let network = network(address);
        let Some(suspect) = suspects.get_mut(&network) else { return Turn::Now };
        if suspect.is_forgotten(now) {
            suspects.remove(&network);
            self.count.store(suspects.len(), Ordering::Relaxed);
            return Turn::Now;
        }
        let turn = suspect.turn.max(now);
        if turn > now + SUSPECT_PATIENCE {
            return Turn::Never(suspect.wait);
        }
        suspect.turn = turn + suspect.wait;
        if turn == now { Turn::Now } else { Turn::At(turn) }
    }

    /// Waits until a question about a client may be put; false where too many of its address wait already.
    pub(crate) async fn wait_for_turn(&self, client: &ClientInfo) -> bool {
        match self.turn(client.address(), Instant::now()) {
            Turn::Now => {}
            Turn::At(turn) => tokio::time::sleep_until(turn.into()).await,
            Turn::Never(wait) => {
                self.tell_of(client, wait, Instant::now());
                return false;
            }
        }
        true
    }

    /// Says that a question is not put: a refusal that no plugin has a part in. Not of each, as clients have a hand in it.
    fn tell_of(&self, client: &ClientInfo, wait: Duration, now: Instant) -> bool {
        let is_due = |last: Instant| now.saturating_duration_since(last) >= SUSPECT_TOLD_INTERVAL;
        let mut told = self.told.lock();
        if !told.last.is_none_or(is_due) {
            told.left_out += 1;
            return false;
        }
        let Told { left_out, .. } = std::mem::replace(&mut *told, Told { last: Some(now), left_out: 0 });
        drop(told);
        tracing::warn!(
            "a request of client {:?} at {} is denied and no plugin asked: after faults, requests of that address are put \
             {wait:?} apart, and it would have to wait for more than {SUSPECT_PATIENCE:?} ({left_out} such before it were \
             left out here)",
            client.client_id,
            client.address()
        );
        true
    }

    /// Whether a request of `address` has made a plugin fail since `then`: a question that was put then, and has not been
    /// answered yet, is to wait for another turn.
    pub(crate) fn failed_since(&self, address: IpAddr, then: Instant) -> bool {
        self.count.load(Ordering::Relaxed) > 0
            && self.by_network.lock().get(&network(address)).is_some_and(|suspect| suspect.last_fault > then)
    }

    /// A request of `address` made a plugin fail, and that took so long. Says how far apart its questions are from now on.
    pub(crate) fn blame(&self, address: IpAddr, took: Duration, now: Instant) -> Duration {
        let mut suspects = self.by_network.lock();
        if suspects.len() >= SUSPECTS_MAX {
            suspects.retain(|_, suspect| !suspect.is_forgotten(now));
            // Whoever has so many addresses gains little by having one of them forgotten.
            if suspects.len() >= SUSPECTS_MAX
                && let Some(&any) = suspects.keys().next()
            {
                suspects.remove(&any);
            }
        }
        let suspect = suspects.entry(network(address)).or_insert(Suspect {
            wait: SUSPECT_WAIT_MIN / 2,
            turn: now,
            last_fault: now,
        });
        if suspect.is_forgotten(now) {
            suspect.wait = SUSPECT_WAIT_MIN / 2;
        }
        // An address gets a fifth of one thread's time at most for requests that fail.
        suspect.wait = (suspect.wait * 2).max(took * 4).min(SUSPECT_WAIT_MAX);
        suspect.turn = suspect.turn.max(now + suspect.wait);
        suspect.last_fault = now;
        let wait = suspect.wait;
        self.count.store(suspects.len(), Ordering::Relaxed);
        wait
    }

    /// Forgets everybody: the plugins that failed are gone.
    pub(crate) fn clear(&self) {
        let mut suspects = self.by_network.lock();
        suspects.clear();
        self.count.store(0, Ordering::Relaxed);
    }

    /// How many addresses have to wait.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Suspect {
    fn is_forgotten(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_fault) >= SUSPECT_FORGET
    }
}

/// The network of an address in words.
pub(super) fn network_name(address: IpAddr) -> String {
    match network(address) {
        IpAddr::V6(network) => format!("{network}/64"),
        IpAddr::V4(address) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::limits::AUTH_DEADLINE;
    use crate::types::{ClientId, ConnectFacts, Identity, Peer};

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_waits_longer_with_each_fault_and_others_do_not_wait() {
        let (suspects, now) = (Suspects::default(), Instant::now());
        let (bad, good) = (address("192.0.2.1"), address("192.0.2.2"));
        let waits: Vec<_> = (0..3).map(|_| suspects.blame(bad, Duration::ZERO, now)).collect();
        assert_eq!(waits, [SUSPECT_WAIT_MIN, 2 * SUSPECT_WAIT_MIN, 4 * SUSPECT_WAIT_MIN]);
        assert!(suspects.contains(bad) && !suspects.contains(good));
        assert_eq!(suspects.turn(good, now), Turn::Now);
        assert_eq!(suspects.turn(bad, now), Turn::At(now + 4 * SUSPECT_WAIT_MIN));
        assert_eq!(suspects.turn(bad, now), Turn::At(now + 8 * SUSPECT_WAIT_MIN), "one at a time");
        assert_eq!((0..100).map(|_| suspects.blame(bad, Duration::ZERO, now)).max(), Some(SUSPECT_WAIT_MAX));
    }

    #[test]
    fn who_wastes_much_time_waits_in_proportion() {
        let (suspects, now) = (Suspects::default(), Instant::now());
        assert_eq!(suspects.blame(address("192.0.2.1"), Duration::from_secs(5), now), Duration::from_secs(20));
    }

    #[test]
    fn few_questions_of_one_address_wait() {
        let (suspects, now) = (Suspects::default(), Instant::now());
        let bad = address("192.0.2.1");
        suspects.blame(bad, Duration::ZERO, now);
        let waiting = (0..1_000).filter(|_| matches!(suspects.turn(bad, now), Turn::At(_))).count();
        assert_eq!(waiting as u128, SUSPECT_PATIENCE.as_millis() / SUSPECT_WAIT_MIN.as_millis());
        assert_eq!(suspects.turn(bad, now), Turn::Never(SUSPECT_WAIT_MIN));
    }

    /// Nobody can fill the log with it.
    #[test]
    fn a_question_that_is_not_put_is_told_of_now_and_then() {
        let (suspects, now) = (Suspects::default(), Instant::now());
        let client = ClientInfo {
            client_id: ClientId::new("client"),
            identity: Identity::Anonymous,
            peer: Peer::tcp(([192, 0, 2, 1], 49_152).into(), "default".into()),
            connect: ConnectFacts::default(),
        };
        suspects.blame(client.address(), AUTH_DEADLINE, now);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        assert!(!runtime.block_on(suspects.wait_for_turn(&client)), "20 s is too long to wait");
        let told = suspects.told.lock().last.expect("it was told of");
        assert!(!suspects.tell_of(&client, AUTH_DEADLINE, told + SUSPECT_TOLD_INTERVAL / 2));
        assert_eq!(suspects.told.lock().left_out, 1);
        assert!(suspects.tell_of(&client, AUTH_DEADLINE, told + SUSPECT_TOLD_INTERVAL));
        assert_eq!(suspects.told.lock().left_out, 0);
    }

    #[test]
    fn what_an_address_asked_before_it_made_a_plugin_fail_waits_for_another_turn() {
        let (suspects, now) = (Suspects::default(), Instant::now());
        let (bad, good) = (address("192.0.2.1"), address("192.0.2.2"));
        assert!(!suspects.failed_since(bad, now));
        let fault = now + SUSPECT_WAIT_MIN;
        suspects.blame(bad, Duration::ZERO, fault);
        assert!(suspects.failed_since(bad, now) && !suspects.failed_since(good, now));
        assert!(!suspects.failed_since(bad, fault + SUSPECT_WAIT_MIN), "asked in its turn after the fault");
    }

    #[test]
    fn an_address_is_forgotten_that_has_behaved_and_when_there_are_too_many() {
        let (suspects, now) = (Suspects::default(), Instant::now());
        let bad = address("192.0.2.1");
        suspects.blame(bad, Duration::ZERO, now);
        assert_eq!(suspects.turn(bad, now + SUSPECT_FORGET), Turn::Now);
        assert_eq!(suspects.count(), 0);
        for number in 0..SUSPECTS_MAX + 10 {
            suspects.blame(IpAddr::from((number as u32).to_be_bytes()), Duration::ZERO, now);
        }
        assert_eq!(suspects.count(), SUSPECTS_MAX);
        suspects.clear();
        assert_eq!(suspects.count(), 0);
    }
}
