use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Broker;
use crate::hooks::LoadError;

/// Time between two looks at the files of plugins.
const PERIOD: Duration = Duration::from_secs(1);

/// Notices that files have changed which plugins were loaded from.
///
/// Looking once a second costs next to nothing and works on every file system, which being told does not.
#[derive(Debug)]
pub struct PluginWatch {
    files: Arc<[PathBuf]>,
    /// How the files were at the last change that was noticed.
    seen: Vec<Stamp>,
    /// How they were at the last look.
    last: Vec<Stamp>,
}

/// When a file was modified and how long it is; none where there is no such file.
type Stamp = Option<(SystemTime, u64)>;

impl PluginWatch {
    async fn new(files: Vec<PathBuf>) -> Self {
        let files: Arc<[PathBuf]> = files.into();
        let seen = stamps(&files).await;
        Self { files, last: seen.clone(), seen }
    }

    /// Waits for a change, and until it is over: a file that is still being written is not looked at. Without files it
    /// waits for ever. Nothing is lost when this is dropped meanwhile.
    pub async fn changed(&mut self) {
        if self.files.is_empty() {
            std::future::pending::<()>().await;
        }
        loop {
            sleep(PERIOD).await;
            let now = stamps(&self.files).await;
            if self.look(now) {
                return;
            }
        }
    }

    /// Whether there is a change since the last one, and nothing has happened since the last look.
    fn look(&mut self, now: Vec<Stamp>) -> bool {
        let quiet = self.last == now;
        let changed = quiet && now != self.seen && now.iter().all(Option::is_some);
        self.last = now;
        if changed {
            self.seen.clone_from(&self.last);
        }
        changed
    }
}

/// The system may take its time, on a file system of the network for example.
async fn stamps(files: &Arc<[PathBuf]>) -> Vec<Stamp> {
    let files = Arc::clone(files);
    let look = move || {
        let stamp = |file: &PathBuf| {
            let metadata = std::fs::metadata(file).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        files.iter().map(stamp).collect()
    };
    // It has no reason to panic, and then nothing has changed.
    spawn_blocking(look).await.unwrap_or_default()
}

impl Broker {
    /// Watches the files that the plugins which run were loaded from, if the configuration wants that; else nothing.
    pub async fn watch_plugins(&self) -> PluginWatch {
        PluginWatch::new(if self.config.reload_on_change { self.hooks.files() } else { Vec::new() }).await
    }

    /// Loads the same plugins from their files again.
    ///
    /// # Errors
    /// When a plugin does not work. Then those that run go on as before.
    pub async fn reload_same_plugins(&self) -> Result<(), LoadError> {
        self.reload_plugins(self.hooks.spec()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_noticed_when_it_is_over() {
        let stamp = |length: u64| Some((SystemTime::UNIX_EPOCH, length));
        let before = vec![stamp(1), stamp(7)];
        let mut watch = PluginWatch { files: Arc::default(), seen: before.clone(), last: before };
        let mut look = |stamp: Stamp| watch.look(vec![stamp, Some((SystemTime::UNIX_EPOCH, 7))]);
        assert_eq!([look(stamp(1)), look(stamp(1))], [false, false]);
        assert_eq!([look(None), look(None)], [false, false], "it is about to be replaced");
        assert_eq!([look(stamp(2)), look(stamp(3))], [false, false], "it is being written");
        assert_eq!([look(stamp(3)), look(stamp(3))], [true, false], "told once");
        assert_eq!([look(stamp(1)), look(stamp(1))], [false, true]);
    }

    #[test]
    fn a_file_that_is_there_has_a_stamp() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let files: Arc<[PathBuf]> = Arc::from([file.path().to_owned(), "/nonexistent".into()]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let found = runtime.block_on(stamps(&files));
        assert!(matches!(found[..], [Some((_, 0)), None]), "{found:?}");
    }
}
