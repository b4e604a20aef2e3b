use std::ops::ControlFlow;

use super::children::Children;
use super::level::hidden_from_wildcards;
#[cfg(test)]
use crate::types::visits;
use crate::types::{TopicFilter, TopicName};

/// One value for each topic, looked up by topic filter.
///
/// A lookup visits the topics under the filter's literal levels, not the whole store.
#[derive(Debug)]
pub struct RetainedTree<V> {
    root: Node<V>,
    len: usize,
    /// Nodes below the root.
    levels: usize,
}

/// How far a lookup has come: the numbers, from the root on, of the node that comes next, among those beside it; 0 where the
/// filter has a name. Nothing has been looked at by default.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Progress(Vec<u64>);

/// Bytes of a level in a filter that are looked for at the cost of one look at a node.
const BYTES_PER_LOOK: usize = 64;

/// A lookup that is under way.
struct Walk<F> {
    /// The numbers of the node that it is at.
    at: Vec<u64>,
    work_left: usize,
    found: F,
}

impl<F> Walk<F> {
    fn spend(&mut self, work: usize) {
        self.work_left = self.work_left.saturating_sub(work);
    }

    fn tell<'a, V>(&mut self, value: Option<&'a V>)
    where
        F: FnMut(&'a V) -> usize,
    {
        if let Some(value) = value {
            let work = (self.found)(value);
            self.spend(work);
        }
    }
}

#[derive(Debug)]
struct Node<V> {
    value: Option<V>,
    children: Children<Node<V>>,
}

impl<V> RetainedTree<V> {
    /// A tree without values.
    pub fn new() -> Self {
        Self { root: Node::new(), len: 0, levels: 0 }
    }

    /// Stores the value of a topic and returns the one it replaces.
    pub fn insert(&mut self, topic: &TopicName, value: V) -> Option<V> {
        let (mut node, mut made) = (&mut self.root, 0);
        for level in topic.as_str().split('/') {
            node = node.children.get_or_insert_with(level, || {
                made += 1;
                Node::new()
            });
        }
        self.levels += made;
        let old = node.value.replace(value);
        self.len += usize::from(old.is_none());
        old
    }

    /// The value of a topic.
    pub fn value(&self, topic: &TopicName) -> Option<&V> {
        let mut node = &self.root;
        for level in topic.as_str().split('/') {
            node = node.children.get(level)?;
        }
        node.value.as_ref()
    }

    /// Takes the value of a topic away and returns it.
    pub fn remove(&mut self, topic: &TopicName) -> Option<V> {
        let removed = self.root.remove(&mut topic.as_str().split('/'), &mut self.levels);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Calls `found` with the value of every topic that `filter` matches.
    pub fn matches<'a>(&'a self, filter: &TopicFilter, mut found: impl FnMut(&'a V)) {
        let found = |value| {
            found(value);
            0
        };
        self.matches_on(filter, Progress::default(), usize::MAX, found);
    }

    /// The same a part at a time: goes on from what has been looked at, and ends after so much work, in units of one topic
    /// level that is looked at. `found` says how much it has added to that. Says how far it has come, or nothing where that
    /// is the end.
    ///
    /// Values that are there all the time are found once, whatever becomes of others between two parts. Those that come
    /// meanwhile may be found or not.
    pub fn matches_on<'a>(
        &'a self,
        filter: &TopicFilter,
        from: Progress,
        work_max: usize,
        found: impl FnMut(&'a V) -> usize,
    ) -> Option<Progress> {
        let mut walk = Walk { at: Vec::new(), work_left: work_max.max(1), found };
        let walked = self.root.walk(Some(filter.as_str()), true, &from.0, &mut walk);
        walked.is_break().then_some(Progress(walk.at))
    }

    /// How many levels their topics have, what several begin with counted once: the memory that the tree takes is in
    /// proportion to that.
    pub fn levels(&self) -> usize {
        self.levels
    }

    /// How many topics have a value.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<V> Default for RetainedTree<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Node<V> {
    fn new() -> Self {
        Self { value: None, children: Children::NONE }
    }

    /// Counts down the nodes that are dropped.
    fn remove<'a>(&mut self, levels: &mut impl Iterator<Item = &'a str>, nodes: &mut usize) -> Option<V> {
        let Some(level) = levels.next() else {
            return self.value.take();
        };
        let child = self.children.get_mut(level)?;
        let removed = child.remove(levels, nodes);
        if child.value.is_none() && child.children.is_empty() {
            self.children.remove(level);
            *nodes -= 1;
        }
        removed
    }

    /// `rest` is what of the filter lies below this node; none where the filter ends here. What lies before `from` has been
    /// looked at, and so has this node if that is not empty.
    fn walk<'a, F: FnMut(&'a V) -> usize>(
        &'a self,
        rest: Option<&str>,
        at_root: bool,
        from: &[u64],
        walk: &mut Walk<F>,
    ) -> ControlFlow<()> {
        let is_new = from.is_empty();
        #[cfg(test)]
        if is_new {
            visits::count();
        }
        let Some(rest) = rest else {
            walk.tell(self.value.as_ref());
            return ControlFlow::Continue(());
        };
        let (level, below) = match rest.split_once('/') {
            Some((level, below)) => (level, Some(below)),
            None => (rest, None),
        };
        let after = from.get(1..).unwrap_or_default();
        let below = match level {
            "+" => below,
            "#" => {
                if is_new {
                    walk.tell(self.value.as_ref());
                }
                Some(rest)
            }
            level => {
                if is_new {
                    walk.spend(1 + level.len() / BYTES_PER_LOOK);
                }
                let Some(child) = self.children.get(level) else { return ControlFlow::Continue(()) };
                walk.at.push(0);
                child.walk(below, false, after, walk)?;
                walk.at.pop();
                return ControlFlow::Continue(());
            }
        };
        let begin = from.first().copied().unwrap_or(0);
        for (number, child) in self.children.from(begin) {
            walk.at.push(number);
            let from = if number == begin { after } else { &[] };
            if from.is_empty() {
                if walk.work_left == 0 {
                    return ControlFlow::Break(());
                }
                walk.spend(1);
            }
            if let Some((name, child)) = child
                && !(at_root && hidden_from_wildcards(name))
            {
                child.walk(below, false, from, walk)?;
            }
            walk.at.pop();
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPICS: &[&str] = &["a", "a/b", "a/b/c", "a//c", "/", "/a", "b", "$SYS/a", "$SYS", "a/"];

    fn tree() -> RetainedTree<&'static str> {
        let mut tree = RetainedTree::new();
        for topic in TOPICS {
            tree.insert(&TopicName::new(topic).expect("valid topic"), *topic);
        }
        tree
    }

    #[test]
    fn a_lookup_agrees_with_matching_one_topic_at_a_time() {
        let tree = tree();
        for filter in ["#", "+", "+/+", "a/#", "a/+", "a/+/c", "/#", "+/a", "$SYS/#", "$SYS/+", "a", "+/#", "/", "x/#"]
        {
            let filter = TopicFilter::new(filter).expect("valid filter");
            let mut expected: Vec<&str> = TOPICS.iter().copied().filter(|topic| filter.matches(topic)).collect();
            expected.sort_unstable();
            let mut found = Vec::new();
            tree.matches(&filter, |topic| found.push(*topic));
            found.sort_unstable();
            assert_eq!(found, expected, "filter {filter:?}");
        }
    }

    #[test]
    fn removing_everything_leaves_no_nodes() {
        let mut tree = tree();
        assert_eq!(tree.len(), TOPICS.len());
        for topic in TOPICS {
            let name = TopicName::new(topic).expect("valid topic");
            assert_eq!(tree.value(&name), Some(topic));
            assert_eq!(tree.remove(&name), Some(*topic));
            assert_eq!(tree.remove(&name), None);
        }
        assert!(tree.is_empty() && tree.root.children.is_empty());
    }

    /// A sensor that has another name after each start.
    #[test]
    fn topics_that_come_and_go_take_no_more_room() {
        let mut tree = tree();
        let topic = |number: u32| TopicName::new(&format!("device-{number}")).expect("valid topic");
        for number in 0..1_000 {
            tree.insert(&topic(number), "");
            assert_eq!(tree.remove(&topic(number)), Some(""));
        }
        let looked_at = tree.root.children.from(0).count();
        assert!(looked_at <= 2 * TOPICS.len(), "{looked_at}");
    }

    /// Below a wildcard, what a filter names is looked at for each child.
    #[test]
    fn a_part_of_a_lookup_is_bounded_however_deep_the_filter_is() {
        let (mut tree, below) = (RetainedTree::new(), "/a".repeat(100));
        for number in 0..100 {
            tree.insert(&TopicName::new(&format!("{number}{below}")).expect("valid topic"), ());
        }
        let filter = TopicFilter::new(&format!("+{below}")).expect("valid filter");
        let (mut progress, mut found) = (Some(Progress::default()), 0);
        while let Some(from) = progress.take() {
            let part = || {
                progress = tree.matches_on(&filter, from, 50, |()| {
                    found += 1;
                    0
                })
            };
            let visited = visits::of(part);
            assert!(visited <= 50 + 102, "{visited}");
        }
        assert_eq!(found, 100);
    }

    #[test]
    fn a_lookup_does_not_visit_what_the_filter_excludes() {
        let mut tree = RetainedTree::new();
        for number in 0..50_000 {
            let topic = format!("site/{}/device-{}/{number}", number % 100, number / 100 % 50);
            tree.insert(&TopicName::new(&topic).expect("valid topic"), ());
        }
        let check = |filter: &str, found: usize, visited_max: usize| {
            let filter = TopicFilter::new(filter).expect("valid filter");
            let mut matching = 0;
            let visited = visits::of(|| tree.matches(&filter, |()| matching += 1));
            assert_eq!(matching, found, "{filter:?}");
            assert!(visited <= visited_max, "{filter:?} looks at {visited} nodes");
        };
        check("site/7/device-3/307", 1, 5);
        check("site/7/device-3/+", 10, 4 + 10);
        check("site/7/#", 500, 3 + 50 + 500);
        check("site/+/device-3/307", 1, 2 + 100 + 100 + 1);
        check("+/none", 0, 2);
        check("elsewhere/#", 0, 1);
    }
}
