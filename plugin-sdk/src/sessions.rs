//! Tells who is connected and what is subscribed to. The broker's configuration grants it.
//!
//! On targets other than WebAssembly the sessions are those that `stand_in` set on this thread.

use crate::Qos;

/// Entries that are asked for at once.
const PAGE: u32 = 500;

/// What was known of a session when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// The client identifier.
    pub client_id: String,
    /// The user name of the client that is or was connected last; none for an anonymous one.
    pub username: Option<String>,
    /// The address and port of that client.
    pub remote_address: String,
    /// Whether a client is connected.
    pub connected: bool,
    /// Whether it outlives its connection.
    pub persistent: bool,
    /// How many subscriptions it has.
    pub subscription_count: u32,
    /// How many messages were sent and are not acknowledged.
    pub inflight_messages: u32,
    /// How many messages wait to be sent.
    pub queued_messages: u32,
}

/// A subscription of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The topic filter.
    pub filter: String,
    /// The QoS that was granted.
    pub qos: Qos,
    /// Whether the client's own messages are left out.
    pub no_local: bool,
    /// Whether messages keep the RETAIN flag that they were published with.
    pub retain_as_published: bool,
    /// Which retained messages are sent for a SUBSCRIBE: 0 all, 1 those of a new subscription, 2 none.
    pub retain_handling: u8,
    /// The subscription identifier.
    pub identifier: Option<u32>,
}

/// How many sessions there are, connected or not.
pub fn count() -> u64 {
    host::count()
}

/// The client identifiers of all sessions, in no order; asked for in pages. Clients that come or go meanwhile may be
/// missing or be there.
pub fn client_ids() -> impl Iterator<Item = String> {
    let mut start = Some(None);
    let pages = std::iter::from_fn(move || {
        let (client_ids, next) = host::page(start?, PAGE);
        start = next.map(Some);
        Some(client_ids)
    });
    pages.flatten()
}

/// One session by its client identifier, if there is one.
pub fn find(client_id: &str) -> Option<Session> {
    host::find(client_id)
}

/// The subscriptions of one session, sorted by their filter; asked for in pages.
pub fn subscriptions(client_id: &str) -> impl Iterator<Item = Subscription> {
    let mut after: Option<String> = None;
    let mut over = false;
    let pages = std::iter::from_fn(move || {
        if over {
            return None;
        }
        let page = host::subscriptions(client_id, after.as_deref(), PAGE);
        after = page.last().map(|subscription| subscription.filter.clone());
        over = page.is_empty();
        Some(page)
    });
    pages.flatten()
}

#[cfg(target_family = "wasm")]
mod host {
    use super::{Session, Subscription};
    use crate::bindings::capabilities::amqtt::plugin::sessions as wit;

    pub(super) use wit::count;

    pub(super) fn page(start: Option<u64>, limit: u32) -> (Vec<String>, Option<u64>) {
        let page = wit::page(start, limit);
        (page.client_ids, page.next)
    }

    pub(super) fn find(client_id: &str) -> Option<Session> {
        wit::find(client_id).map(|session| Session {
            client_id: session.client_id(),
            username: session.username(),
            remote_address: session.remote_address(),
            connected: session.connected(),
            persistent: session.persistent(),
            subscription_count: session.subscription_count(),
            inflight_messages: session.inflight_messages(),
            queued_messages: session.queued_messages(),
        })
    }

    pub(super) fn subscriptions(client_id: &str, after: Option<&str>, limit: u32) -> Vec<Subscription> {
        let copy = |it: wit::Subscription| Subscription {
            filter: it.filter,
            qos: it.qos.into(),
            no_local: it.no_local,
            retain_as_published: it.retain_as_published,
            retain_handling: it.retain_handling,
            identifier: it.identifier,
        };
        wit::subscriptions(client_id, after, limit).into_iter().map(copy).collect()
    }
}

#[cfg(not(target_family = "wasm"))]
pub use host::stand_in;

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::cell::RefCell;

    use super::{Session, Subscription};

    thread_local! {
        static SESSIONS: RefCell<Vec<(Session, Vec<Subscription>)>> = const { RefCell::new(Vec::new()) };
    }

    /// Sets the sessions and their subscriptions on this thread, in unit tests.
    pub fn stand_in(sessions: Vec<(Session, Vec<Subscription>)>) {
        SESSIONS.set(sessions);
    }

    pub(super) fn count() -> u64 {
        SESSIONS.with_borrow(|sessions| sessions.len() as u64)
    }

    pub(super) fn page(start: Option<u64>, limit: u32) -> (Vec<String>, Option<u64>) {
        let (start, limit) = (start.unwrap_or(0) as usize, limit as usize);
        SESSIONS.with_borrow(|sessions| {
            let page = sessions.iter().skip(start).take(limit).map(|(session, _)| session.client_id.clone()).collect();
            (page, (start + limit < sessions.len()).then_some((start + limit) as u64))
        })
    }

    pub(super) fn find(client_id: &str) -> Option<Session> {
        SESSIONS.with_borrow(|sessions| {
            sessions.iter().find(|(session, _)| session.client_id == client_id).map(|(session, _)| session.clone())
        })
    }

    pub(super) fn subscriptions(client_id: &str, after: Option<&str>, limit: u32) -> Vec<Subscription> {
        SESSIONS.with_borrow(|sessions| {
            let of_client = sessions.iter().filter(|(session, _)| session.client_id == client_id);
            let mut found: Vec<_> = of_client
                .flat_map(|(_, subscriptions)| subscriptions)
                .filter(|it| after.is_none_or(|after| it.filter.as_str() > after))
                .cloned()
                .collect();
            found.sort_by(|a, b| a.filter.cmp(&b.filter));
            found.truncate(limit as usize);
            found
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_put_together() {
        let session = |number: u32| Session { client_id: number.to_string(), ..Session::default() };
        let subscription = |number: u32| Subscription {
            filter: format!("{number:04}"),
            qos: Qos::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
            identifier: None,
        };
        let of_first = (0..2 * PAGE).rev().map(subscription).collect();
        let mut sessions = vec![(session(0), of_first)];
        sessions.extend((1..=PAGE).map(|number| (session(number), Vec::new())));
        stand_in(sessions);
        assert_eq!(count(), u64::from(PAGE) + 1);
        assert!(client_ids().eq((0..=PAGE).map(|number| number.to_string())));
        assert!(subscriptions("0").map(|it| it.filter).eq((0..2 * PAGE).map(|number| format!("{number:04}"))));
        assert_eq!((subscriptions("1").count(), find("nobody")), (0, None));
    }
}
