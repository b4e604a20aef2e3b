use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::types::SharedKeys;

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

    /// Places of children, some of which may be empty. A child stays where it is for as long as it is there.
    pub(super) fn places(&self) -> usize {
        match self.0.as_deref() {
            None => 0,
            Some(Family::One(..)) => 1,
            Some(Family::Many(children)) => children.places.len(),
        }
    }

    /// The child at this place, and its level.
    pub(super) fn at(&self, place: usize) -> Option<(&str, &N)> {
        match self.0.as_deref()? {
            Family::One(name, child) => (place == 0).then_some((&**name, child)),
            Family::Many(children) => children.places.get(place)?.as_ref().map(|(name, child)| (&**name, child)),
        }
    }
}

/// Children that each keep their place, so that who goes through them can go on after others have come and gone.
#[derive(Debug)]
struct Table<N> {
    /// The place of each level.
    by_level: HashTable<u32>,
    places: Vec<Option<(Box<str>, N)>>,
    /// Those that are empty.
    empty: Vec<u32>,
}

fn hash(level: &str) -> u64 {
    SharedKeys.hash_one(level)
}

impl<N> Table<N> {
    fn new() -> Self {
        Self { by_level: HashTable::new(), places: Vec::new(), empty: Vec::new() }
    }

    fn place(&self, level: &str) -> Option<usize> {
        self.by_level.find(hash(level), |place| self.has(*place, level)).map(|place| *place as usize)
    }

    fn has(&self, place: u32, level: &str) -> bool {
        self.places[place as usize].as_ref().is_some_and(|(name, _)| **name == *level)
    }

    fn get(&self, level: &str) -> Option<&N> {
        self.places[self.place(level)?].as_ref().map(|(_, child)| child)
    }

    fn get_mut(&mut self, level: &str) -> Option<&mut N> {
        let place = self.place(level)?;
        self.places[place].as_mut().map(|(_, child)| child)
    }

    fn insert(&mut self, level: Box<str>, child: N) {
        let hash_of_level = hash(&level);
        let place = self.empty.pop().unwrap_or_else(|| {
            self.places.push(None);
            u32::try_from(self.places.len() - 1).expect("no memory holds as many")
        });
        self.places[place as usize] = Some((level, child));
        let places = &self.places;
        let rehash = |place: &u32| places[*place as usize].as_ref().map_or(0, |(name, _)| hash(name));
        self.by_level.insert_unique(hash_of_level, place, rehash);
    }

    fn remove(&mut self, level: &str) {
        let places = &mut self.places;
        let is_it = |place: &u32| places[*place as usize].as_ref().is_some_and(|(name, _)| **name == *level);
        if let Ok(entry) = self.by_level.find_entry(hash(level), is_it) {
            let (place, _) = entry.remove();
            self.places[place as usize] = None;
            self.empty.push(place);
        }
    }
}
