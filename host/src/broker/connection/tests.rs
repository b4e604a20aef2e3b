//! Connections whose peers take what is written slowly, or fast.

use std::net::Ipv4Addr;
use std::task::Waker;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::*;
use crate::broker::tests::{open, publish, send_owed, subscribe, worker, worker_with};

/// A wire to a peer, which has sent its CONNECT at `now`.
async fn wire(limits: &Limits, now: Instant) -> (Wire, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let peer = TcpStream::connect(listener.local_addr().expect("has an address")).await.expect("is accepted");
    let (stream, _) = listener.accept().await.expect("comes");
    let mut protocol = Connection::new(now, limits);
    let frame = next_frame(b"\x10\x0d\0\x04MQTT\x04\x02\xff\xff\0\x01x", 100).expect("valid").expect("whole");
    assert!(protocol.handle_connect(frame, limits, &Capabilities::default()).is_ok());
    (Wire { transport: Transport::Tcp(stream), reader: Reader::default(), writer: Writer::default(), protocol }, peer)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { timeout(Duration::from_secs(60), test).await }).expect("ends in time");
}

/// One turn of the connection, which has begun at `now`. Says whether it has written something.
fn turn(worker: &mut Worker, wire: &mut Wire, client: &mut Client, now: Instant) -> bool {
    let before = wire.writer.len();
    (worker.now, worker.turn) = (now, Turn::default());
    let turn = take_turn(worker, wire, client, &mut None, &mut Context::from_waker(Waker::noop()));
    assert!(turn.is_pending(), "{turn:?}");
    wire.writer.len() < before
}

/// `[MQTT-3.1.2-24]` is for clients that have gone: what this one says is not read meanwhile.
#[test]
fn who_takes_what_is_written_is_heard_and_who_takes_nothing_is_not() {
    run(async {
        let (core, mut worker) = worker();
        let (began, mut client) = (Instant::now(), open(&core, "c", 1));
        let (mut wire, mut peer) = wire(&core.limits, began).await;
        // More than the system keeps for a connection.
        wire.writer.replies().extend_from_slice(&vec![0; 32 << 20]);
        while !turn(&mut worker, &mut wire, &mut client, began) {
            yield_now().await;
        }
        let silent_at = wire.protocol.poll_timeout();
        let later = began + Duration::from_secs(1);
        assert!(!turn(&mut worker, &mut wire, &mut client, later), "nothing has been taken since");
        assert_eq!(wire.protocol.poll_timeout(), silent_at);
        peer.read_exact(&mut vec![0; 1 << 20]).await.expect("comes");
        while !turn(&mut worker, &mut wire, &mut client, later) {
            yield_now().await;
        }
        assert_eq!(wire.protocol.poll_timeout(), silent_at.map(|at| at + Duration::from_secs(1)));
    });
}

/// Who takes all that is written at once keeps nobody waiting for that.
#[test]
fn what_waits_is_written_in_turns() {
    const MESSAGES: usize = 1_000;
    run(async {
        let (core, mut worker) = worker_with(Limits { outgoing_bytes_max: 16 << 10, ..Limits::default() });
        let mut client = open(&core, "c", 1);
        let (mut wire, mut peer) = wire(&core.limits, worker.now).await;
        let payload = "x".repeat(90);
        (0..MESSAGES).for_each(|number| publish(&mut worker, &format!("r/{number:03}"), &payload, true));
        subscribe(&mut worker, &mut client, &[("r/#", 0)]);
        send_owed(&mut worker, &mut client);
        let long_ago = Instant::now().checked_sub(Duration::from_secs(1)).expect("the machine runs");
        let sent = |worker: &Worker| worker.stats().publish_sent.value() as usize;
        let mut turns = 0;
        while sent(&worker) < MESSAGES {
            let before = sent(&worker);
            turn(&mut worker, &mut wire, &mut client, long_ago);
            assert!(sent(&worker) < before + MESSAGES / 2, "{} in one turn", sent(&worker) - before);
            turns += 1;
            yield_now().await;
        }
        assert!(turns > 2);
        peer.read_exact(&mut vec![0; MESSAGES * (2 + 2 + 5 + 90)]).await.expect("all of it comes");
    });
}
