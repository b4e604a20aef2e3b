use std::collections::HashMap;

use crate::types::SharedKeys;

/// The children of a node, by topic level.
///
/// There are as many nodes as subscriptions, or more, and most have one child or none: for those it needs no table.
#[derive(Debug)]
pub(super) struct Children<N>(Option<Box<Family<N>>>);

#[derive(Debug)]
enum Family<N> {
    One(Box<str>, N),
    Many(HashMap<Box<str>, N, SharedKeys>),
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
            Some(Family::One(name, other)) => Family::Many([(name, other), (level, child)].into_iter().collect()),
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
                children.is_empty()
            }
        };
        if is_last {
            self.0 = None;
        }
    }

    /// All children and their levels.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &N)> {
        let (one, many) = match self.0.as_deref() {
            None => (None, None),
            Some(Family::One(name, child)) => (Some((name, child)), None),
            Some(Family::Many(children)) => (None, Some(children)),
        };
        one.into_iter().chain(many.into_iter().flatten()).map(|(name, child)| (&**name, child))
    }
}
