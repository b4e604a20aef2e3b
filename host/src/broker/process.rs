//! What the process uses, as far as the system tells.

use cpu_time::ProcessTime;

/// The counters about the process. One that the system does not tell is left out.
pub(super) fn counters() -> Vec<(&'static str, u64)> {
    let memory = memory();
    let cpu_ms = ProcessTime::try_now().ok().and_then(|time| u64::try_from(time.as_duration().as_millis()).ok());
    [
        ("memory-bytes", memory.as_ref().map(|memory| memory.resident_bytes)),
        ("memory-bytes-maximum", memory.as_ref().map(|memory| memory.resident_bytes_max)),
        ("cpu-milliseconds", cpu_ms),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .collect()
}

/// Bytes of memory that the process has at the moment, where the system tells.
pub fn resident_bytes() -> Option<u64> {
    memory().map(|memory| memory.resident_bytes)
}

struct Memory {
    resident_bytes: u64,
    resident_bytes_max: u64,
}

#[cfg(target_os = "linux")]
fn memory() -> Option<Memory> {
    Memory::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
}

#[cfg(not(target_os = "linux"))]
fn memory() -> Option<Memory> {
    None
}

#[cfg(target_os = "linux")]
impl Memory {
    /// Reads `/proc/self/status`: lines such as `VmRSS:     5120 kB`.
    fn parse(status: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib * 1_024)
        };
        Some(Self { resident_bytes: bytes("VmRSS")?, resident_bytes_max: bytes("VmHWM")? })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        let counters = counters();
        let value = |wanted| counters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let (now, most) = (value("memory-bytes").expect("told"), value("memory-bytes-maximum").expect("told"));
        assert!(0 < now && now <= most, "{now} of {most}");
        assert!(value("cpu-milliseconds").is_some());
    }

    #[test]
    fn what_the_system_does_not_tell_is_left_out() {
        assert!(Memory::parse("Name:\tamqtt\nVmRSS:\t 512 kB\n").is_none());
        let memory = Memory::parse("VmHWM:\t    2048 kB\nVmRSS:\t 512 kB\n").expect("both are there");
        assert_eq!((memory.resident_bytes, memory.resident_bytes_max), (512 << 10, 2 << 20));
    }
}
