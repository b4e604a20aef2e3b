use std::fmt;

use crate::files::{self, FileError};
use crate::log;

/// What a file says, for a plugin that decides by it and follows its changes.
///
/// All instances of the plugin go by the same content: one that was read and understood. [`look`](Self::look) for a new
/// one in [`Ticks`](crate::Ticks), which one instance has; [`follow`](Self::follow) what it has found before each answer.
/// A file that cannot be read or understood leaves the one before in force, for instances that start later too.
///
/// ```
/// use amqtt_plugin_sdk::Watched;
/// # amqtt_plugin_sdk::files::stand_in("names-file", Ok(b"alice\nbob".to_vec()));
///
/// fn parse(content: &[u8], _in_force: Option<&Vec<String>>) -> Result<Vec<String>, String> {
///     let text = std::str::from_utf8(content).map_err(|err| err.to_string())?;
///     Ok(text.lines().map(str::to_owned).collect())
/// }
///
/// let mut names = Watched::open("names-file", parse)?;
/// // In `tick`:
/// names.look_and_log(|names| format!("{} names", names.len()));
/// // Where they are needed:
/// assert_eq!(names.follow().len(), 2);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug)]
pub struct Watched<T> {
    key: &'static str,
    parse: Parse<T>,
    value: T,
    /// Of the content that `value` was made of.
    number: u64,
    /// Of the file when it was last read; none where the broker could not tell, and before this instance has read it.
    stamp: Option<u64>,
    /// Why a change could not be read, as it was told.
    unread: Option<String>,
}

/// Makes something of the content of a file. An error says what is wrong with it. The second argument is what is in
/// force; none at first.
pub type Parse<T> = fn(&[u8], Option<&T>) -> Result<T, String>;

/// Whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It is the one that was looked at before.
    Same,
    /// It is another one, and is in force.
    Changed,
}

/// A file has changed and cannot be used: what was read before stays in force. Told once for each change, and for each
/// other reason why it cannot be read: that is tried with each look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    key: &'static str,
    reason: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unusable { key, reason } = self;
        write!(f, "`{key}` has changed and is not used, what was read before stays in force: {reason}")
    }
}

impl std::error::Error for Unusable {}

impl<T> Watched<T> {
    /// Takes what is in force; reads the file that a settings key names if nothing is yet. The configuration has to
    /// grant the key.
    ///
    /// Where the plugin is loaded again, the file has to do in place of what was in force before: otherwise that is an
    /// error, and the plugins that were there go on.
    ///
    /// # Errors
    ///
    /// The text names the key and says what is wrong with the file.
    pub fn open(key: &'static str, parse: Parse<T>) -> Result<Self, String> {
        let named = |reason: String| format!("`{key}`: {reason}");
        let number = files::accepted_number(key).map_err(|err| named(unreadable(&err)))?;
        let in_force = files::accepted(key).map_err(|err| named(unreadable(&err)))?;
        let before = match in_force {
            Some(content) if number > 0 => {
                let value = parse(&content, None).map_err(named)?;
                // What the file says now is not known: the instance before this one may have failed with a change of it.
                return Ok(Watched { key, parse, value, number, stamp: None, unread: None });
            }
            // Of the plugin in whose place this one is loaded, which may have understood other files.
            Some(content) => parse(&content, None).ok(),
            None => None,
        };
        // Before the content: a change in between is found at the next look.
        let stamp = files::stamp(key).ok();
        let content = files::read(key).map_err(|err| named(unreadable(&err)))?;
        let (value, number) = understand(key, parse, &content, before.as_ref()).map_err(named)?;
        Ok(Watched { key, parse, value, number, stamp, unread: None })
    }

    /// What is in force for all instances at this moment.
    pub fn follow(&mut self) -> &T {
        if let Ok(number) = files::accepted_number(self.key)
            && number != self.number
            && let Ok(Some(content)) = files::accepted(self.key)
        {
            // Another instance has understood it: so does this one.
            if let Ok(value) = (self.parse)(&content, None) {
                self.value = value;
            }
            self.number = number;
        }
        &self.value
    }

    /// Reads the file if it has changed, and puts it in force for all instances.
    ///
    /// # Errors
    ///
    /// [`Unusable`] if the file cannot be read or understood.
    pub fn look(&mut self) -> Result<Looked, Unusable> {
        self.follow();
        let stamp = files::stamp(self.key).ok();
        if stamp == self.stamp {
            self.unread = None;
            return Ok(Looked::Same);
        }
        let unusable = |reason| Unusable { key: self.key, reason };
        let content = match files::read(self.key) {
            Ok(content) => content,
            Err(err) => {
                // What it says is not known yet: the stamp stays the old one, and the next look tries again.
                let reason = unreadable(&err);
                if self.unread.as_ref() == Some(&reason) {
                    return Ok(Looked::Same);
                }
                self.unread = Some(reason.clone());
                return Err(unusable(reason));
            }
        };
        let is_first = self.stamp.is_none();
        (self.stamp, self.unread) = (stamp, None);
        // To accept it again would have all instances read it again, at each start of one.
        if is_first && files::accepted(self.key).is_ok_and(|accepted| accepted.as_ref() == Some(&content)) {
            return Ok(Looked::Same);
        }
        let understood = understand(self.key, self.parse, &content, Some(&self.value));
        (self.value, self.number) = understood.map_err(unusable)?;
        Ok(Looked::Changed)
    }

    /// The same, and says in the log what came of it: that the file has changed and what is in force now, or why it cannot
    /// be used. Whether it is another one.
    ///
    /// `in_force` is called before the log says so: the place to end verdicts that were given by the one before
    /// ([`invalidate`](crate::invalidate)).
    pub fn look_and_log(&mut self, in_force: impl FnOnce(&T) -> String) -> bool {
        match self.look() {
            Ok(Looked::Same) => false,
            Ok(Looked::Changed) => {
                let Watched { key, value, .. } = self;
                log::info(format_args!("`{key}` has changed and is in force: {}", in_force(value)));
                true
            }
            Err(problem) => {
                log::error(problem);
                false
            }
        }
    }
}

/// Has what was just read accepted, if it is understood.
fn understand<T>(key: &str, parse: Parse<T>, content: &[u8], in_force: Option<&T>) -> Result<(T, u64), String> {
    let value = parse(content, in_force)?;
    let number = files::accept(key).map_err(|err| unreadable(&err))?;
    Ok((value, number))
}

fn unreadable(error: &FileError) -> String {
    format!("cannot read the file: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "file";

    fn number(content: &[u8], _: Option<&u32>) -> Result<u32, String> {
        String::from_utf8_lossy(content).parse().map_err(|_| "no number".to_owned())
    }

    fn write(content: &str) {
        files::stand_in(KEY, Ok(content.into()));
    }

    #[test]
    fn a_change_is_in_force_for_all_instances_once_it_is_looked_at() {
        write("1");
        let open = || Watched::open(KEY, number).expect("a number");
        let (mut looking, mut following) = (open(), open());
        write("2");
        assert_eq!((*looking.follow(), *following.follow()), (1, 1));
        assert_eq!(looking.look(), Ok(Looked::Changed));
        assert_eq!((*looking.follow(), *following.follow(), *open().follow()), (2, 2, 2));
        assert_eq!(looking.look(), Ok(Looked::Same));
    }

    /// It fails as it reads a file that is too large for its time or memory, say.
    #[test]
    fn a_change_that_an_instance_has_failed_with_is_found_by_the_next_one() {
        write("1");
        let open = || Watched::open(KEY, number).expect("a number");
        drop(open());
        write("2");
        let mut fresh = open();
        assert_eq!((*fresh.follow(), fresh.look(), *fresh.follow()), (1, Ok(Looked::Changed), 2));
        let mut another = open();
        let accepted = files::accepted_number(KEY);
        assert_eq!((another.look(), another.look()), (Ok(Looked::Same), Ok(Looked::Same)));
        assert_eq!(files::accepted_number(KEY), accepted, "it is in force already");
        write("3");
        assert_eq!(another.look(), Ok(Looked::Changed));
    }

    #[test]
    fn what_is_broken_is_told_once_and_changes_nothing() {
        write("1");
        let open = || Watched::open(KEY, number).expect("a number");
        let (mut looking, mut idle) = (open(), open());
        write("2");
        assert_eq!(looking.look(), Ok(Looked::Changed));
        write("x");
        let problem = looking.look().expect_err("no number");
        let expected = "`file` has changed and is not used, what was read before stays in force: no number";
        assert_eq!(problem.to_string(), expected);
        assert_eq!(looking.look(), Ok(Looked::Same));
        // Also for one that was never asked while 2 was the file, and for one that starts now.
        assert_eq!((*looking.follow(), *idle.follow(), *open().follow()), (2, 2, 2));
        write("y");
        assert!(!looking.look_and_log(u32::to_string) && !looking.look_and_log(u32::to_string));
        assert_eq!(log::take_written(), [(log::Level::Error, expected.to_owned())]);
        files::stand_in(KEY, Err(FileError::Failed("gone".to_owned())));
        assert!(looking.look().expect_err("gone").to_string().ends_with("cannot read the file: gone"));
        write("3");
        assert!(looking.look_and_log(|value| {
            assert_eq!(log::take_written(), [], "what is to be done before the log says so");
            value.to_string()
        }));
        let expected = "`file` has changed and is in force: 3";
        assert_eq!(log::take_written(), [(log::Level::Info, expected.to_owned())]);
        assert_eq!((*idle.follow(), *open().follow()), (3, 3));
    }

    #[test]
    fn what_cannot_be_read_is_tried_again_and_each_reason_is_told_once() {
        write("1");
        let mut file = Watched::open(KEY, number).expect("a number");
        write("2");
        let mut look = |fails: Option<&str>| {
            files::fail_to_read(KEY, fails.map(|reason| FileError::Failed(reason.to_owned())));
            file.look().map_err(|problem| problem.reason)
        };
        let failed = |reason: &str| Err(format!("cannot read the file: {reason}"));
        assert_eq!([look(Some("a")), look(Some("a")), look(Some("b"))], [failed("a"), Ok(Looked::Same), failed("b")]);
        assert_eq!([look(None), look(None)], [Ok(Looked::Changed), Ok(Looked::Same)]);
        assert_eq!(file.follow(), &2);
    }

    /// A plugin that is loaded again refuses what it would have refused as a change.
    #[test]
    fn what_was_in_force_before_a_reload_is_what_the_file_takes_the_place_of() {
        let rising = |content: &[u8], in_force: Option<&u32>| match number(content, None)? {
            value if in_force.is_some_and(|before| value < *before) => Err(format!("less than {in_force:?}")),
            value => Ok(value),
        };
        write("2");
        let mut file = Watched::open(KEY, rising).expect("is the first");
        write("1");
        assert!(file.look().is_err());
        files::load_again(KEY);
        assert_eq!(Watched::open(KEY, rising).map(drop), Err("`file`: less than Some(2)".to_owned()));
        write("3");
        let mut file = Watched::open(KEY, rising).expect("is more");
        assert_eq!((*file.follow(), file.look(), files::accepted_number(KEY)), (3, Ok(Looked::Same), Ok(1)));
        // Another build of the plugin may not understand what was in force.
        files::load_again(KEY);
        write("0");
        let picky = |content: &[u8], _: Option<&u32>| if content == b"3" { Err(String::new()) } else { Ok(0) };
        assert_eq!(Watched::open(KEY, picky).map(|mut file| *file.follow()), Ok(0));
    }

    #[test]
    fn what_is_wrong_at_first_names_the_key() {
        write("x");
        assert_eq!(Watched::open(KEY, number).map(drop), Err("`file`: no number".to_owned()));
        files::stand_in(KEY, Err(FileError::NotGranted));
        let expected = format!("`file`: cannot read the file: {}", FileError::NotGranted);
        assert_eq!(Watched::open(KEY, number).map(drop), Err(expected));
    }
}
