use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnAck, ConnectReturnCode, ConnectionError, Event, MqttOptions, Packet, Publish, QoS,
    SubscribeReasonCode,
};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::broker::{Broker, PATIENCE};

/// A `rumqttc` client that can be asked what happened.
pub(crate) struct Client {
    rumqttc: AsyncClient,
    events: Receiver<Packet>,
    received: Vec<Publish>,
    /// Dropped to end the connection without a DISCONNECT.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    pub(crate) session_present: bool,
    fence: String,
}

/// Options of a client with this identifier.
pub(crate) fn options(broker: &Broker, client_id: &str) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, "127.0.0.1", broker.port);
    options.set_max_packet_size(64 << 20, 64 << 20).set_keep_alive(Duration::from_secs(30));
    options
}

impl Client {
    /// Connects, or panics.
    pub(crate) fn connect(broker: &Broker, client_id: &str) -> Self {
        Self::connect_with(options(broker, client_id)).unwrap_or_else(|code| panic!("refused: {code:?}"))
    }

    /// Connects, or returns the return code that says why not.
    pub(crate) fn connect_with(options: MqttOptions) -> Result<Self, ConnectReturnCode> {
        static CLIENTS: AtomicUsize = AtomicUsize::new(0);
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (rumqttc, mut event_loop) = AsyncClient::new(options, 1_000);
        let first = runtime.block_on(async { tokio::time::timeout(PATIENCE, event_loop.poll()).await });
        let session_present = match first.expect("the broker answers") {
            Ok(Event::Incoming(Packet::ConnAck(ConnAck { session_present, .. }))) => session_present,
            Err(ConnectionError::ConnectionRefused(code)) => return Err(code),
            other => panic!("no CONNACK but {other:?}"),
        };
        let (sender, events) = channel();
        let (stop, mut stopped) = oneshot::channel::<()>();
        let exchange = async move {
            loop {
                let event = tokio::select! {
                    event = event_loop.poll() => event,
                    _ = &mut stopped => return,
                };
                let Ok(event) = event else { return };
                if let Event::Incoming(packet) = event
                    && sender.send(packet).is_err()
                {
                    return;
                }
            }
        };
        let thread = std::thread::spawn(move || runtime.block_on(exchange));
        let fence = format!("fence/{}", CLIENTS.fetch_add(1, Ordering::Relaxed));
        let received = Vec::new();
        Ok(Self { rumqttc, events, received, stop: Some(stop), thread: Some(thread), session_present, fence })
    }

    /// Subscribes and returns what the SUBACK says.
    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) -> SubscribeReasonCode {
        self.rumqttc.try_subscribe(filter, qos).expect("has room");
        match self.wait(|packet| matches!(packet, Packet::SubAck(_))) {
            Packet::SubAck(suback) => suback.return_codes[0],
            _ => unreachable!("waited for a SUBACK"),
        }
    }

    pub(crate) fn unsubscribe(&mut self, filter: &str) {
        self.rumqttc.try_unsubscribe(filter).expect("has room");
        self.wait(|packet| matches!(packet, Packet::UnsubAck(_)));
    }

    /// Publishes and waits for the acknowledgement, at QoS 0 until the broker has read it.
    pub(crate) fn publish(&mut self, topic: &str, qos: QoS, retain: bool, payload: impl Into<Vec<u8>>) {
        self.rumqttc.try_publish(topic, qos, retain, payload).expect("has room");
        match qos {
            QoS::AtMostOnce => self.ping(),
            QoS::AtLeastOnce => drop(self.wait(|packet| matches!(packet, Packet::PubAck(_)))),
            QoS::ExactlyOnce => drop(self.wait(|packet| matches!(packet, Packet::PubComp(_)))),
        }
    }

    /// An answer to this means that everything before it has been dealt with.
    fn ping(&mut self) {
        self.rumqttc.try_unsubscribe("nothing").expect("has room");
        self.wait(|packet| matches!(packet, Packet::UnsubAck(_)));
    }

    /// The next message.
    pub(crate) fn receive(&mut self) -> Publish {
        if self.received.is_empty() {
            self.wait(|packet| matches!(packet, Packet::Publish(_)));
        }
        self.received.remove(0)
    }

    /// The messages that have come, without waiting for any.
    pub(crate) fn received_so_far(&mut self) -> Vec<Publish> {
        let come = self.events.try_iter().filter_map(|packet| match packet {
            Packet::Publish(publish) => Some(publish),
            _ => None,
        });
        self.received.extend(come);
        std::mem::take(&mut self.received)
    }

    /// The next message in words: topic, payload, and `r` if it is marked as retained.
    pub(crate) fn receive_words(&mut self) -> String {
        words(&self.receive())
    }

    /// Every message that has come, in words, without waiting for others: a message that the client sends itself
    /// follows all that were sent before.
    pub(crate) fn receive_all(&mut self) -> Vec<String> {
        let fence = self.fence.clone();
        self.subscribe(&fence, QoS::AtMostOnce);
        self.publish(&fence, QoS::AtMostOnce, false, "");
        while self.received.last().is_none_or(|publish| publish.topic != fence) {
            self.wait(|packet| matches!(packet, Packet::Publish(_)));
        }
        self.received.pop();
        self.received.drain(..).map(|publish| words(&publish)).collect()
    }

    /// Ends the connection with a DISCONNECT.
    pub(crate) fn disconnect(mut self) {
        self.rumqttc.try_disconnect().expect("has room");
        self.thread.take().expect("runs").join().expect("ends well");
    }

    /// Ends the connection without one.
    pub(crate) fn vanish(self) {
        drop(self);
    }

    /// Waits until the broker has closed the connection.
    pub(crate) fn wait_closed(&mut self) {
        loop {
            match self.events.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("the connection is still open"),
            }
        }
    }

    fn wait(&mut self, wanted: impl Fn(&Packet) -> bool) -> Packet {
        loop {
            let packet = self.events.recv_timeout(PATIENCE).expect("the broker answers");
            if let Packet::Publish(publish) = &packet {
                self.received.push(publish.clone());
            }
            if wanted(&packet) {
                return packet;
            }
        }
    }
}

fn words(publish: &Publish) -> String {
    let retained = if publish.retain { " r" } else { "" };
    format!("{} {}{retained}", publish.topic, String::from_utf8_lossy(&publish.payload))
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
