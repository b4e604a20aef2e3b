//! Publishes statistics of the broker under `$SYS/broker`. `README.md` lists the topics.

mod averages;
mod topics;

use amqtt_plugin_sdk::broker_info::Counter;
use amqtt_plugin_sdk::{Interests, Plugin, Qos, Ticks, broker_info, clock, log, plugin, publisher};
use serde::Deserialize;

use averages::{Averages, SPANS};
use topics::{LOADS, SUMS, of_counter};

/// Seconds between two rounds where the settings say nothing.
const SYS_INTERVAL_SECS: u32 = 20;

struct BrokerSys {
    interval_secs: u32,
    /// The version does not change: it is published once.
    told_version: bool,
    /// The uptime and the CPU time of the last round.
    last: Option<Last>,
    cpu_percent_max: f64,
    /// One for each of `LOADS`.
    loads: [Averages; LOADS.len()],
}

struct Last {
    uptime_secs: u64,
    cpu_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    sys_interval: Option<u32>,
}

impl Plugin for BrokerSys {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(BrokerSys {
            interval_secs: settings.sys_interval.unwrap_or(SYS_INTERVAL_SECS),
            told_version: false,
            last: None,
            cpu_percent_max: 0.0,
            loads: Default::default(),
        })
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
        publish("time", &clock::since_epoch().as_secs().to_string())?;
        let counters = broker_info::counters();
        for Counter { name, value } in &counters {
            let value = value.to_string();
            of_counter(name).iter().try_for_each(|topic| publish(topic, &value))?;
        }
        for (topic, names) in SUMS {
            let sum: u64 = names.into_iter().filter_map(|name| find(&counters, name)).sum();
            publish(topic, &sum.to_string())?;
        }
        self.publish_process(&counters, uptime_secs)?;
        self.publish_loads(&counters, uptime_secs)
    }

    /// Publishes what the process uses, where the broker's system tells.
    fn publish_process(&mut self, counters: &[Counter], uptime_secs: u64) -> Result<(), String> {
        const MIB: f64 = 1_048_576.0;
        if let Some(bytes) = find(counters, "memory-bytes") {
            publish("heap/size", &format!("{:.2}", bytes as f64 / MIB))?;
            publish("heap/current", &bytes.to_string())?;
        }
        if let Some(bytes) = find(counters, "memory-bytes-maximum") {
            publish("heap/maximum", &format!("{:.2}", bytes as f64 / MIB))?;
        }
        if let Some(cpu_ms) = find(counters, "cpu-milliseconds") {
            let before = self.last.as_ref().map_or((0, 0), |last| (last.uptime_secs, last.cpu_ms));
            let elapsed_secs = uptime_secs.saturating_sub(before.0).max(1);
            let percent = cpu_ms.saturating_sub(before.1) as f64 / 10.0 / elapsed_secs as f64;
            self.cpu_percent_max = self.cpu_percent_max.max(percent);
            publish("cpu/percent", &format!("{percent:.1}"))?;
            publish("cpu/maximum", &format!("{:.1}", self.cpu_percent_max))?;
        }
        Ok(())
    }

    fn publish_loads(&mut self, counters: &[Counter], uptime_secs: u64) -> Result<(), String> {
        let elapsed_secs = uptime_secs.saturating_sub(self.last.as_ref().map_or(0, |last| last.uptime_secs));
        for ((name, below), averages) in LOADS.into_iter().zip(&mut self.loads) {
            let Some(value) = find(counters, name) else { continue };
            averages.update(value, elapsed_secs);
            for (average, (_, span)) in averages.per_minute().into_iter().zip(SPANS) {
                publish(&format!("load/{below}/{span}"), &format!("{average:.2}"))?;
            }
        }
        let cpu_ms = find(counters, "cpu-milliseconds").unwrap_or_default();
        self.last = Some(Last { uptime_secs, cpu_ms });
        Ok(())
    }
}

fn find(counters: &[Counter], name: &str) -> Option<u64> {
    counters.iter().find(|counter| counter.name == name).map(|counter| counter.value)
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
        let check = |plugin: &mut BrokerSys, counters: &[(&str, u64)], expected: &[(&str, &str)]| {
            broker_info::stand_in("1.2.3", 93_784, counters);
            plugin.tick();
            let mut told = published();
            // The one that is another each time.
            told.retain(|(topic, _)| topic != "$SYS/broker/time");
            let expected: Vec<_> =
                expected.iter().map(|(topic, text)| (format!("$SYS/broker/{topic}"), (*text).to_owned())).collect();
            assert_eq!(told, expected);
        };
        let counters = [("clients-connected", 4), ("unknown", 9), ("bytes-sent", 70), ("retained-bytes", 5)];
        let first = [("version", "1.2.3")];
        let rest = [
            ("uptime", "93784"),
            ("uptime/formatted", "1 day, 2:03:04"),
            ("clients/connected", "4"),
            ("clients/active", "4"),
            ("counters/unknown", "9"),
            ("load/bytes/sent", "70"),
            ("bytes/sent", "70"),
            ("counters/retained-bytes", "5"),
            ("messages/stored", "0"),
            ("store/messages/count", "0"),
            ("store/messages/bytes", "5"),
        ];
        let loads = |text: [&'static str; 3]| {
            let topics = ["load/bytes/sent/1min", "load/bytes/sent/5min", "load/bytes/sent/15min"];
            topics.into_iter().zip(text).collect::<Vec<_>>()
        };
        let all = [&first[..], &rest, &loads(["0.04", "0.04", "0.04"])].concat();
        check(&mut plugin, &counters, &all);
        check(&mut plugin, &counters, &[&rest[..], &loads(["0.04", "0.04", "0.04"])].concat());
    }

    #[test]
    fn tells_what_the_process_uses() {
        let mut plugin = plugin("{}");
        let mut check = |uptime_secs, counters: &[(&str, u64)], expected: &[(&str, &str)]| {
            broker_info::stand_in("1.2.3", uptime_secs, counters);
            plugin.tick();
            let told = published();
            for (topic, text) in expected {
                let found = told.iter().find(|(told, _)| *told == format!("$SYS/broker/{topic}"));
                assert_eq!(found.map(|(_, text)| text.as_str()), Some(*text), "{topic}");
            }
            assert_eq!(told.iter().filter(|(topic, _)| topic.contains("/cpu/")).count(), expected.len().min(2));
        };
        check(0, &[("cpu-milliseconds", 40)], &[("cpu/percent", "4.0"), ("cpu/maximum", "4.0")]);
        check(10, &[("cpu-milliseconds", 3_040)], &[("cpu/percent", "30.0"), ("cpu/maximum", "30.0")]);
        check(20, &[("cpu-milliseconds", 3_540)], &[("cpu/percent", "5.0"), ("cpu/maximum", "30.0")]);
        let memory = [("cpu-milliseconds", 0), ("memory-bytes", 1_572_864), ("memory-bytes-maximum", 3 << 20)];
        let told = [("heap/size", "1.50"), ("heap/current", "1572864"), ("heap/maximum", "3.00")];
        check(30, &memory, &told);
        check(40, &[], &[]);
    }

    #[test]
    fn formats_the_uptime() {
        assert_eq!(formatted(0), "0:00:00");
        assert_eq!(formatted(86_399), "23:59:59");
        assert_eq!(formatted(12 * 86_400), "12 days, 0:00:00");
    }
}
