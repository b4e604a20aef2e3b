"""With paho and MQTT 5.0, a question and its answer: identifiers, aliases, expiry, No Local, user properties. PORT.

Its aliases are one-way: paho does not resolve those that it is sent.
"""

import sys, threading
import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

port = int(sys.argv[1])
done, told = threading.Event(), {}

def properties(kind, **values):
    made = Properties(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made

def on_connect(client, userdata, flags, reason, properties_):
    assert reason == 0, reason
    told["connack"] = properties_
    options = SubscribeOptions(qos=2, noLocal=(client is asker))
    client.subscribe("asked/#", options=options, properties=properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=7))

def on_subscribe(client, userdata, mid, reasons, properties_):
    assert [reason.value for reason in reasons] == [2], reasons
    if client is answerer:
        asker.connect("127.0.0.1", port, clean_start=True, properties=properties(PacketTypes.CONNECT,
            SessionExpiryInterval=30, ReceiveMaximum=5))
        asker.loop_start()
        return
    for number in range(20):
        request = properties(PacketTypes.PUBLISH, ResponseTopic="asked/answer", CorrelationData=bytes([number]),
            MessageExpiryInterval=60, ContentType="number", TopicAlias=1, UserProperty=[("b", "1"), ("a", "2"), ("b", "3")])
        client.publish("asked/question", str(number), qos=number % 3, properties=request)

answers = set()

def on_message(client, userdata, message):
    said = message.properties
    assert said.SubscriptionIdentifier == [7], said
    if message.topic == "asked/answer":
        if client is asker:
            answers.add(said.CorrelationData)
            assert message.payload == bytes([said.CorrelationData[0] + 1])
            if len(answers) == 20:
                done.set()
        return
    assert client is answerer, "No Local"
    assert (said.ContentType, said.MessageExpiryInterval) == ("number", 60), said
    assert said.UserProperty == [("b", "1"), ("a", "2"), ("b", "3")], said
    answer = properties(PacketTypes.PUBLISH, CorrelationData=said.CorrelationData)
    client.publish(said.ResponseTopic, bytes([said.CorrelationData[0] + 1]), qos=1, properties=answer)

def client(name):
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
    made.on_connect, made.on_subscribe, made.on_message = on_connect, on_subscribe, on_message
    return made

asker, answerer = client(""), client("answerer")
answerer.connect("127.0.0.1", port)
answerer.loop_start()
assert done.wait(20), answers
assert told["connack"].AssignedClientIdentifier, told
for one in (asker, answerer):
    one.disconnect()
    one.loop_stop()
print("round complete")
