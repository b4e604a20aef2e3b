//! Every bound on what a plugin may take, with its unit and its reason.

use std::time::Duration;

/// Bytes of the largest plugin file that is read.
pub(crate) const COMPONENT_BYTES_MAX: u64 = 64 << 20;

/// CPU time of the process that compiles a plugin, all its threads together: this, and more for a larger file. By
/// `time amqtt plugin check FILE`, Python's interpreter takes 0.7 s for each MiB and JavaScript's engine 1.7 s; a small
/// machine takes ten times as long.
pub(crate) const COMPILER_CPU_BASE: Duration = Duration::from_secs(10);

/// What it may take more for each MiB of the file.
pub(crate) const COMPILER_CPU_PER_MIB: Duration = Duration::from_secs(20);

/// Bytes of memory of that process that it can write to: this, and more for a larger file. With eight threads, Python's
/// interpreter of 19 MiB takes 0.7 GiB.
pub(crate) const COMPILER_MEMORY_BASE: u64 = 1 << 30;

/// What it may have more for each byte of the file.
pub(crate) const COMPILER_MEMORY_PER_BYTE: u64 = 64;

/// Its threads: each has memory of its own.
pub(crate) const COMPILER_THREADS_MAX: usize = 8;

/// Bytes of the code that a plugin is compiled to, which stays in the broker's memory: this, and more for a larger file.
pub(crate) const COMPILED_BYTES_BASE: u64 = 4 << 20;

/// What there may be more for each byte of the file. Ordinary plugins have some three times their file.
pub(crate) const COMPILED_BYTES_PER_BYTE: u64 = 16;

/// Plugins that are loaded at once: those of the binary take little time each, and compiling one uses all cores anyway.
pub(crate) const LOADED_AT_ONCE_MAX: usize = 4;

/// Plugins whose compiled code is kept in `plugin-cache`: older ones are deleted. One takes some three times its file.
pub(crate) const CODE_CACHE_FILES_MAX: usize = 32;

/// Time after which a file there that a broker has not finished is taken for left behind.
pub(crate) const CODE_CACHE_UNFINISHED_MAX: Duration = Duration::from_secs(3_600);

/// Bytes of the largest file of compiled code that is read.
pub(crate) const COMPILED_BYTES_MAX: u64 = COMPILED_BYTES_BASE + COMPILED_BYTES_PER_BYTE * COMPONENT_BYTES_MAX;

/// Entries of one plugin folder that are looked at: a folder of plugins is small, and `/` given by mistake is not.
pub(crate) const PLUGIN_DIR_ENTRIES_MAX: usize = 10_000;

/// Bytes of all linear memories of an instance together. A Rust guest starts with some 1.1 MiB.
pub(crate) const MEMORY_BYTES_MAX: usize = 16 << 20;

/// Linear memories of an instance.
pub(crate) const MEMORIES_MAX: usize = 4;

/// Tables of an instance.
pub(crate) const TABLES_MAX: usize = 16;

/// Entries of each table of an instance; they are host memory.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Core module instances of an instance: adapters and shims count as well.
pub(crate) const CORE_INSTANCES_MAX: usize = 64;

/// Bytes that a plugin hands to the broker in one call or one answer.
pub(crate) const HANDOVER_BYTES_MAX: usize = 1 << 20;

/// Time between two looks at the deadlines of running calls.
///
/// A call is cut off between one and two of these after its deadline.
pub(crate) const EPOCH_TICK: Duration = Duration::from_millis(5);

/// Running time of one topic-check: it holds up the thread that moves messages. A call of `check-many` may take as long for
/// each of its topics.
pub(crate) const TOPIC_CHECK_DEADLINE: Duration = Duration::from_millis(10);

/// Topic filters that one verdict holds for, if several plugins decide: each is matched with every message.
pub(crate) const EXTENSIONS_MAX: usize = 4;

/// Running time of one auth call: hashing a password slowly is what it is for, on threads of its own.
pub(crate) const AUTH_DEADLINE: Duration = Duration::from_secs(5);

/// Running time of an auth call at its first go, while calls run out of time: at least so long, as the clock of the
/// deadlines is not exact and machines are busy.
pub(crate) const FIRST_GO_MIN: Duration = Duration::from_millis(50);

/// The same at most: some times what a hash with passlib's default of 656,000 rounds takes.
pub(crate) const FIRST_GO_MAX: Duration = Duration::from_secs(1);

/// Running time of one auth call on a worker: it holds up the thread that moves messages. Only plugins that need some
/// microseconds are asked there.
pub(crate) const GREETING_DEADLINE: Duration = TOPIC_CHECK_DEADLINE;

/// Bytes of what a plugin keeps between two steps of an exchange: each client that connects may have one under way.
pub(crate) const EXCHANGE_STATE_BYTES_MAX: usize = 4_096;

/// Bytes of Authentication Data, and of a user name: the protocol has no longer ones (MQTT 5.0, 1.5.4 and 1.5.6).
pub(crate) const EXCHANGE_DATA_BYTES_MAX: usize = 65_535;

/// Steps of one exchange: methods that are in use have two or three.
pub(crate) const EXCHANGE_STEPS_MAX: u8 = 16;

/// Authentication methods that a plugin serves.
pub(crate) const METHODS_MAX: usize = 16;

/// Bytes of the name of one.
pub(crate) const METHOD_BYTES_MAX: usize = 256;

/// Random bytes that a plugin gets in one call.
pub(crate) const RANDOM_BYTES_MAX: u32 = 1_024;

/// Running time of `init` and of instantiating, and of a tick where files are granted: it may read and parse a large file.
pub(crate) const INIT_DEADLINE: Duration = Duration::from_secs(5);

/// Running time of one event, tick or `stop`.
pub(crate) const OBSERVER_DEADLINE: Duration = Duration::from_millis(100);

/// How often a call may pass its deadline by the clock because its thread was not scheduled, and still go on.
///
/// Running time counts, not waiting time; this bounds the waiting, so that a stopped clock cannot keep a call alive.
pub(crate) const DEADLINE_EXTENSIONS_MAX: u32 = 100;

/// How long an auth call, an event or a tick waits for a fresh instance: they are off the message path.
pub(crate) const FRESH_INSTANCE_PATIENCE: Duration = Duration::from_secs(6);

/// How long a topic-check waits for a fresh instance after a fault, once; until there is one it denies.
///
/// An instance of a small plugin takes 0.05 ms.
pub(crate) const FRESH_INSTANCE_WAIT: Duration = Duration::from_millis(2);

/// Time after which a plugin that failed to initialise is tried again; doubled at each failure.
pub(crate) const BACK_OFF_MIN: Duration = Duration::from_secs(1);

/// Longest time between two tries to initialise a plugin.
pub(crate) const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// Faults in a row, each caused by another address, after which a plugin is called for a while only for addresses that have
/// caused none.
///
/// What no client causes, a tick for example, counts each time, and is not called then.
pub(crate) const CIRCUIT_SOURCES: usize = 5;

/// Addresses that find out one after the other that a plugin fails, without an answer of it between; then it is called for
/// nobody for that while. A trap costs some 0.1 ms with the instance: a second for all of them.
pub(crate) const CIRCUIT_SITES_MAX: usize = 10_000;

/// Bits of an IPv6 address that tell those apart: providers give a customer at most the rest.
pub(crate) const SITE_BITS: u32 = 48;

/// Time in which the faults of a plugin are counted that a message about one names.
pub(crate) const FAULTS_WINDOW: Duration = Duration::from_secs(10);

/// Faults that are counted in that time.
pub(crate) const FAULTS_COUNTED_MAX: usize = 1_000;

/// Time between two questions of an address whose request has made a plugin fail; doubled at each further fault.
pub(crate) const SUSPECT_WAIT_MIN: Duration = Duration::from_millis(100);

/// Longest time between two questions of such an address.
pub(crate) const SUSPECT_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a question of such an address waits for its turn; one that would wait longer is not put, and denied.
pub(crate) const SUSPECT_PATIENCE: Duration = Duration::from_secs(5);

/// Time between two lines in the log about questions that were not put.
pub(crate) const SUSPECT_TOLD_INTERVAL: Duration = Duration::from_secs(1);

/// Time without a fault after which such an address is like any other. Longer than the longest wait.
pub(crate) const SUSPECT_FORGET: Duration = Duration::from_secs(60);

/// Time between two looks at who is to be forgotten.
pub(crate) const SUSPECT_LOOK: Duration = Duration::from_secs(1);

/// Such addresses that are kept.
pub(crate) const SUSPECTS_MAX: usize = 10_000;

/// Running time from which on a topic-check counts as slow: as long as some hundred ordinary ones. Of 0.6 ms, fifty times a
/// second, one in twelve is seen to run for so long, which is enough; in place they would triple p99 of what others send.
pub(crate) const SLOW_CALL: Duration = Duration::from_micros(200);

/// Slow topic-checks of one plugin that one worker puts up with, before it has them asked aside.
pub(crate) const SLOW_CALLS_MAX: u32 = 3;

/// Time in which those are counted.
pub(crate) const SLOW_CALLS_WINDOW: Duration = Duration::from_secs(10);

/// How long a worker has the questions to a slow plugin asked aside before it tries in place again.
pub(crate) const ASIDE_TIME: Duration = Duration::from_secs(60);

/// Requests whose questions wait to be asked aside; more are denied. A connection has one at a time. Of one network there
/// wait as many as there is room left for others, half of it at most.
pub(crate) const ASIDE_QUEUE_MAX: usize = 10_000;

/// Bytes of topics that wait to be asked aside, divided up in the same way.
pub(crate) const ASIDE_QUEUE_BYTES_MAX: usize = 64 << 20;

/// How long a worker itself waits for what is asked aside, where no connection could wait in its place.
pub(crate) const ASIDE_WAIT_MAX: Duration = Duration::from_millis(100);

/// How long nothing may come of what is asked aside, while a request waits, before another thread helps: the first one
/// gives way to all others, and where these take all cores it does not get on.
pub(crate) const ASIDE_STUCK: Duration = Duration::from_millis(250);

/// How long that other thread takes the place of the first one, before it looks whether it can give it back.
pub(crate) const ASIDE_HELP: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 10_000 });

/// How soon a thread that gives way to others has to have a core for the first one to have its place back, or to keep the
/// question that it is asking. Where all cores are taken it takes some hundred milliseconds.
pub(crate) const ASIDE_CORE_WITHIN: Duration = Duration::from_millis(20);

/// Time between two looks of it at what waits.
pub(crate) const ASIDE_HELP_LOOK: Duration = Duration::from_millis(10);

/// Running time of a plugin's events and ticks that take long each, within [`OBSERVER_WINDOW`], from which on it is told on
/// the thread that gives way to others: 0.5 % of a core.
pub(crate) const OBSERVER_BUSY_MAX: Duration = Duration::from_millis(50);

/// How many of them there are then at least: one that takes long now and then is no burden.
pub(crate) const OBSERVER_CALLS_MIN: u32 = 3;

/// Time in which that is counted.
pub(crate) const OBSERVER_WINDOW: Duration = Duration::from_secs(10);

/// Running time below which an event or a tick does not take long, however many there are: the logs of a busy broker are to
/// be complete.
pub(crate) const OBSERVER_CALL_MIN: Duration = Duration::from_micros(200);

/// How long a call of those may be seen to run before its thread leaves the core to others, unless its time will soon be up.
/// Where all cores are taken it hardly goes on then.
pub(crate) const OBSERVER_TURN: Duration = Duration::from_millis(10);

/// What an event or a tick that fails is counted as: it costs an instance.
pub(crate) const OBSERVER_FAULT_COST: Duration = Duration::from_millis(10);

/// How much lower the priority is of threads that may take their time, as `nice` counts.
pub(crate) const LOW_PRIORITY: i32 = 10;

/// Length of the turns on a core that threads of plugins ask for: some times that of a worker, which is 3 ms at most, and no
/// more, as a worker that does not sleep may have to wait for one.
pub(crate) const LONG_TURN: Duration = Duration::from_millis(10);

/// Threads that answer auth, and instances of each plugin that does, where the configuration does not say how many: at most
/// so many. Hashing takes a core each, and one core at least is left to messages.
pub(crate) const AUTH_THREADS_USUAL_MAX: usize = 8;

/// Instances of a plugin that answer auth at once, where the configuration says how many, and threads then: for what waits
/// rather than takes a core. Each has memory of its own.
pub(crate) const AUTH_INSTANCES_MAX: usize = 64;

/// CONNECTs that wait for an auth thread; more are refused as a fault of the server, and may try again. Of one network
/// there wait as many as there is room left for others, half of it at most.
pub(crate) const AUTH_QUEUE_MAX: usize = 1_024;

/// Bytes of credentials that wait for an auth thread, divided up in the same way.
pub(crate) const AUTH_QUEUE_BYTES_MAX: usize = 8 << 20;

/// How long a CONNECT may wait for its turn to be asked about, beside the time that plugins have for it: as long as clients
/// wait for their CONNACK as a rule (30 s by default in mqtt.js and in paho's libraries for C and Java).
pub(crate) const AUTH_QUEUE_WAIT_MAX: Duration = Duration::from_secs(30);

/// How often plugins may be loaded anew while they are asked about one client, before it is refused.
pub(crate) const OUTDATED_MAX: u32 = 8;

/// Events that wait until a plugin is told of them; more are dropped and counted.
pub(crate) const EVENT_QUEUE_MAX: usize = 10_000;

/// Bytes of what peers can make long in waiting events: topics, payloads, user properties, and what is known of clients.
pub(crate) const EVENT_QUEUE_BYTES_MAX: usize = 16 << 20;

/// How long plugins that go, in an orderly stop or a reload, are told of events that wait.
pub(crate) const STOP_DRAIN: Duration = Duration::from_secs(2);

/// Topics of one call of `check-many`: it may take as long as so many calls of `check`, and others have their turn after it.
pub(crate) const CHECK_MANY_MAX: usize = 8;

/// Bytes of the topics of one call of `check-many`: they are copied into the plugin's memory.
pub(crate) const CHECK_MANY_BYTES_MAX: usize = 256 << 10;

/// Bytes of a reason string, of a user property's name or of its value that a plugin gives its answer, escaped as they are
/// sent; the rest is cut.
pub(crate) const REASON_TEXT_BYTES_MAX: usize = 1_024;

/// User properties that a plugin gives one answer; more are left out.
pub(crate) const REASON_PROPERTIES_MAX: usize = 16;

/// How often at once plugins may end cached verdicts, all of them together: every session is judged anew then.
pub(crate) const INVALIDATIONS_AT_ONCE: u32 = 10;

/// How often per second in the long run. What is asked for sooner takes effect with the next one.
pub(crate) const INVALIDATIONS_PER_SECOND: u32 = 2;

/// Sessions or subscriptions of one page.
pub(crate) const PAGE_MAX: usize = 1_000;

/// Sessions that one instance holds at once.
pub(crate) const SESSIONS_HELD_MAX: usize = 100;

/// Bytes of one log message of a plugin, escaped as it is written; the rest is cut off.
pub(crate) const LOG_MESSAGE_BYTES_MAX: usize = 8 << 10;

/// Log messages that one plugin may write at once.
pub(crate) const LOG_BURST: u32 = 1_000;

/// Log messages that one plugin may write per second in the long run.
pub(crate) const LOG_PER_SECOND: u32 = 200;

/// Log messages that `event_logger` and `packet_logger` may write at once: lines are what they are for, and who loads them
/// wants all of them.
pub(crate) const LOGGER_BURST: u32 = 100_000;

/// Log messages that each of them may write per second in the long run: as many as a listener accepts connections by
/// default.
pub(crate) const LOGGER_PER_SECOND: u32 = 20_000;

/// Time between two lines in the log about what one plugin does past one of its rates.
pub(crate) const EXCESS_TOLD_INTERVAL: Duration = Duration::from_secs(60);

/// Time between two looks at whether there is more of that to tell.
pub(crate) const EXCESS_LOOK: Duration = Duration::from_secs(1);

/// Faults of one plugin that are written to the log at once.
pub(crate) const FAULT_LOG_BURST: u32 = 20;

/// Faults of one plugin that are written to the log per second in the long run: clients may be able to cause them.
pub(crate) const FAULT_LOG_PER_SECOND: u32 = 1;

/// Streams, timers and other things of WASI that an instance may have at once.
pub(crate) const WASI_RESOURCES_MAX: usize = 256;

/// Random bytes that WASI hands over in one call.
pub(crate) const WASI_RANDOM_BYTES_MAX: u64 = 64 << 10;

/// Bytes that a plugin may write to standard output in one call.
pub(crate) const WASI_WRITE_BYTES_MAX: usize = 64 << 10;

/// Bytes of the largest file that is handed to a plugin. It has to fit the plugin's memory.
pub(crate) const FILE_BYTES_MAX: u64 = 16 << 20;

/// Time between two looks at a file whose stamp is asked for.
pub(crate) const FILE_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Levels of a topic that a plugin publishes to: as many as `topic-levels-max` can let clients have.
pub(crate) const PUBLISH_LEVELS_MAX: usize = 1_000;

/// Bytes of the largest payload that a plugin publishes.
pub(crate) const PUBLISH_PAYLOAD_BYTES_MAX: usize = 256 << 10;

/// Messages that one plugin may publish at once.
pub(crate) const PUBLISH_BURST: u32 = 2_000;

/// Messages that one plugin may publish per second in the long run.
pub(crate) const PUBLISH_PER_SECOND: u32 = 1_000;

/// Messages that are kept of plugins that are tried without a broker; others are turned away, as by a broker that has no
/// room. A test publishes some, and a plugin may go wrong.
pub(crate) const TRIED_MESSAGES_MAX: usize = 10_000;

/// Bytes of the name or version that a plugin's file has within: they end up in messages, and anything may be in a file.
pub(crate) const COMPONENT_NAME_BYTES_MAX: usize = 64;

/// Characters of a cause of a fault that are written to the log.
pub(crate) const CAUSE_CHARS_MAX: usize = 300;
