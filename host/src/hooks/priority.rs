/// Lets other threads go before this one, where the system can do that for a single thread.
///
/// For what may take its time: with all cores busy, the threads that move messages are to have them.
pub(crate) fn lower() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, super::limits::LOW_PRIORITY) {
        tracing::debug!("cannot lower the priority of a thread: {error}");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
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
}
