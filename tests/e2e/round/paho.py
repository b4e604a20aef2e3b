"""The round of `mod.rs` with paho: PORT round BYTES, or PORT many CLIENTS; then what carries MQTT, `tcp` unless it is
`tls`, `ws` or `wss`, and a file with who vouches for the broker. Every wait has a bound."""

import queue
import resource
import selectors
import sys
import time

import paho.mqtt.client as mqtt

PATIENCE = 20
PORT = int(sys.argv[1])
CARRIER, AUTHORITY = (sys.argv[4:] + ["tcp", None])[:2]


def client(name, clean=True, protocol=mqtt.MQTTv311):
    made = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=name,
        clean_session=clean,
        protocol=protocol,
        transport="websockets" if CARRIER in ("ws", "wss") else "tcp",
    )
    if CARRIER in ("tls", "wss"):
        made.tls_set(ca_certs=AUTHORITY)
    made.on_connect = lambda c, u, flags, reason, p: c.user_data_get().put((flags.session_present, reason))
    made.on_subscribe = lambda c, u, mid, reasons, p: c.user_data_get().put(("subscribed", reasons[0].value))
    made.user_data_set(queue.Queue())
    made.messages = queue.Queue()
    made.on_message = lambda c, u, message: made.messages.put(message)
    return made


def connected(name, **options):
    """A client with a thread of its own, once its CONNACK has come; and whether its session was there."""
    will = options.pop("will", None)
    made = client(name, **options)
    if will:
        made.will_set(*will)
    made.connect("127.0.0.1", PORT)
    made.loop_start()
    present, reason = made.user_data_get().get(timeout=PATIENCE)
    assert reason == 0, reason
    return made, present


def subscribe(made, topic, qos):
    made.subscribe(topic, qos)
    assert made.user_data_get().get(timeout=PATIENCE) == ("subscribed", qos)


def publish(made, topic, payload, qos, retain=False):
    sent = made.publish(topic, payload, qos, retain)
    sent.wait_for_publish(PATIENCE)
    assert sent.is_published(), topic


def expect(made, *wanted):
    for one in wanted:
        message = made.messages.get(timeout=PATIENCE)
        got = (message.topic, message.qos, message.retain, message.payload)
        assert got == one, (got[:3], one[:3], len(got[3]), len(one[3]))


def leave(made):
    made.disconnect()
    made.loop_stop()


def do_round(large):
    publisher, _ = connected("publisher")
    subscriber, present = connected("subscriber", clean=False)
    assert not present
    subscribe(subscriber, "round/#", 2)
    for qos in 0, 1, 2:
        publish(publisher, "round/qos", b"hello", qos)
        expect(subscriber, ("round/qos", qos, False, b"hello"))
    for payload in b"set", b"replaced", b"":
        publish(publisher, "round/kept", payload, 1, retain=True)
        expect(subscriber, ("round/kept", 1, False, payload))
        late, _ = connected("late")
        subscribe(late, "round/kept", 1)
        publish(late, "round/kept", b"live", 1)
        expect(subscriber, ("round/kept", 1, False, b"live"))
        if payload:
            expect(late, ("round/kept", 1, True, payload))
        expect(late, ("round/kept", 1, False, b"live"))
        leave(late)
    vanishing, _ = connected("vanishing", will=("round/will", b"gone", 2, False))
    vanishing.loop_stop()
    vanishing.socket().close()
    expect(subscriber, ("round/will", 2, False, b"gone"))
    leave(subscriber)
    for qos, payload in (0, b"lost"), (1, b"one"), (2, b"two"):
        publish(publisher, "round/waits", payload, qos)
    subscriber, present = connected("subscriber", clean=False)
    assert present
    expect(subscriber, ("round/waits", 1, False, b"one"), ("round/waits", 2, False, b"two"))
    payload = bytes(range(251)) * (large // 251 + 1)
    publish(publisher, "round/large", payload[:large], 2)
    expect(subscriber, ("round/large", 2, False, payload[:large]))
    # The version before: its client identifiers have at most 23 characters.
    old, _ = connected("a client of MQTT 3.1...", protocol=mqtt.MQTTv31)
    subscribe(old, "old", 1)
    publish(old, "old", b"hello", 2)
    expect(old, ("old", 1, False, b"hello"))
    for one in publisher, subscriber, old:
        leave(one)


def many(count):
    """All of them in one thread: each waits until all are subscribed, and sends the next one a message."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    watched = selectors.DefaultSelector()
    clients = [client(f"client-{number}") for number in range(count)]
    state = {"subscribed": 0}
    received = {}

    def on_connect(made, number, flags, reason, properties):
        assert reason == 0, reason
        made.subscribe(f"to/{number}", 1)

    def on_subscribe(made, number, mid, reasons, properties):
        state["subscribed"] += 1

    def on_message(made, number, message):
        assert number not in received, number
        received[number] = message.payload

    for number, made in enumerate(clients):
        made.user_data_set(number)
        made.on_connect, made.on_subscribe, made.on_message = on_connect, on_subscribe, on_message
        made.connect("127.0.0.1", PORT)
        watched.register(made.socket(), selectors.EVENT_READ, made)

    def run_until(done, what):
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, what()
            for key, _ in watched.select(0.1):
                result = key.data.loop_read()
                assert result == mqtt.MQTT_ERR_SUCCESS, result
            for made in clients:
                while made.want_write():
                    made.loop_write()

    run_until(lambda: state["subscribed"] == count, lambda: state)
    for number, made in enumerate(clients):
        made.publish(f"to/{(number + 1) % count}", str(number), 1)
    run_until(lambda: len(received) == count, lambda: len(received))
    for number, payload in received.items():
        assert int(payload) == (number - 1) % count, (number, payload)


what, argument = sys.argv[2], int(sys.argv[3])
{"round": do_round, "many": many}[what](argument)
print(f"{what} complete")
