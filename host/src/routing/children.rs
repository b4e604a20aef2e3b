use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::types::SharedKeys;

/// Children that may be remembered after they have gone, however few there are.
const GONE_MAX: usize = 16;

/// The children of a node, by topic level.
///
/// There are as many nodes as subscriptions, or more, and most have one child or none: for those it needs no table.
#[derive(Debug)]
pub(super) struct Children<N>(Option<Box<Family<N>>>);

#[derive(Debug)]
enum Family<N> {
    One(Box<str>, N),
    Many(Table<N>),
}

impl<N> Children<N> {
    /// No children.
    pub(super) const NONE: Self = Self(None);

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The child of this level.
    pub(super) fn get(&self, level: &str) -> Option<&N> {
        match self.0.as_deref()? {
            Family::One(name, child) => (**name == *level).then_some(child),
            Family::Many(children) => children.get(level),
        }
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, level: &str) -> Option<&mut N> {
        match self.0.as_deref_mut()? {
            Family::One(name, child) => (**name == *level).then_some(child),
            Family::Many(children) => children.get_mut(level),
        }
    }

    /// The child of this level, made by `new` if it is not there.
    pub(super) fn get_or_insert_with(&mut self, level: &str, new: impl FnOnce() -> N) -> &mut N {
        if self.get(level).is_none() {
            self.insert(level.into(), new());
        }
        self.get_mut(level).expect("was inserted if it was not there")
    }

    /// Adds a child that is not there.
    fn insert(&mut self, level: Box<str>, child: N) {
        if let Some(Family::Many(children)) = self.0.as_deref_mut() {
            children.insert(level, child);
            return;
        }
        let all = match self.0.take().map(|only| *only) {
            Some(Family::One(name, other)) => {
                let mut children = Table::new();
                children.insert(name, other);
                children.insert(level, child);
                Family::Many(children)
            }
            _ => Family::One(level, child),
        };
        self.0 = Some(Box::new(all));
    }

    /// Takes a child away.
    pub(super) fn remove(&mut self, level: &str) {
        let is_last = match self.0.as_deref_mut() {
            None => return,
            Some(Family::One(name, _)) => **name == *level,
            Some(Family::Many(children)) => {
                children.remove(level);
                children.by_level.is_empty()
            }
        };
        if is_last {
            self.0 = None;
        }
    }

    /// The children from this number on, by number; none where one has gone. A child has its number for as long as it is
    /// there, and those that come have greater ones than all that are.
    pub(super) fn from(&self, number: u64) -> impl Iterator<Item = (u64, Option<(&str, &N)>)> {
        let (one, many) = match self.0.as_deref() {
            None => (None, &[][..]),
            Some(Family::One(name, child)) => ((number == 0).then_some((0, Some((&**name, child)))), &[][..]),
            Some(Family::Many(children)) => (None, children.from(number)),
        };
        let named = |slot| {
            let Slot { number, child }: &Slot<N> = slot;
            (*number, child.as_ref().map(|(name, child)| (&**name, child)))
        };
        one.into_iter().chain(many.iter().map(named))
    }
}

/// Children in the order in which they have come, so that who goes through them can go on after others have come and gone.
#[derive(Debug)]
struct Table<N> {
    /// Where in `slots` each level is.
    by_level: HashTable<usize>,
    /// By number. Those whose child has gone stay until they are more than half.
    slots: Vec<Slot<N>>,
}

#[derive(Debug)]
struct Slot<N> {
    number: u64,
    child: Option<(Box<str>, N)>,
}

impl<N> Slot<N> {
    fn has(&self, level: &str) -> bool {
        self.child.as_ref().is_some_and(|(name, _)| **name == *level)
    }

    fn hash(&self) -> u64 {
        self.child.as_ref().map_or(0, |(name, _)| hash(name))
    }
}

fn hash(level: &str) -> u64 {
    SharedKeys.hash_one(level)
}

impl<N> Table<N> {
    fn new() -> Self {
        Self { by_level: HashTable::new(), slots: Vec::new() }
    }

    fn find(&self, level: &str) -> Option<usize> {
        self.by_level.find(hash(level), |index| self.slots[*index].has(level)).copied()
    }

    fn get(&self, level: &str) -> Option<&N> {
        self.slots[self.find(level)?].child.as_ref().map(|(_, child)| child)
    }

    fn get_mut(&mut self, level: &str) -> Option<&mut N> {
        let index = self.find(level)?;
        self.slots[index].child.as_mut().map(|(_, child)| child)
    }

    fn from(&self, number: u64) -> &[Slot<N>] {
        let before = if number == 0 { 0 } else { self.slots.partition_point(|slot| slot.number < number) };
        &self.slots[before..]
    }

    fn insert(&mut self, level: Box<str>, child: N) {
        let number = self.slots.last().map_or(0, |last| last.number + 1);
        let slot = Slot { number, child: Some((level, child)) };
        let (hash, index) = (slot.hash(), self.slots.len());
        self.slots.push(slot);
        self.by_level.insert_unique(hash, index, |index| self.slots[*index].hash());
    }

    fn remove(&mut self, level: &str) {
        let Ok(entry) = self.by_level.find_entry(hash(level), |index| self.slots[*index].has(level)) else { return };
        let (index, _) = entry.remove();
        self.slots[index].child = None;
        if self.slots.len() > GONE_MAX && self.by_level.len() < self.slots.len() / 2 {
            self.forget_gone();
        }
    }

    /// Gives back the memory of those that have gone.
    fn forget_gone(&mut self) {
        self.slots.retain(|slot| slot.child.is_some());
        self.slots.shrink_to(2 * self.slots.len());
        self.by_level = HashTable::with_capacity(self.slots.len());
        for (index, slot) in self.slots.iter().enumerate() {
            self.by_level.insert_unique(slot.hash(), index, |index| self.slots[*index].hash());
        }
    }
}
