use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use ahash::RandomState;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::types::network;

/// What part of the places one network may have.
const NETWORK_SHARE: usize = 4;

/// Places for what may be under way at once. One network has a part of them at most; of those that wait, networks take
/// turns.
#[derive(Debug)]
pub(super) struct Places {
    of_network_max: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Those of whom somebody has a place or waits.
    networks: HashMap<IpAddr, Network, RandomState>,
    /// Those that may have a place that somebody waits for, once each.
    turns: VecDeque<IpAddr>,
}

#[derive(Debug, Default)]
struct Network {
    held: usize,
    waiting: VecDeque<oneshot::Sender<Place>>,
    has_turn: bool,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    network: IpAddr,
}

impl Places {
    pub(super) fn new(count: usize) -> Arc<Self> {
        let state = State { free: count, networks: HashMap::default(), turns: VecDeque::new() };
        Arc::new(Self { of_network_max: (count / NETWORK_SHARE).max(1), state: Mutex::new(state) })
    }

    /// Waits for a place. There is always one, some time.
    pub(super) async fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let (sender, place) = oneshot::channel();
        self.state.lock().wait(network(address), sender, self.of_network_max);
        self.give();
        place.await.ok()
    }

    /// Gives free places to those whose turn it is.
    fn give(self: &Arc<Self>) {
        loop {
            let next = self.state.lock().next(self.of_network_max);
            let Some((network, waiting)) = next else { return };
            // It may have gone in this moment: the place is given back then.
            drop(waiting.send(Place { places: Arc::clone(self), network }));
        }
    }

    /// How many are free, and of how many networks somebody has one or waits.
    #[cfg(test)]
    pub(super) fn free(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.free, state.networks.len())
    }
}

impl State {
    fn wait(&mut self, network: IpAddr, waiting: oneshot::Sender<Place>, of_network_max: usize) {
        self.networks.entry(network).or_default().waiting.push_back(waiting);
        self.line_up(network, of_network_max);
    }

    /// Takes a free place for who is next.
    fn next(&mut self, of_network_max: usize) -> Option<(IpAddr, oneshot::Sender<Place>)> {
        while self.free > 0 {
            let network = self.turns.pop_front()?;
            let Some(of_network) = self.networks.get_mut(&network) else { continue };
            of_network.has_turn = false;
            let waiting = std::iter::from_fn(|| of_network.waiting.pop_front()).find(|waiting| !waiting.is_closed());
            if waiting.is_some() {
                of_network.held += 1;
                self.free -= 1;
            }
            self.line_up(network, of_network_max);
            if let Some(waiting) = waiting {
                return Some((network, waiting));
            }
        }
        None
    }

    fn give_back(&mut self, network: IpAddr, of_network_max: usize) {
        self.free += 1;
        if let Some(of_network) = self.networks.get_mut(&network) {
            of_network.held -= 1;
        }
        self.line_up(network, of_network_max);
    }

    /// Lets a network take turns if it may have a place that somebody waits for. It is forgotten if there is nobody.
    fn line_up(&mut self, network: IpAddr, of_network_max: usize) {
        let Some(of_network) = self.networks.get_mut(&network) else { return };
        let nobody_waits = of_network.waiting.is_empty();
        if nobody_waits && of_network.held == 0 {
            self.networks.remove(&network);
        } else if !nobody_waits && !of_network.has_turn && of_network.held < of_network_max {
            of_network.has_turn = true;
            self.turns.push_back(network);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.state.lock().give_back(self.network, self.places.of_network_max);
        self.places.give();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Taking<'a> = Pin<Box<dyn Future<Output = Option<Place>> + 'a>>;

    fn begin(places: &Arc<Places>, number: u8) -> Taking<'_> {
        Box::pin(places.take([192, 0, 2, number].into()))
    }

    fn poll(taking: &mut Taking<'_>) -> Option<Place> {
        match taking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => place,
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_network_has_a_part_of_the_places() {
        let places = Places::new(8);
        let take = |number| poll(&mut begin(&places, number));
        let mut taken: Vec<_> = (0..3).map(|_| take(1)).collect();
        assert_eq!(taken.iter().flatten().count(), 2);
        let mut waits = begin(&places, 1);
        assert!(poll(&mut waits).is_none());
        taken.extend((2..6).flat_map(|number| [take(number), take(number)]));
        assert_eq!(taken.iter().flatten().count(), 8, "there are no more");
        let mut of_another = begin(&places, 9);
        assert!(poll(&mut of_another).is_none());
        taken[0] = None;
        let places_then = (poll(&mut waits), poll(&mut of_another));
        assert!(places_then.0.is_none() && places_then.1.is_some(), "it was the turn of the other network");
        taken[1] = None;
        assert!(poll(&mut waits).is_some());
        drop((taken, places_then));
        assert_eq!(places.free(), (8, 0));
    }

    #[test]
    fn networks_take_turns() {
        let places = Places::new(4);
        let mut taken: Vec<_> = (1..5).map(|number| poll(&mut begin(&places, number))).collect();
        assert_eq!(taken.iter().flatten().count(), 4);
        // Many of one network, of which some do not wait any more, then one of another.
        let mut many: Vec<_> = (0..10).map(|_| begin(&places, 5)).collect();
        assert!(many.iter_mut().all(|taking| poll(taking).is_none()));
        many.drain(..3);
        let mut one = begin(&places, 6);
        assert!(poll(&mut one).is_none());
        taken[0] = None;
        taken[1] = None;
        let of_many: Vec<_> = many.iter_mut().filter_map(poll).collect();
        let of_one = poll(&mut one);
        assert!(of_many.len() == 1 && of_one.is_some());
        drop((taken, of_many, of_one));
        assert_eq!(places.free().0, 3, "one of those that wait has the place that its network may have");
        drop(many);
        assert_eq!(places.free(), (4, 0));
    }
}
