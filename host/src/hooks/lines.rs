use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Instant;

use ahash::RandomState;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::limits::AUTH_QUEUE_MAX;
use super::queue::{Popped, Refused};

/// A queue between threads in which the items of each network wait in a line of their own, and the lines take turns.
///
/// It is bounded in items and in bytes. A line gets no longer than there is room left for the others: one that is alone
/// takes half of the queue at most, and nobody can fill it. Putting never waits.
pub(crate) struct Lines<T> {
    items_max: usize,
    bytes_max: usize,
    /// Whether an item is not worth its place any more.
    is_idle: fn(&T) -> bool,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// Before all lines.
    first: VecDeque<T>,
    /// None of them is empty.
    lines: HashMap<Place, Line<T>, RandomState>,
    /// Every line once, in the order in which they have their turns.
    turns: VecDeque<Place>,
    /// Of the lines that are bounded.
    len: usize,
    bytes: usize,
    /// How many items are refused unseen before it is looked again for idle ones: looking takes time for each that waits.
    unseen: usize,
    closed: bool,
}

/// The line that an item waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    network: IpAddr,
    /// Something else bounds the number of those in the other one.
    bounded: bool,
}

struct Line<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
}

/// How many of those that wait may be looked at for each item that finds no room: all questions of auth.
const LOOKED_AT: usize = AUTH_QUEUE_MAX;

impl<T> Lines<T> {
    pub(crate) fn new(items_max: usize, bytes_max: usize, is_idle: fn(&T) -> bool) -> Self {
        let state = State {
            first: VecDeque::new(),
            lines: HashMap::default(),
            turns: VecDeque::new(),
            len: 0,
            bytes: 0,
            unseen: 0,
            closed: false,
        };
        Self { items_max, bytes_max, is_idle, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds an item of a network that counts as so many bytes.
    pub(crate) fn push(&self, network: IpAddr, item: T, bytes: usize) -> Result<(), Refused<T>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed(item));
        }
        let place = Place { network, bounded: true };
        if !self.has_room(&state, place, bytes) {
            if state.unseen > 0 {
                state.unseen -= 1;
                return Err(Refused::Full(item));
            }
            state.retain(|item| !(self.is_idle)(item));
            if !self.has_room(&state, place, bytes) {
                state.unseen = state.len / LOOKED_AT;
                return Err(Refused::Full(item));
            }
        }
        state.add(place, item, bytes);
        self.tell(state);
        Ok(())
    }

    /// Adds an item whether there is room or not, and without taking any: for those of which something else bounds the
    /// number. They have a line of their own in each network.
    pub(crate) fn push_beyond(&self, network: IpAddr, item: T) -> Result<(), Refused<T>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed(item));
        }
        state.add(Place { network, bounded: false }, item, 0);
        self.tell(state);
        Ok(())
    }

    /// Adds an item before all others, whether there is room or not: for the few that somebody's thread waits for.
    pub(crate) fn push_first(&self, item: T) -> Result<(), Refused<T>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed(item));
        }
        state.first.push_front(item);
        self.tell(state);
        Ok(())
    }

    /// Puts back an item that was taken out, before all others, also where the queue is closed.
    pub(crate) fn put_back(&self, item: T) {
        let mut state = self.state.lock();
        state.first.push_front(item);
        self.tell(state);
    }

    /// Puts back an item that was taken out, as the last one of its line, also where the queue is closed. It counts as so
    /// many bytes if it has to be bounded.
    pub(crate) fn put_last(&self, network: IpAddr, item: T, bytes: Option<usize>) {
        let mut state = self.state.lock();
        state.add(Place { network, bounded: bytes.is_some() }, item, bytes.unwrap_or(0));
        self.tell(state);
    }

    fn tell(&self, state: MutexGuard<'_, State<T>>) {
        drop(state);
        self.changed.notify_one();
    }

    fn has_room(&self, state: &State<T>, place: Place, bytes: usize) -> bool {
        let (len, line_bytes) = state.lines.get(&place).map_or((0, 0), |line| (line.items.len(), line.bytes));
        let left = self.bytes_max.saturating_sub(state.bytes);
        len < self.items_max.saturating_sub(state.len) && bytes <= left && line_bytes <= left - bytes
    }

    /// Waits for the oldest item of the line whose turn it is, until `deadline` if there is one.
    pub(crate) fn pop(&self, deadline: Option<Instant>) -> Popped<T> {
        let mut state = self.state.lock();
        loop {
            if let Some(item) = state.take() {
                return Popped::Item(item);
            }
            if state.closed {
                return Popped::Closed;
            }
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline).timed_out() {
                        return state.take().map_or(Popped::Nothing, Popped::Item);
                    }
                }
            }
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let state = self.state.lock();
        state.first.len() + state.lines.values().map(|line| line.items.len()).sum::<usize>()
    }

    /// Takes no more items; those that wait can still be taken out.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}

impl<T> State<T> {
    fn add(&mut self, place: Place, item: T, bytes: usize) {
        let line = self.lines.entry(place).or_insert_with(|| {
            self.turns.push_back(place);
            Line { items: VecDeque::new(), bytes: 0 }
        });
        line.items.push_back((item, bytes));
        line.bytes += bytes;
        if place.bounded {
            self.len += 1;
            self.bytes += bytes;
        }
    }

    fn take(&mut self) -> Option<T> {
        if let Some(item) = self.first.pop_front() {
            return Some(item);
        }
        let place = self.turns.pop_front()?;
        let line = self.lines.get_mut(&place)?;
        let (item, bytes) = line.items.pop_front()?;
        line.bytes -= bytes;
        if place.bounded {
            self.len -= 1;
            self.bytes -= bytes;
        }
        if line.items.is_empty() {
            self.lines.remove(&place);
        } else {
            self.turns.push_back(place);
        }
        Some(item)
    }

    fn retain(&mut self, keeps: impl Fn(&T) -> bool) {
        for line in self.lines.values_mut() {
            line.items.retain(|(item, _)| keeps(item));
            line.bytes = line.items.iter().map(|(_, bytes)| bytes).sum();
        }
        self.lines.retain(|_, line| !line.items.is_empty());
        self.turns.retain(|place| self.lines.contains_key(place));
        let bounded = || self.lines.iter().filter(|(place, _)| place.bounded).map(|(_, line)| line);
        self.len = bounded().map(|line| line.items.len()).sum();
        self.bytes = bounded().map(|line| line.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn network(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    fn lines(items_max: usize, bytes_max: usize) -> Lines<&'static str> {
        Lines::new(items_max, bytes_max, |item| item.starts_with("idle"))
    }

    /// None where it is closed and empty.
    fn pop(lines: &Lines<&'static str>) -> Option<&'static str> {
        match lines.pop(None) {
            Popped::Item(item) => Some(item),
            Popped::Nothing | Popped::Closed => None,
        }
    }

    #[test]
    fn networks_take_turns() {
        let lines = lines(100, 100);
        for (number, item) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1"), (2, "b2")] {
            lines.push(network(number), item, 1).expect("there is room");
        }
        let popped: Vec<_> = (0..6).filter_map(|_| pop(&lines)).collect();
        assert_eq!(popped, ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }

    /// How many items of so many bytes a queue takes of each of these networks, one after the other.
    fn check_room(bytes: usize, expected: [usize; 4]) {
        let lines = lines(64, 640);
        let taken = |number: usize| (0..100).filter(|_| lines.push(network(number as u8), "", bytes).is_ok()).count();
        assert_eq!([0, 1, 2, 3].map(taken), expected, "{bytes} bytes each");
    }

    #[test]
    fn none_can_fill_the_queue_for_others() {
        check_room(0, [32, 16, 8, 4]);
        check_room(10, [32, 16, 8, 4]);
        check_room(20, [16, 8, 4, 2]);
    }

    #[test]
    fn who_does_not_wait_any_more_makes_room() {
        let lines = lines(4, 100);
        for item in ["idle", "one"] {
            lines.push(network(1), item, 10).expect("there is room");
        }
        lines.push(network(2), "idle too", 10).expect("there is room");
        assert_eq!(lines.push(network(1), "two", 1), Ok(()), "in the place of one of them");
        assert_eq!(lines.push(network(1), "three", 1), Err(Refused::Full("three")));
        assert_eq!([pop(&lines), pop(&lines)], [Some("one"), Some("two")]);
        let state = lines.state.lock();
        assert_eq!((state.len, state.bytes, state.lines.len(), state.turns.len()), (0, 0, 0, 0));
    }

    #[test]
    fn closed_lines_give_what_they_hold() {
        let lines = lines(4, 4);
        lines.push(network(1), "a", 1).expect("there is room");
        assert!(!lines.is_closed());
        lines.close();
        assert!(lines.is_closed());
        assert_eq!(lines.push(network(1), "b", 1), Err(Refused::Closed("b")));
        assert_eq!([pop(&lines), pop(&lines)], [Some("a"), None]);
    }

    #[test]
    fn what_has_to_go_in_goes_in_and_takes_no_room() {
        let lines = lines(2, 10);
        lines.push(network(1), "a", 4).expect("there is room");
        for item in ["beyond 1", "beyond 2"] {
            assert_eq!(lines.push_beyond(network(1), item), Ok(()));
        }
        assert_eq!(lines.push_first("first"), Ok(()));
        assert_eq!(lines.len(), 4);
        lines.push(network(2), "b", 4).expect("there is room");
        lines.put_last(network(2), "again", Some(8));
        lines.put_back("back");
        assert_eq!(lines.push(network(3), "c", 0), Err(Refused::Full("c")), "what was put back counts as before");
        let popped: Vec<_> = (0..7).filter_map(|_| pop(&lines)).collect();
        assert_eq!(popped, ["back", "first", "a", "beyond 1", "b", "beyond 2", "again"]);
        lines.close();
        assert_eq!(lines.push_beyond(network(1), "a"), Err(Refused::Closed("a")));
        assert_eq!(lines.push_first("a"), Err(Refused::Closed("a")));
        lines.put_back("back");
        lines.put_last(network(1), "again", None);
        assert_eq!([pop(&lines), pop(&lines), pop(&lines)], [Some("back"), Some("again"), None]);
    }

    #[test]
    fn waiting_ends_at_the_deadline() {
        let lines = lines(1, 1);
        assert_eq!(lines.pop(Some(Instant::now() + Duration::from_millis(1))), Popped::Nothing);
    }

    /// Otherwise each item that finds no room would cost a look at all that wait.
    #[test]
    fn who_is_refused_often_has_few_looked_at() {
        let lines = lines(8 * LOOKED_AT, 0);
        let taken = (0..8 * LOOKED_AT).filter(|_| lines.push(network(1), "idle", 0).is_ok()).count();
        assert_eq!(taken, 8 * LOOKED_AT, "the idle ones make room");
        while lines.push(network(1), "waits", 0).is_ok() {}
        let unseen = || lines.state.lock().unseen;
        let before = unseen();
        assert!(before > 0 && lines.push(network(1), "waits", 0).is_err());
        assert_eq!(unseen(), before - 1);
    }
}
