//! Publishes statistics of the broker under `$SYS/broker`. `README.md` lists the topics.

use amqtt_plugin_sdk::{Interests, Plugin, Qos, Ticks, broker_info, log, plugin, publisher};
use serde::Deserialize;

/// Seconds between two rounds where the settings say nothing.
const SYS_INTERVAL_SECS: u32 = 20;

/// Which topics below `$SYS/broker/` tell a counter: amqtt's name, then that of mosquitto where it is another.
const TOPICS: [(&str, &[&str]); 14] = [
    ("clients-connected", &["clients/connected"]),
    ("clients-disconnected", &["clients/disconnected"]),
    ("clients-maximum", &["clients/maximum"]),
    ("clients-total", &["clients/total"]),
    ("messages-received", &["messages/received"]),
    ("messages-sent", &["messages/sent"]),
    ("publish-received", &["messages/publish/received", "publish/messages/received"]),
    ("publish-sent", &["messages/publish/sent", "publish/messages/sent"]),
    ("publish-dropped", &["publish/messages/dropped"]),
    ("messages-inflight", &["messages/inflight"]),
    ("bytes-received", &["load/bytes/received", "bytes/received"]),
    ("bytes-sent", &["load/bytes/sent", "bytes/sent"]),
    ("retained-count", &["messages/retained/count", "retained messages/count"]),
    ("subscriptions-count", &["messages/subscriptions/count", "subscriptions/count"]),
];

struct BrokerSys {
    interval_secs: u32,
    /// The version does not change: it is published once.
    told_version: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    sys_interval: Option<u32>,
}

impl Plugin for BrokerSys {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(BrokerSys { interval_secs: settings.sys_interval.unwrap_or(SYS_INTERVAL_SECS), told_version: false })
    }

    fn interests(&self) -> Interests {
        Interests { tick_seconds: self.interval_secs, ..Interests::default() }
    }
}

impl Ticks for BrokerSys {
    fn tick(&mut self) {
        if let Err(message) = self.publish_all() {
            log::warn(message);
        }
    }
}

impl BrokerSys {
    /// Publishes everything, up to the first message that is refused.
    fn publish_all(&mut self) -> Result<(), String> {
        if !self.told_version {
            publish("version", &broker_info::version())?;
            self.told_version = true;
        }
        let uptime_secs = broker_info::uptime_seconds();
        publish("uptime", &uptime_secs.to_string())?;
        publish("uptime/formatted", &formatted(uptime_secs))?;
        for counter in broker_info::counters() {
            let value = counter.value.to_string();
            match TOPICS.iter().find(|(name, _)| *name == counter.name) {
                Some((_, topics)) => topics.iter().try_for_each(|topic| publish(topic, &value))?,
                None => publish(&format!("counters/{}", counter.name), &value)?,
            }
        }
        Ok(())
    }
}

fn publish(below: &str, text: &str) -> Result<(), String> {
    let topic = format!("$SYS/broker/{below}");
    publisher::publish(&topic, text.as_bytes(), Qos::AtMostOnce, true)
        .map_err(|err| format!("cannot publish the statistics: {err}: `{topic}`"))
}

/// A span of time as amqtt spells it: `0:00:20`, `1 day, 2:03:04`, `12 days, 0:00:00`.
fn formatted(seconds: u64) -> String {
    let (days, hours, minutes, seconds) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        days => format!("{days} days, "),
    };
    format!("{days}{hours}:{minutes:02}:{seconds:02}")
}

plugin!(BrokerSys: Ticks);

#[cfg(test)]
mod tests {
    use amqtt_plugin_sdk::publisher::take_published;

    use super::*;

    fn plugin(settings: &str) -> BrokerSys {
        BrokerSys::new(serde_json::from_str(settings).expect(settings)).expect(settings)
    }

    fn published() -> Vec<(String, String)> {
        let messages = take_published().into_iter();
        messages
            .map(|message| {
                assert!(message.retain, "{}", message.topic);
                (message.topic, String::from_utf8(message.payload).expect("text"))
            })
            .collect()
    }

    #[test]
    fn the_interval_comes_from_the_settings() {
        assert_eq!(plugin("{}").interests().tick_seconds, 20);
        assert_eq!(plugin(r#"{"sys-interval":5}"#).interests().tick_seconds, 5);
        assert_eq!(plugin(r#"{"sys-interval":0}"#).interests().tick_seconds, 0);
        assert!(serde_json::from_str::<Settings>(r#"{"sys-interval":-1}"#).is_err());
    }

    #[test]
    fn tells_the_version_once_and_the_rest_each_time() {
        let mut plugin = plugin("{}");
        broker_info::stand_in("1.2.3", 93_784, &[("clients-connected", 4), ("unknown", 9), ("bytes-sent", 70)]);
        plugin.tick();
        let rest = [
            ("$SYS/broker/uptime", "93784"),
            ("$SYS/broker/uptime/formatted", "1 day, 2:03:04"),
            ("$SYS/broker/clients/connected", "4"),
            ("$SYS/broker/counters/unknown", "9"),
            ("$SYS/broker/load/bytes/sent", "70"),
            ("$SYS/broker/bytes/sent", "70"),
        ]
        .map(|(topic, text)| (topic.to_owned(), text.to_owned()));
        let first = published();
        assert_eq!(first[0], ("$SYS/broker/version".to_owned(), "1.2.3".to_owned()));
        assert_eq!(first[1..], rest);
        plugin.tick();
        assert_eq!(published(), rest);
    }

    #[test]
    fn formats_the_uptime() {
        assert_eq!(formatted(0), "0:00:00");
        assert_eq!(formatted(86_399), "23:59:59");
        assert_eq!(formatted(12 * 86_400), "12 days, 0:00:00");
    }
}
