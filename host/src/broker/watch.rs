use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Broker;
use crate::file_stamp::{FileStamp, Look, Looks};
use crate::hooks::LoadError;

/// Time between two looks at the files of plugins.
const PERIOD: Duration = Duration::from_secs(1);

/// Notices that files have changed which plugins were loaded from.
///
/// Looking once a second costs next to nothing and works on every file system, which being told does not.
#[derive(Debug)]
pub struct PluginWatch {
    files: Arc<[PathBuf]>,
    /// How the files were when they were loaded, and since.
    looks: Looks<Vec<FileStamp>>,
    /// Whether it was told that a file is gone, which is told once.
    is_gone_told: bool,
}

impl PluginWatch {
    fn new(files: Vec<(PathBuf, FileStamp)>) -> Self {
        let (files, seen): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        Self { files: files.into(), looks: Looks::new(seen), is_gone_told: false }
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
    fn look(&mut self, now: Vec<FileStamp>) -> bool {
        let gone = now.iter().position(|stamp| !stamp.exists());
        let changed = self.looks.look(now) == Look::Changed;
        let Some(gone) = gone else {
            self.is_gone_told = false;
            if changed {
                self.looks.take();
            }
            return changed;
        };
        if changed && !std::mem::replace(&mut self.is_gone_told, true) {
            tracing::warn!(
                "the file of a plugin is gone: `{}`; the plugin goes on, and no start or reload works without it; hint: put \
                 it back, or leave the plugin out of the configuration",
                self.files[gone].display()
            );
        }
        false
    }
}

/// The system may take its time, on a file system of the network for example.
async fn stamps(files: &Arc<[PathBuf]>) -> Vec<FileStamp> {
    let files = Arc::clone(files);
    let look = move || files.iter().map(|file| FileStamp::of(file)).collect();
    // It has no reason to panic, and then nothing has changed.
    spawn_blocking(look).await.unwrap_or_default()
}

impl Broker {
    /// Watches the files that the plugins which run were loaded from, if the configuration wants that; else nothing.
    pub fn watch_plugins(&self) -> PluginWatch {
        PluginWatch::new(if self.config.reload_on_change { self.hooks.files() } else { Vec::new() })
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
        let folder = tempfile::tempdir().expect("a folder");
        let stamp = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            FileStamp::of(&path)
        };
        let [one, two, three] = [stamp("one", "1"), stamp("two", "22"), stamp("three", "333")];
        let (none, other) = (FileStamp::of(&folder.path().join("none")), stamp("other", "7"));
        let mut watch = PluginWatch::new(vec![("plugin".into(), one), ("other".into(), other)]);
        let mut look = |stamp| watch.look(vec![stamp, other]);
        assert_eq!([look(one), look(one)], [false, false]);
        assert_eq!([look(none), look(none)], [false, false], "it is about to be replaced");
        assert!(watch.is_gone_told);
        let mut look = |stamp| watch.look(vec![stamp, other]);
        assert_eq!([look(two), look(three)], [false, false], "it is being written");
        assert_eq!([look(three), look(three)], [true, false], "told once");
        assert_eq!([look(one), look(one)], [false, true]);
        assert!(!watch.is_gone_told, "told again if it goes again");
    }
}
