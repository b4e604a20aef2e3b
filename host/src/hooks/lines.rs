use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use ahash::RandomState;
use parking_lot::{Condvar, Mutex};

use super::queue::Refused;

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
    /// None of them is empty.
    lines: HashMap<IpAddr, Line<T>, RandomState>,
    /// Every line once, in the order in which they have their turns.
    turns: VecDeque<IpAddr>,
    len: usize,
    bytes: usize,
    closed: bool,
}

struct Line<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Lines<T> {
    pub(crate) fn new(items_max: usize, bytes_max: usize, is_idle: fn(&T) -> bool) -> Self {
        let state = State { lines: HashMap::default(), turns: VecDeque::new(), len: 0, bytes: 0, closed: false };
        Self { items_max, bytes_max, is_idle, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds an item of a network that counts as so many bytes.
    pub(crate) fn push(&self, network: IpAddr, item: T, bytes: usize) -> Result<(), Refused<T>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed(item));
        }
        if !self.has_room(&state, network, bytes) {
            state.retain(|item| !(self.is_idle)(item));
            if !self.has_room(&state, network, bytes) {
                return Err(Refused::Full(item));
            }
        }
        state.add(network, item, bytes);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    fn has_room(&self, state: &State<T>, network: IpAddr, bytes: usize) -> bool {
        let (len, line_bytes) = state.lines.get(&network).map_or((0, 0), |line| (line.items.len(), line.bytes));
        let left = self.bytes_max.saturating_sub(state.bytes);
        len < self.items_max.saturating_sub(state.len) && bytes <= left && line_bytes <= left - bytes
    }

    /// Waits for the oldest item of the line whose turn it is; none once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.state.lock();
        loop {
            if let Some(item) = state.take() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }

    /// Takes no more items; those that wait can still be taken out.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}

impl<T> State<T> {
    fn add(&mut self, network: IpAddr, item: T, bytes: usize) {
        let line = self.lines.entry(network).or_insert_with(|| {
            self.turns.push_back(network);
            Line { items: VecDeque::new(), bytes: 0 }
        });
        line.items.push_back((item, bytes));
        line.bytes += bytes;
        self.len += 1;
        self.bytes += bytes;
    }

    fn take(&mut self) -> Option<T> {
        let network = self.turns.pop_front()?;
        let line = self.lines.get_mut(&network)?;
        let (item, bytes) = line.items.pop_front()?;
        line.bytes -= bytes;
        self.len -= 1;
        self.bytes -= bytes;
        if line.items.is_empty() {
            self.lines.remove(&network);
        } else {
            self.turns.push_back(network);
        }
        Some(item)
    }

    fn retain(&mut self, keeps: impl Fn(&T) -> bool) {
        for line in self.lines.values_mut() {
            line.items.retain(|(item, _)| keeps(item));
            line.bytes = line.items.iter().map(|(_, bytes)| bytes).sum();
        }
        self.lines.retain(|_, line| !line.items.is_empty());
        self.turns.retain(|network| self.lines.contains_key(network));
        self.len = self.lines.values().map(|line| line.items.len()).sum();
        self.bytes = self.lines.values().map(|line| line.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    fn lines(items_max: usize, bytes_max: usize) -> Lines<&'static str> {
        Lines::new(items_max, bytes_max, |item| item.starts_with("idle"))
    }

    #[test]
    fn networks_take_turns() {
        let lines = lines(100, 100);
        for (number, item) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1"), (2, "b2")] {
            lines.push(network(number), item, 1).expect("there is room");
        }
        let popped: Vec<_> = (0..6).filter_map(|_| lines.pop()).collect();
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
        assert_eq!([lines.pop(), lines.pop()], [Some("one"), Some("two")]);
        let state = lines.state.lock();
        assert_eq!((state.len, state.bytes, state.lines.len(), state.turns.len()), (0, 0, 0, 0));
    }

    #[test]
    fn closed_lines_give_what_they_hold() {
        let lines = lines(4, 4);
        lines.push(network(1), "a", 1).expect("there is room");
        lines.close();
        assert_eq!(lines.push(network(1), "b", 1), Err(Refused::Closed("b")));
        assert_eq!([lines.pop(), lines.pop()], [Some("a"), None]);
    }
}
