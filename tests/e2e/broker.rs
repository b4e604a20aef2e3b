use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longer than anything here takes on a busy machine; only a test that fails waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The same for the start of a broker with a plugin that brings an interpreter: compiling it takes all cores some ten seconds.
const START_PATIENCE: Duration = Duration::from_secs(180);

/// How many files a broker may open that was limited before.
pub(crate) const OPEN_FILES: u64 = 1_024;

/// A running `amqtt` on a port of its own. Killed when dropped.
pub(crate) struct Broker {
    child: Child,
    log: Receiver<String>,
    seen: Vec<String>,
    /// How many of the lines seen are not looked at any more.
    passed: usize,
    /// Dropped, it lets the log be read on.
    log_left: Option<Sender<()>>,
    pub(crate) port: u16,
    /// Where its configuration lies, and the files that it may read.
    dir: TempDir,
}

/// Where the configuration of a test lies, with the files that it names.
pub(crate) struct Setup {
    dir: TempDir,
    config: String,
    args: Vec<String>,
    /// How long to wait until it listens.
    patience: Duration,
    /// Whether nobody reads the log once it listens.
    leaves_log: bool,
}

impl Setup {
    /// `config` is all but the listeners.
    pub(crate) fn new(config: &str) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let listeners = "listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:0\n";
        Self { dir, config: format!("{listeners}{config}"), args: Vec::new(), patience: PATIENCE, leaves_log: false }
    }

    /// `config` is all of it.
    pub(crate) fn whole(config: &str) -> Self {
        Self { config: config.to_owned(), ..Self::new("") }
    }

    /// With another text in place of all of it.
    pub(crate) fn with(self, config: &str) -> Self {
        Self { config: config.to_owned(), ..self }
    }

    /// The folder of the configuration.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Adds a setting to the listener, such as `max-connections: 1`.
    pub(crate) fn listener(mut self, setting: &str) -> Self {
        self.config = self.config.replacen("  default:\n", &format!("  default:\n    {setting}\n"), 1);
        self
    }

    /// Makes the listener one for WebSocket.
    pub(crate) fn websocket(mut self) -> Self {
        self.config = self.config.replacen("    type: tcp\n", "    type: ws\n", 1);
        self
    }

    /// Adds a listener, its name and settings in one line.
    pub(crate) fn another_listener(mut self, line: &str) -> Self {
        self.config = self.config.replacen("listeners:\n", &format!("listeners:\n  {line}\n"), 1);
        self
    }

    /// Writes a file beside the configuration.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("is in the folder")).expect("can make folders");
        std::fs::write(path, content).expect("can write");
        self
    }

    /// Adds an argument of the command.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.args.push(argument.to_owned());
        self
    }

    /// Adds a folder of plugins with the component at `component` in it, on the command line.
    pub(crate) fn plugin_dir_with(mut self, component: &str) -> Self {
        let dir = self.dir.path().join("third-party");
        std::fs::create_dir_all(&dir).expect("can make folders");
        let name = Path::new(component).file_name().expect("is a file");
        std::fs::copy(component, dir.join(name)).expect("can copy");
        if !self.args.contains(&"--plugin-dir".to_owned()) {
            self.args.extend(["--plugin-dir".to_owned(), dir.display().to_string()]);
        }
        self
    }

    /// Writes debug messages to the log as well.
    pub(crate) fn debug(mut self) -> Self {
        self.args.push("-d".to_owned());
        self
    }

    /// Has nobody read the log from when it listens.
    pub(crate) fn leave_log(self) -> Self {
        Self { leaves_log: true, ..self }
    }

    /// With a plugin that takes long to compile.
    pub(crate) fn slow_to_start(self) -> Self {
        Self { patience: START_PATIENCE, ..self }
    }

    fn command(&self) -> Command {
        let path: PathBuf = self.dir.path().join("broker.yaml");
        std::fs::write(&path, &self.config).expect("can write");
        let mut command = amqtt();
        command.arg("-c").arg(path).args(&self.args);
        command
    }

    /// Starts the broker and waits until it listens.
    pub(crate) fn start(self) -> Broker {
        let patience = self.patience;
        let mut broker = self.begin();
        let line = broker.wait_for_log_within("listening on 127.0.0.1:", patience);
        broker.port = line.rsplit(':').next().and_then(|port| port.parse().ok()).expect("ends with the port");
        broker
    }

    /// Starts the broker.
    pub(crate) fn begin(self) -> Broker {
        let mut child = self.command().stderr(Stdio::piped()).spawn().expect("can start");
        let stderr = child.stderr.take().expect("is piped");
        let (sender, log) = channel();
        let (go_on, left) = channel::<()>();
        let log_left = self.leaves_log.then_some(go_on);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let listens = line.contains("listening on");
                if sender.send(line).is_err() {
                    return;
                }
                if listens {
                    let _ = left.recv();
                }
            }
        });
        Broker { child, log, seen: Vec::new(), passed: 0, log_left, port: 0, dir: self.dir }
    }

    /// Runs a broker that is expected not to start; returns its status and what it printed on stderr.
    pub(crate) fn fail(self) -> (ExitStatus, String) {
        let output = self.command().output().expect("can start");
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The command under test.
pub(crate) fn amqtt() -> Command {
    Command::new(env!("CARGO_BIN_EXE_amqtt"))
}

impl Broker {
    /// A broker with this configuration, but for the listeners.
    pub(crate) fn start(config: &str) -> Self {
        Setup::new(config).start()
    }

    /// A broker that lets everyone do everything.
    pub(crate) fn open() -> Self {
        Self::start("plugins:\n  - auth_anonymous\n")
    }

    /// The port of a listener.
    pub(crate) fn port_of(&mut self, listener: &str) -> u16 {
        let line = self.wait_for_log(&format!("listener `{listener}` ("));
        line.rsplit(':').next().and_then(|port| port.parse().ok()).expect("ends with the port")
    }

    /// Where a file beside the configuration is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts a file beside the configuration in place of the one of that name, at one moment, as an editor does.
    pub(crate) fn replace_file(&self, name: &str, content: impl AsRef<[u8]>) {
        let (path, new) = (self.path(name), self.path(&format!("{name}.new")));
        std::fs::write(&new, content).expect("can write");
        std::fs::rename(new, path).expect("can rename");
    }

    /// Waits for a line of the log that contains `text` and comes after all that were waited for.
    pub(crate) fn wait_for_next_log(&mut self, text: &str) -> String {
        self.passed = self.seen.len();
        self.wait_for_log(text)
    }

    /// Waits for a line of the log that contains `text`, earlier ones included back to the last [`wait_for_next_log`](Self::wait_for_next_log).
    pub(crate) fn wait_for_log(&mut self, text: &str) -> String {
        self.wait_for_log_within(text, PATIENCE)
    }

    fn wait_for_log_within(&mut self, text: &str, patience: Duration) -> String {
        if let Some(line) = self.seen[self.passed..].iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let deadline = Instant::now() + patience;
        loop {
            match self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {text:?} in the log:\n{}", self.seen.join("\n")),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the broker ended without {text:?} in its log:\n{}", self.seen.join("\n"))
                }
            }
        }
    }

    /// Bytes of memory that the process has at the moment; none where the system does not tell.
    pub(crate) fn resident_bytes(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? << 10)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What has been waited for so far, and what has been written meanwhile.
    pub(crate) fn log_so_far(&mut self) -> String {
        self.seen.extend(self.log.try_iter());
        self.seen.join("\n")
    }

    /// The log of a broker that has ended.
    pub(crate) fn rest_of_log(&mut self) -> String {
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        self.seen.join("\n")
    }

    /// The folder of the configuration and its files.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("can ask").is_none()
    }

    /// Gives a file beside the configuration new content; `broker.yaml` is the configuration itself.
    pub(crate) fn rewrite(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.dir.path().join(name), content).expect("can write");
    }

    /// What the configuration is now.
    pub(crate) fn config(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("broker.yaml")).expect("is text")
    }

    /// Reads the log on that was left.
    pub(crate) fn read_log(&mut self) {
        self.log_left = None;
    }

    /// Leaves what the log has said so far.
    pub(crate) fn forget_log(&mut self) {
        self.log.try_iter().for_each(drop);
        self.seen.clear();
    }

    /// Sends a signal, `INT`, `TERM` or `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().expect("can signal").success());
    }

    /// Waits until the broker has written to a file.
    pub(crate) fn wait_for_file(&mut self, path: &Path) {
        let deadline = Instant::now() + PATIENCE;
        while std::fs::metadata(path).map_or(0, |found| found.len()) == 0 {
            assert!(Instant::now() < deadline && self.is_running(), "there is nothing in {path:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many files it may have open from now on; those that it has stay so.
    pub(crate) fn limit_open_files(&self, files: u64) {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};
        let limit = Rlimit { current: Some(files), maximum: Some(OPEN_FILES) };
        prlimit(Pid::from_raw(self.pid().cast_signed()), Resource::Nofile, limit).expect("is ours");
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("can ask") {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the broker does not end");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            self.seen.extend(self.log.try_iter());
            eprintln!("the broker's log:\n{}", self.seen.join("\n"));
        }
    }
}
