use std::rc::Rc;

use tokio::sync::Semaphore;
use tokio::task::yield_now;

/// Where the connections of a worker that come or go wait for each other, in the order in which they came.
///
/// A thousand that come at once are each a little work, and together enough to make the messages of others late. So one
/// is let through at a time, and before it everything else that is ready has its turn, what has meanwhile come over the
/// network included.
#[derive(Debug, Clone)]
pub(super) struct Doorway(Rc<Semaphore>);

impl Default for Doorway {
    fn default() -> Self {
        Self(Rc::new(Semaphore::new(1)))
    }
}

impl Doorway {
    /// Waits for its turn: what is done right after it is what others have to wait for.
    pub(super) async fn pass(&self) {
        // It is never closed.
        let _in_front = self.0.acquire().await;
        // A thread's runtime looks at its sockets before it goes on with what has yielded.
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use tokio::runtime::{Builder, LocalOptions};
    use tokio::sync::Notify;
    use tokio::task::spawn_local;
    use tokio::time::timeout;

    use super::*;

    /// Whatever is ready comes between two of those that wait, however many these are.
    #[test]
    fn others_have_their_turn_between_two_that_come() {
        const COMING: usize = 100;
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).expect("starts");
        let order = Rc::new(RefCell::new(Vec::new()));
        runtime.block_on(async {
            let (doorway, came) = (Doorway::default(), Rc::new(Notify::new()));
            for _ in 0..COMING {
                let (doorway, came, order) = (doorway.clone(), Rc::clone(&came), Rc::clone(&order));
                spawn_local(async move {
                    doorway.pass().await;
                    order.borrow_mut().push("comes");
                    came.notify_one();
                });
            }
            // Another connection, which has something to do after each of them.
            let other = async {
                for _ in 0..COMING {
                    came.notified().await;
                    order.borrow_mut().push("other");
                }
            };
            timeout(Duration::from_secs(20), other).await.expect("all come");
        });
        let expected = ["comes", "other"].repeat(COMING);
        assert_eq!(*order.borrow(), expected);
    }
}
