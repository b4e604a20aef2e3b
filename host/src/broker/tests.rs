#![allow(clippy::panic, reason = "what is tested")]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use tokio::sync::mpsc;

use super::connection::{Client, Connected, End};
use super::core::Core;
use super::directory::Open;
use super::session::Link;
use super::verdicts::VerdictCache;
use super::worker::Worker;
use crate::hooks::{HookSpec, Hooks};
use crate::protocol::ClientTerms;
use crate::types::{
    Capabilities, ClientId, ClientInfo, ConnectFacts, Identity, Limits, Overlapping, Peer, SessionExpiry,
};

/// A fault of the broker while a client is served ends that client's connection, and nothing else.
#[test]
fn a_panic_in_a_turn_leaves_the_session_and_the_worker_in_order() {
    let (internal, _receiver) = mpsc::channel(1);
    let core = Arc::new(Core::new(Limits::default(), Capabilities::default(), Overlapping::Once, None, 1, internal));
    let hooks = Hooks::load(&HookSpec::default(), Arc::clone(&core) as _).expect("nothing to load");
    let worker = Rc::new(RefCell::new(Worker::new(Arc::clone(&core), hooks, 0)));
    let peer = Peer::tcp(([127, 0, 0, 1], 1).into(), "default".into());
    let (client_id, connect) = (ClientId::new("c"), ConnectFacts::default());
    let info = Arc::new(ClientInfo { client_id, identity: Identity::Anonymous, peer, connect });
    let link = |id| Link {
        id,
        client: Arc::clone(&info),
        terms: ClientTerms::default(),
        waker: Waker::noop().clone(),
        will: None,
        woken: false,
        close: false,
    };
    let expiry = SessionExpiry::WITH_CONNECTION;
    let open = |id| Open { client: &info, clean_start: true, expiry, link: link(id), generation: 1 };
    let opened = core.directory.open(open(1), &core.limits, Instant::now()).expect("has room");
    core.totals.connect();
    let client = Client {
        info: Arc::clone(&info),
        session: opened.session,
        link_id: 1,
        terms: ClientTerms::default(),
        told: Arc::clone(&core),
        verdicts: VerdictCache::default(),
        review: None,
        asking: None,
        owed: None,
        receiving: None,
        proven: None,
    };
    let connected = Connected { worker: Rc::clone(&worker), client, end: End::Panic };
    let turn = catch_unwind(AssertUnwindSafe(move || {
        let mut worker = connected.worker.borrow_mut();
        drop(std::mem::take(&mut worker.read_buffer));
        panic!("a fault of the broker");
    }));
    assert!(turn.is_err());
    assert_eq!(core.totals.connected(), 0);
    assert!(!worker.borrow().read_buffer.is_empty(), "others read into it");
    let opened = core.directory.open(open(2), &core.limits, Instant::now()).expect("has room");
    assert!(!opened.present && opened.will.is_none() && opened.ended.is_none(), "the session is gone");
}
