use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::{Core, Internal};
use crate::hooks::{Event, EventKind, Hooks};

/// Time between two looks for what has fallen due.
const LOOK: Duration = Duration::from_millis(500);

/// Publishes delayed wills, ends the sessions of clients that do not come back and drops retained messages that have
/// expired, for as long as it is polled.
///
/// Each happens at its time or up to [`LOOK`] later. A client that comes back meanwhile finds no session that is over.
pub(super) async fn end_expired(core: Arc<Core>, hooks: Arc<Hooks>) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let now = Instant::now();
        // A million messages take their time: others go first.
        while core.retained.drop_some_expired(now) {
            tokio::task::yield_now().await;
        }
        for shard in 0..core.directory.shards() {
            let due = core.directory.due(shard, now);
            if due.is_empty() {
                continue;
            }
            for (session, will, ended) in due {
                if let Some(ended) = ended {
                    core.subscriptions.remove_all(&ended.filters, &session);
                    if !ended.orphans.is_empty() {
                        drop(core.internal.send(Internal::Orphans(ended.orphans)).await);
                    }
                    core.totals.expire();
                    tracing::info!("the session of client {:?} has expired", session.client_id);
                    if hooks.wants(EventKind::SessionExpired) {
                        hooks.emit(Event::of_client(EventKind::SessionExpired, &session.client()));
                    }
                }
                if let Some((client, will)) = will {
                    // Fails only when the broker ends, which publishes wills itself.
                    drop(core.internal.send(Internal::Will(client, will)).await);
                }
            }
            // So do a million sessions.
            tokio::task::yield_now().await;
        }
    }
}
