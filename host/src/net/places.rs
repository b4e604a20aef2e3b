use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::RandomState;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::types::network;

/// What part of the places one network may have.
const NETWORK_SHARE: usize = 4;

/// Places for what may be under way at once. One network has a part of them at most: others of it wait in a line of their
/// own, and not before those of other networks.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    of_network_max: usize,
    of_networks: Mutex<HashMap<IpAddr, Share, RandomState>>,
}

/// The places of one network, and how many have one or wait for it.
#[derive(Debug)]
struct Share {
    places: Arc<Semaphore>,
    users: usize,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_network: OfNetwork,
}

/// One of those who have a place of a network or wait for it.
#[derive(Debug)]
struct OfNetwork {
    places: Arc<Places>,
    network: IpAddr,
    permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(count)),
            of_network_max: (count / NETWORK_SHARE).max(1),
            of_networks: Mutex::default(),
        })
    }

    /// Waits for a place.
    pub(super) async fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let (mut of_network, places) = self.enter(network(address));
        // Nobody closes them.
        of_network.permit = Some(places.acquire_owned().await.ok()?);
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Place { _of_all: of_all, _of_network: of_network })
    }

    fn enter(self: &Arc<Self>, network: IpAddr) -> (OfNetwork, Arc<Semaphore>) {
        let mut of_networks = self.of_networks.lock();
        let new = || Share { places: Arc::new(Semaphore::new(self.of_network_max)), users: 0 };
        let share = of_networks.entry(network).or_insert_with(new);
        share.users += 1;
        (OfNetwork { places: Arc::clone(self), network, permit: None }, Arc::clone(&share.places))
    }

    /// How many are free, and of how many networks somebody has one or waits.
    #[cfg(test)]
    pub(super) fn free(&self) -> (usize, usize) {
        (self.all.available_permits(), self.of_networks.lock().len())
    }
}

impl Drop for OfNetwork {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut of_networks = self.places.of_networks.lock();
        if let Some(share) = of_networks.get_mut(&self.network) {
            share.users -= 1;
            if share.users == 0 {
                of_networks.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn one_network_has_a_part_of_the_places() {
        let places = Places::new(8);
        let address = |number: u8| IpAddr::from([192, 0, 2, number]);
        let take = |number| match poll(pin!(places.take(address(number)))) {
            Poll::Ready(place) => place,
            Poll::Pending => None,
        };
        let mut taken: Vec<_> = (0..3).map(|_| take(1)).collect();
        assert_eq!(taken.iter().flatten().count(), 2);
        let mut waits = Box::pin(places.take(address(1)));
        assert!(poll(waits.as_mut()).is_pending());
        taken.extend((2..6).flat_map(|number| [take(number), take(number)]));
        assert_eq!(taken.iter().flatten().count(), 8, "there are no more");
        let mut of_another = Box::pin(places.take(address(9)));
        assert!(poll(of_another.as_mut()).is_pending());
        // One that is given back goes to who waits for it.
        taken[0] = None;
        assert!(poll(of_another.as_mut()).is_ready());
        taken[1] = None;
        assert!(poll(waits.as_mut()).is_ready());
        drop((taken, waits, of_another));
        assert_eq!(places.free(), (8, 0));
    }
}
