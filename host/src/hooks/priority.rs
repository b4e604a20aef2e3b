/// Lets other threads go before this one, where the system can do that for a single thread.
///
/// For what may take its time: with all cores busy, the threads that move messages are to have them.
pub(crate) fn lower() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, super::limits::LOW_PRIORITY) {
        tracing::debug!("cannot lower the priority of a thread: {error}");
    }
}

/// Leaves the core at once to whoever else wants it (`SCHED_IDLE` of sched(7)), for good.
///
/// For what is known to take long. With a lower priority alone, a thread that has a core keeps it for some milliseconds
/// after another one wants it. With all cores busy, such a thread hardly runs at all.
pub(crate) fn give_way() {
    lower();
    #[cfg(target_os = "linux")]
    {
        use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};
        use thread_priority::{ThreadPriority, set_thread_priority_and_policy, thread_native_id};
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        // Sets the policy, and then the priority, which has no meaning with it and may not be raised.
        drop(set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy));
        if thread_priority::thread_schedule_policy().is_ok_and(|is| is != policy) {
            tracing::debug!("cannot have a thread give way to others");
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use thread_priority::thread_schedule_policy;
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};

    use super::*;
    use crate::hooks::limits::LOW_PRIORITY;

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
}
