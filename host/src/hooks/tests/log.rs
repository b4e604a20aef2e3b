//! The log of all tests of this process, to look for lines in.

use std::io;
use std::sync::OnceLock;

use parking_lot::Mutex;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to keep the log, if that has not begun.
pub(in crate::hooks) fn keep() {
    static KEPT: OnceLock<()> = OnceLock::new();
    KEPT.get_or_init(|| {
        tracing_subscriber::fmt().with_ansi(false).with_writer(|| Writer).init();
    });
}

/// The lines that contain `text`.
pub(in crate::hooks) fn lines(text: &str) -> Vec<String> {
    let log = LOG.lock();
    String::from_utf8_lossy(&log).lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}
