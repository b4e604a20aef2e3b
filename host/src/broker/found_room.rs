//! Room for retained messages that connections of a worker have found and not yet sent.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Messages that all connections of a worker together may have found and not yet sent: each holds some bytes, and its
/// payload, which may have been replaced meanwhile. One look-up more is begun below that.
const FOUND_MAX: usize = if cfg!(test) { 500 } else { 1 << 18 };

/// Messages found for one subscription that count as none, and wait for no room: who subscribes to little does not wait for
/// those who subscribe to all.
const FOUND_SMALL: usize = 64;

/// How many they have, and the connections that wait until they have fewer, by their links.
#[derive(Debug, Default)]
pub(super) struct FoundRoom {
    taken: Cell<usize>,
    waiting: RefCell<HashMap<u64, Waker, ahash::RandomState>>,
}

impl FoundRoom {
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }

    pub(super) fn has_room_for(&self, found: usize) -> bool {
        found <= FOUND_SMALL || self.taken.get() < FOUND_MAX
    }
}

/// The place of a connection that waits for room, which goes with it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) room: Rc<FoundRoom>,
    pub(super) link_id: u64,
}

impl Place {
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.room.taken.get() < FOUND_MAX {
            return Poll::Ready(());
        }
        self.room.waiting.borrow_mut().entry(self.link_id).or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
        Poll::Pending
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.waiting.borrow_mut().remove(&self.link_id);
    }
}

/// A part of the room, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    room: Rc<FoundRoom>,
    count: usize,
}

impl Taken {
    /// None where there is little to count.
    pub(super) fn new(room: &Rc<FoundRoom>, count: usize) -> Option<Self> {
        if count <= FOUND_SMALL {
            return None;
        }
        room.taken.set(room.taken.get() + count);
        Some(Self { room: Rc::clone(room), count })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.set(self.room.taken.get() - self.count);
        let waiting = std::mem::take(&mut *self.room.waiting.borrow_mut());
        waiting.into_values().for_each(Waker::wake);
    }
}
