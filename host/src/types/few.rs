use std::hash::Hash;

use indexmap::IndexMap;

use super::SharedKeys;

/// A map that mostly has one entry or none, and then needs no table.
#[derive(Debug, Default)]
pub enum Few<K, V> {
    /// No entry.
    #[default]
    None,
    /// One entry.
    One(K, V),
    /// More, or what is left of more.
    Many(Box<IndexMap<K, V, SharedKeys>>),
}

impl<K: Hash + Eq, V> Few<K, V> {
    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(..) => 1,
            Self::Many(entries) => entries.len(),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        match self {
            Self::None => None,
            Self::One(only, value) => (only == key).then_some(value),
            Self::Many(entries) => entries.get(key),
        }
    }

    /// Adds an entry or replaces the value of its key, which is returned.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            Self::One(only, old) if *only == key => Some(std::mem::replace(old, value)),
            Self::Many(entries) => entries.insert(key, value),
            few => {
                *few = match std::mem::take(few) {
                    Self::One(first, its) => Self::Many(Box::new([(first, its), (key, value)].into_iter().collect())),
                    _ => Self::One(key, value),
                };
                None
            }
        }
    }

    /// Takes an entry away and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            Self::Many(entries) => {
                let removed = entries.swap_remove(key);
                if entries.is_empty() {
                    *self = Self::None;
                }
                removed
            }
            Self::One(only, _) if only == key => match std::mem::take(self) {
                Self::One(_, value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(key, value) => (Some((key, value)), None),
            Self::Many(entries) => (None, Some(entries.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::types::random::{Random, for_each_seed};

    #[test]
    fn it_agrees_with_any_other_map() {
        for_each_seed(200, |seed| {
            let random = &mut Random::new(seed);
            let (mut few, mut map) = (Few::default(), BTreeMap::new());
            for step in 0..100 {
                let key = random.below(4);
                if random.one_in(2) {
                    assert_eq!(few.remove(&key), map.remove(&key));
                } else {
                    assert_eq!(few.insert(key, step), map.insert(key, step));
                }
                assert_eq!(few.get(&key), map.get(&key));
                assert_eq!((few.len(), few.is_empty()), (map.len(), map.is_empty()));
                let mut all: Vec<_> = few.iter().collect();
                all.sort_unstable();
                assert!(all.into_iter().eq(&map));
                assert_eq!(few.keys().count(), map.len());
            }
        });
    }
}
