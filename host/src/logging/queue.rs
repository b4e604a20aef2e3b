//! A queue before a writer that may block: whoever adds a line waits for nobody.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Bytes of lines that wait to be written: some seconds of a log that is as busy as `debug` makes it. As many may be on
/// their way.
const BYTES_MAX: usize = 1 << 20;

/// Bytes of an empty buffer that is kept.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// How long the end of the process waits for lines to be written.
const END_WAIT: Duration = Duration::from_secs(1);

/// Time between two attempts where whoever shares the writer has made it one that does not wait.
const RETRY: Duration = Duration::from_millis(20);

/// Lines on their way to a writer, which has a thread of its own. What does not fit is left out and counted.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    more: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    /// Lines that came after these and did not fit.
    left_out: u64,
    /// Whether the thread has some in hand.
    writing: bool,
}

impl Queue {
    /// Starts the thread. `missing` makes a line that says how many are missing.
    pub(super) fn start(writer: impl Write + Send + 'static, missing: fn(u64) -> String) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Self::default());
        let of_thread = Arc::clone(&queue);
        thread::Builder::new().name("log".into()).spawn(move || of_thread.write_to(writer, missing))?;
        Ok(queue)
    }

    /// Adds a line, which ends with a line break.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.state.lock();
        // Once one is left out, so is what follows: what is missing is in one place.
        if state.left_out > 0 || state.lines.len() + line.len() > BYTES_MAX {
            state.left_out += 1;
            drop(state);
            // Also where there is nothing before it: then it alone is too long.
            self.more.notify_one();
            return;
        }
        state.lines.extend_from_slice(line);
        drop(state);
        self.more.notify_one();
    }

    /// Waits a while until all lines are written.
    pub(super) fn finish(&self) {
        let mut state = self.state.lock();
        let busy = |state: &mut State| state.writing || !state.lines.is_empty();
        // What nobody has read by then nobody will.
        let _ = self.written.wait_while_for(&mut state, busy, END_WAIT);
    }

    fn write_to(&self, mut writer: impl Write, missing: fn(u64) -> String) {
        let (mut lines, mut lost) = (Vec::new(), 0);
        loop {
            let left_out = self.take(&mut lines);
            if write(&mut writer, &lines).is_err() {
                lost += lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            }
            lost += left_out;
            if lost > 0 && write(&mut writer, missing(lost).as_bytes()).is_ok() {
                lost = 0;
            }
            lines.clear();
            lines.shrink_to(KEPT_BYTES_MAX);
        }
    }

    /// Exchanges an empty buffer for lines, when there are some; gives how many did not fit behind them.
    fn take(&self, lines: &mut Vec<u8>) -> u64 {
        let mut state = self.state.lock();
        state.writing = false;
        if state.lines.is_empty() {
            self.written.notify_all();
        }
        self.more.wait_while(&mut state, |state| state.lines.is_empty() && state.left_out == 0);
        std::mem::swap(&mut state.lines, lines);
        state.writing = true;
        std::mem::take(&mut state.left_out)
    }
}

/// For what formats lines: it hands over one with each call.
impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(writer: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match writer.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A writer that waits for each answer of a test.
    struct Slow {
        written: Sender<String>,
        answers: Receiver<io::Result<()>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.written.send(String::from_utf8_lossy(bytes).into_owned());
            match self.answers.recv() {
                Ok(answer) => answer.map(|()| bytes.len()),
                Err(_) => Ok(bytes.len()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn start() -> (Arc<Queue>, Receiver<String>, Sender<io::Result<()>>) {
        let ((written, lines), (answer, answers)) = (channel(), channel());
        let queue = Queue::start(Slow { written, answers }, |lines| format!("{lines} missing\n"));
        (queue.expect("has a thread"), lines, answer)
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told_when_there_is_room() {
        let (queue, lines, answer) = start();
        queue.push(b"first\n");
        assert_eq!(lines.recv().expect("is written"), "first\n");
        // From here on the writer is stuck.
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        for _ in 0..BYTES_MAX / line.len() + 3 {
            queue.push(&line);
        }
        queue.push(b"short, and after what was left out\n");
        assert!(queue.state.lock().lines.len() <= BYTES_MAX);
        answer.send(Ok(())).expect("waits");
        assert_eq!(lines.recv().expect("is written").len(), BYTES_MAX);
        answer.send(Ok(())).expect("waits");
        assert_eq!(lines.recv().expect("is told"), "4 missing\n");
        queue.push(b"last\n");
        drop(answer);
        assert_eq!(lines.recv().expect("is written"), "last\n");
        queue.finish();
        let state = queue.state.lock();
        assert!(!state.writing && state.lines.capacity() <= KEPT_BYTES_MAX);
    }

    #[test]
    fn a_line_that_never_fits_is_told_and_keeps_no_others_out() {
        let (queue, lines, answer) = start();
        drop(answer);
        queue.push(&vec![b'x'; BYTES_MAX + 1]);
        let mut written = lines.recv().expect("is written");
        while !written.contains("missing") {
            written = lines.recv().expect("is told");
        }
        assert_eq!(written, "1 missing\n");
        queue.push(b"next\n");
        assert_eq!(lines.recv().expect("is written"), "next\n");
    }

    #[test]
    fn what_cannot_be_written_is_counted_too() {
        let (queue, lines, answer) = start();
        queue.push(b"one\ntwo\n");
        assert_eq!(lines.recv().expect("is tried"), "one\ntwo\n");
        answer.send(Err(ErrorKind::StorageFull.into())).expect("waits");
        assert_eq!(lines.recv().expect("is tried"), "2 missing\n");
        answer.send(Err(ErrorKind::StorageFull.into())).expect("waits");
        queue.push(b"three\n");
        drop(answer);
        assert_eq!(lines.recv().expect("is written"), "three\n");
        assert_eq!(lines.recv().expect("is told"), "2 missing\n");
    }

    #[test]
    fn the_end_waits_for_what_is_written_and_not_for_ever() {
        let (queue, lines, answer) = start();
        queue.push(b"stuck\n");
        queue.finish();
        assert!(queue.state.lock().writing);
        drop(answer);
        queue.push(b"last\n");
        queue.finish();
        assert_eq!(lines.try_iter().last().as_deref(), Some("last\n"));
    }
}
