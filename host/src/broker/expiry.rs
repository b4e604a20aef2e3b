use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Core;
use crate::hooks::{Event, EventKind, Hooks};

/// Time between two looks for expired sessions, at most.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// Ends the sessions of clients that do not come back, for as long as it is polled.
///
/// A session ends between its time and a quarter of that later, or a minute later if that is less.
pub(super) async fn end_expired(core: Arc<Core>, hooks: Arc<Hooks>) {
    let expiry = Duration::from_secs(core.limits.session_expiry_secs.into());
    if expiry.is_zero() {
        return;
    }
    let mut look = tokio::time::interval((expiry / 4).min(LOOK_MAX));
    loop {
        look.tick().await;
        let Some(then) = Instant::now().checked_sub(expiry) else { continue };
        for shard in 0..core.directory.shards() {
            for session in core.directory.expired(shard, then) {
                let (filters, _) = session.end();
                core.subscriptions.remove_all(&filters, &session);
                core.totals.expire();
                tracing::info!("the session of client {:?} has expired", session.client_id);
                if hooks.wants(EventKind::SessionExpired) {
                    hooks.emit(Event::of_client(EventKind::SessionExpired, &session.client()));
                }
            }
            // A million sessions take their time: messages go first.
            tokio::task::yield_now().await;
        }
    }
}
