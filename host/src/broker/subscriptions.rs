use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::session::SessionHandle;
use super::shared::Share;
use crate::protocol::Terms;
use crate::routing::SubscriptionTree;
#[cfg(test)]
use crate::types::visits;
use crate::types::{ClientId, Overlapping, QoS, SubscriptionId, SubscriptionOptions, TopicFilter};

/// All subscriptions of the broker.
#[derive(Debug)]
pub(super) struct Subscriptions {
    trees: RwLock<Trees>,
    /// Goes up with every change, so that workers know when what they remember of it is stale.
    generation: AtomicU64,
    overlapping: Overlapping,
}

#[derive(Debug, Default)]
struct Trees {
    /// By session.
    single: SubscriptionTree<u64, Subscription>,
    /// By the group's name.
    shared: SubscriptionTree<Arc<str>, Group>,
    /// How many members those have together.
    members: usize,
}

/// A shared subscription.
#[derive(Debug, Clone)]
struct Group {
    /// With its name.
    filter: TopicFilter,
    members: Vec<Subscription>,
    cursor: Arc<AtomicUsize>,
}

/// One subscription of a session, but for its filter.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) session: Arc<SessionHandle>,
    pub(super) wanted: Wanted,
}

/// What a subscription asks for, as it was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) options: SubscriptionOptions,
    pub(super) id: Option<SubscriptionId>,
}

/// A session that messages of a topic go to, under all its subscriptions that match.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) session: Arc<SessionHandle>,
    qos: QoS,
    retain_as_published: bool,
    audience: Audience,
    /// Of those subscriptions that have one.
    ids: Option<Box<Ids>>,
}

#[derive(Debug)]
struct Ids(Vec<SubscriptionId>);

/// Whose messages go to a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    Everyone,
    /// All but its own `[MQTT-3.8.3-3]`.
    Others,
    /// Only its own: under those of its subscriptions that ask for them, where others do not.
    Itself,
}

impl Subscriptions {
    pub(super) fn new(overlapping: Overlapping) -> Self {
        Self { trees: RwLock::default(), generation: AtomicU64::new(1), overlapping }
    }

    /// Adds a subscription or replaces the session's one of the same filter `[MQTT-3.8.4-3]`.
    pub(super) fn insert(&self, filter: &TopicFilter, session: &Arc<SessionHandle>, wanted: Wanted) {
        let subscription = Subscription { session: Arc::clone(session), wanted };
        let mut trees = self.trees.write();
        if let Some((name, inner)) = filter.share() {
            trees.join(name.into(), filter, &inner, subscription);
        } else {
            trees.single.insert(filter, session.key, subscription);
        }
        drop(trees);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Takes one subscription away.
    pub(super) fn remove(&self, filter: &TopicFilter, session: &SessionHandle) {
        let mut trees = self.trees.write();
        if let Some((name, inner)) = filter.share() {
            trees.leave(name.into(), &inner, session.key);
        } else {
            trees.single.remove(filter, &session.key);
        }
        drop(trees);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Takes all subscriptions of a session away, which are these.
    pub(super) fn remove_all(&self, filters: &[TopicFilter], session: &SessionHandle) {
        // One lock for each, so that publishers are not kept out for long.
        for filter in filters {
            self.remove(filter, session);
        }
    }

    /// Whose subscriptions match a topic, those of one QoS together: each session once, with the highest QoS that it was
    /// granted and the identifiers of all `[MQTT-3.3.4-3]` to `[MQTT-3.3.4-5]`, or once for each of its subscriptions.
    /// Behind them the members of shared subscriptions, one subscription after the other.
    pub(super) fn subscribers(&self, topic: &str) -> (Vec<Subscriber>, Box<[Share]>) {
        let (mut found, mut groups): (Vec<Subscription>, Vec<Group>) = (Vec::new(), Vec::new());
        let trees = self.trees.read();
        trees.single.matches(topic, |_, subscription| found.push(subscription.clone()));
        if !trees.shared.is_empty() {
            trees.shared.matches(topic, |_, group| groups.push(group.clone()));
        }
        drop(trees);
        found.sort_unstable_by_key(|subscription| subscription.session.key);
        let mut subscribers = Vec::with_capacity(found.len());
        let once = self.overlapping == Overlapping::Once;
        for of_session in found.chunk_by(|a, b| once && a.session.key == b.session.key) {
            Subscriber::push_all(of_session, &mut subscribers);
        }
        subscribers.sort_by_key(|subscriber| subscriber.qos);
        let shares = groups.iter().map(|group| group.share(&mut subscribers)).collect();
        // One session may have had thousands of those that were found.
        subscribers.shrink_to_fit();
        (subscribers, shares)
    }

    /// The members of one shared subscription, if there are any left.
    pub(super) fn members(&self, filter: &TopicFilter) -> Option<(Vec<Subscriber>, Share)> {
        let (name, inner) = filter.share()?;
        let group = self.trees.read().shared.value(&inner, &name.into())?.clone();
        let mut subscribers = Vec::new();
        let share = group.share(&mut subscribers);
        Some((subscribers, share))
    }

    /// Changes when a match may have changed.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        let trees = self.trees.read();
        trees.single.len() + trees.members
    }

    /// How many of them are shared.
    pub(super) fn shared_len(&self) -> usize {
        self.trees.read().members
    }
}

impl Trees {
    fn join(&mut self, name: Arc<str>, filter: &TopicFilter, inner: &TopicFilter, subscription: Subscription) {
        let new = || Group { filter: filter.clone(), members: Vec::new(), cursor: Arc::default() };
        let mut group = self.shared.remove(inner, &name).unwrap_or_else(new);
        match group.members.iter_mut().find(|member| member.session.key == subscription.session.key) {
            Some(member) => *member = subscription,
            None => {
                group.members.push(subscription);
                self.members += 1;
            }
        }
        self.shared.insert(inner, name, group);
    }

    fn leave(&mut self, name: Arc<str>, inner: &TopicFilter, key: u64) {
        let Some(mut group) = self.shared.remove(inner, &name) else { return };
        let before = group.members.len();
        group.members.retain(|member| member.session.key != key);
        self.members -= before - group.members.len();
        if !group.members.is_empty() {
            self.shared.insert(inner, name, group);
        }
    }
}

impl Group {
    /// Appends the members to other subscribers.
    fn share(&self, subscribers: &mut Vec<Subscriber>) -> Share {
        let start = subscribers.len();
        let members = self.members.iter();
        #[cfg(test)]
        let members = members.inspect(|_| visits::count());
        subscribers.extend(members.filter_map(|member| Subscriber::merge([member].into_iter(), Audience::Everyone)));
        Share { filter: self.filter.clone(), members: start..subscribers.len(), cursor: Arc::clone(&self.cursor) }
    }
}

impl Subscriber {
    /// Whether this is how the session gets a message of this publisher; none for one that has no client.
    pub(super) fn is_for(&self, publisher: Option<&ClientId>) -> bool {
        let is_own = || publisher.is_some_and(|publisher| *publisher == self.session.client_id);
        match self.audience {
            Audience::Everyone => true,
            Audience::Others => !is_own(),
            Audience::Itself => is_own(),
        }
    }

    /// How a message is sent that was published with this RETAIN flag `[MQTT-3.3.1-12]` `[MQTT-3.3.1-13]`.
    pub(super) fn terms(&self, retain: bool) -> Terms<'_> {
        Terms {
            granted: self.qos,
            retain: retain && self.retain_as_published,
            subscription_ids: self.ids.as_deref().map_or(&[], |ids| &ids.0),
            share: None,
        }
    }

    /// What its identifiers take.
    pub(super) fn ids_bytes(&self) -> usize {
        self.ids.as_ref().map_or(0, |ids| size_of::<Ids>() + ids.0.capacity() * size_of::<SubscriptionId>())
    }

    /// Adds what becomes of the subscriptions of one session, of which there is at least one.
    fn push_all(subscriptions: &[Subscription], subscribers: &mut Vec<Self>) {
        let no_local = |subscription: &&Subscription| subscription.wanted.options.no_local;
        let audience =
            if subscriptions.iter().any(|one| no_local(&one)) { Audience::Others } else { Audience::Everyone };
        subscribers.extend(Self::merge(subscriptions.iter(), audience));
        if audience == Audience::Others {
            let local = subscriptions.iter().filter(|one| !no_local(one));
            subscribers.extend(Self::merge(local, Audience::Itself));
        }
    }

    fn merge<'a>(mut subscriptions: impl Iterator<Item = &'a Subscription>, audience: Audience) -> Option<Self> {
        let first = subscriptions.next()?;
        let Wanted { options, id } = first.wanted;
        let mut merged = Self {
            session: Arc::clone(&first.session),
            qos: options.qos,
            retain_as_published: options.retain_as_published,
            audience,
            ids: id.map(|id| Box::new(Ids(vec![id]))),
        };
        for Subscription { wanted: Wanted { options, id }, .. } in subscriptions {
            merged.qos = merged.qos.max(options.qos);
            merged.retain_as_published |= options.retain_as_published;
            if let Some(id) = id {
                merged.ids.get_or_insert_with(|| Box::new(Ids(Vec::new()))).0.push(*id);
            }
        }
        Some(merged)
    }
}
