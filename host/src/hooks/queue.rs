use std::collections::VecDeque;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// A queue between threads, bounded in items and in bytes. Putting never waits.
pub(crate) struct BoundedQueue<T> {
    items_max: usize,
    bytes_max: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    closed: bool,
    woken: bool,
}

/// Why an item was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused<T> {
    /// There is no room.
    Full(T),
    /// The queue is closed.
    Closed(T),
}

/// What asks a queue for answers is closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// What a wait on a queue ended with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Popped<T> {
    /// The oldest item.
    Item(T),
    /// The time is up or somebody called [`BoundedQueue::wake`].
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

impl<T> BoundedQueue<T> {
    pub(crate) fn new(items_max: usize, bytes_max: usize) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, closed: false, woken: false };
        Self { items_max, bytes_max, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds an item that counts as so many bytes.
    pub(crate) fn push(&self, item: T, bytes: usize) -> Result<(), Refused<T>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed(item));
        }
        let bytes_then = state.bytes.saturating_add(bytes);
        if state.items.len() >= self.items_max || bytes_then > self.bytes_max {
            return Err(Refused::Full(item));
        }
        state.bytes = bytes_then;
        state.items.push_back((item, bytes));
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().items.len()
    }

    /// Waits for the oldest item, until `deadline` if there is one.
    pub(crate) fn pop(&self, deadline: Option<Instant>) -> Popped<T> {
        let mut state = self.state.lock();
        loop {
            if let Some((item, bytes)) = state.items.pop_front() {
                state.bytes -= bytes;
                return Popped::Item(item);
            }
            if state.closed {
                return Popped::Closed;
            }
            if std::mem::take(&mut state.woken) {
                return Popped::Nothing;
            }
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline).timed_out() && state.items.is_empty() {
                        return if state.closed { Popped::Closed } else { Popped::Nothing };
                    }
                }
            }
        }
    }

    /// Makes one wait end with nothing.
    pub(crate) fn wake(&self) {
        self.state.lock().woken = true;
        self.changed.notify_one();
    }

    /// Takes no more items; those that wait can still be taken out.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_full_queue_refuses_by_items_and_by_bytes() {
        let queue = BoundedQueue::new(2, 10);
        assert_eq!(queue.push('a', 4), Ok(()));
        assert_eq!(queue.push('b', 7), Err(Refused::Full('b')), "too many bytes");
        assert_eq!(queue.push('b', 6), Ok(()));
        assert_eq!(queue.push('c', 0), Err(Refused::Full('c')), "too many items");
        assert_eq!(queue.pop(None), Popped::Item('a'));
        assert_eq!(queue.push('c', 4), Ok(()));
        assert_eq!([queue.pop(None), queue.pop(None)], [Popped::Item('b'), Popped::Item('c')]);
    }

    #[test]
    fn a_closed_queue_gives_what_it_holds() {
        let queue = BoundedQueue::new(2, 10);
        queue.push('a', 1).expect("there is room");
        queue.close();
        assert_eq!(queue.push('b', 1), Err(Refused::Closed('b')));
        assert_eq!([queue.pop(None), queue.pop(None)], [Popped::Item('a'), Popped::Closed]);
    }

    #[test]
    fn waiting_ends_at_the_deadline_and_by_wake() {
        let queue = BoundedQueue::<char>::new(2, 10);
        assert_eq!(queue.pop(Some(Instant::now() + Duration::from_millis(1))), Popped::Nothing);
        queue.wake();
        assert_eq!(queue.pop(None), Popped::Nothing);
    }
}
