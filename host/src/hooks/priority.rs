use std::cell::Cell;

/// Lets other threads go before this one, where the system can do that for a single thread.
///
/// For what may take its time: with all cores busy, the threads that move messages are to have them.
pub(crate) fn lower() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, super::limits::LOW_PRIORITY) {
        tracing::debug!("cannot lower the priority of a thread: {error}");
    }
}

/// Asks for long turns (`sched_runtime` of sched_attr(2) with the ordinary policy, Linux 6.12 and later).
///
/// A thread that wakes up and asks for shorter turns, as all do by default, then need not wait for the end of this one's.
/// The share of a core that each gets stays what it was. One that never sleeps has no such advantage: it may wait for a
/// whole turn before Linux 6.17.
pub(crate) fn take_long_turns() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use thread_priority::unix::{RealtimeThreadSchedulePolicy, ThreadSchedulePolicy};
        use thread_priority::{DeadlineFlags, ThreadPriority, set_thread_priority_and_policy};
        // The call sets the priority as well, which is to stay.
        if rustix::process::getpriority_process(None) != Ok(0) {
            return;
        }
        // The crate has this call for another policy. `SCHED_FLAG_KEEP_POLICY` has the kernel keep the thread's own, for
        // which deadline and period mean nothing.
        let flags = DeadlineFlags::from_bits_retain(SCHED_FLAG_KEEP_POLICY);
        let (runtime, deadline, period) = (super::limits::LONG_TURN, Default::default(), Default::default());
        let turns = ThreadPriority::Deadline { runtime, deadline, period, flags };
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Deadline);
        if set_thread_priority_and_policy(CURRENT_THREAD, turns, policy).is_err() {
            // The crate's error does not have the cause.
            tracing::debug!("cannot have a thread take long turns: {}", std::io::Error::last_os_error());
        }
    }
}

/// Linux, `include/uapi/linux/sched.h`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SCHED_FLAG_KEEP_POLICY: u64 = 8;

/// The calling thread, for the calls of sched_attr(2).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const CURRENT_THREAD: thread_priority::ThreadId = 0;

/// Leaves the core at once to whoever else wants it (`SCHED_IDLE` of sched(7)), for good.
///
/// Where it has done so, nothing happens. For what is known to take long. With a lower priority alone, a thread that has a core keeps it for some milliseconds
/// after another one wants it. With all cores busy, such a thread hardly runs at all.
pub(crate) fn give_way() {
    if has_given_way() {
        return;
    }
    lower();
    #[cfg(target_os = "linux")]
    {
        use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};
        use thread_priority::{ThreadPriority, set_thread_priority_and_policy, thread_native_id};
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        // Sets the policy, and then the priority, which has no meaning with it and may not be raised.
        drop(set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy));
        match thread_priority::thread_schedule_policy() {
            Ok(is) if is != policy => tracing::debug!("cannot have a thread give way to others"),
            _ => HAS_GIVEN_WAY.set(true),
        }
    }
}

/// Whether [`give_way`] was called on this thread, and had an effect.
pub(crate) fn has_given_way() -> bool {
    HAS_GIVEN_WAY.get()
}

thread_local! {
    static HAS_GIVEN_WAY: Cell<bool> = const { Cell::new(false) };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use thread_priority::thread_schedule_policy;
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};

    use super::*;
    use crate::hooks::limits::{LONG_TURN, LOW_PRIORITY};

    #[test]
    fn only_the_thread_itself_is_changed() {
        let priority = || rustix::process::getpriority_process(None).expect("a priority");
        let before = priority();
        let lowered = std::thread::spawn(move || {
            lower();
            priority()
        });
        assert_eq!(lowered.join().expect("no panic"), LOW_PRIORITY.max(before));
        assert_eq!(priority(), before);
    }

    #[test]
    fn a_thread_that_gives_way_is_the_only_one() {
        let policy = || thread_schedule_policy().expect("a policy");
        let before = policy();
        let there = std::thread::spawn(move || {
            give_way();
            policy()
        });
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        assert_eq!((there.join().expect("no panic"), policy()), (idle, before));
    }

    /// Older kernels have no turns of a length of their own, and a process of a priority of its own keeps its turns.
    #[test]
    fn long_turns_leave_priority_and_policy_alone() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel's version");
        let mut numbers = release.split(|digit: char| !digit.is_ascii_digit()).map_while(|number| number.parse().ok());
        let has_turns = (numbers.next(), numbers.next()) >= (Some(6), Some(12));
        let attributes = || format!("{:?}", thread_priority::get_thread_scheduling_attributes().expect("attributes"));
        let before = attributes();
        let there = std::thread::spawn(move || {
            take_long_turns();
            lower();
            attributes()
        });
        let there = there.join().expect("no panic");
        if !before.contains("sched_policy: 0,") || !before.contains("sched_nice: 0,") {
            return;
        }
        assert!(there.contains("sched_policy: 0,"), "{there}");
        assert!(there.contains(&format!("sched_nice: {LOW_PRIORITY},")), "{there}");
        let runtime = format!("sched_runtime: {},", LONG_TURN.as_nanos());
        assert!(!has_turns || there.contains(&runtime), "{release}: {there}");
    }
}
