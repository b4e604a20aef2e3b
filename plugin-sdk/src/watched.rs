use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::files::{self, FileError};
use crate::log;

/// What a file says, for a plugin that decides by it and follows its changes.
///
/// All instances of the plugin go by the same content: one that was read and understood. [`look`](Self::look) for a new
/// one in [`Ticks`](crate::Ticks), which one instance has; [`follow`](Self::follow) what it has found before each answer.
/// A file that cannot be read or understood leaves the one before in force, for instances that start later too, and over
/// a reload of the plugin. Another content takes its place when two looks in a row agree on it, so that none is taken
/// half-written.
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
    /// Of the file when its content was last judged: another one says that two looks agree on a change. None before this
    /// instance has judged any, and after the file could not be read: then nothing says so but what the looks read.
    stamp: Option<u64>,
    /// What the last look has read, where there is no stamp.
    read_last: Option<u64>,
    /// Why a change is not in force, as it was told.
    told: Option<String>,
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
    /// Where the plugin is loaded again, what was in force before is so still, until it is looked for something new:
    /// somebody may be writing the file at this moment. The file is read all the same where this plugin does not
    /// understand what was in force, as another build of it may.
    ///
    /// # Errors
    ///
    /// The text names the key and says what is wrong with the file.
    pub fn open(key: &'static str, parse: Parse<T>) -> Result<Self, String> {
        let named = |reason: String| format!("`{key}`: {reason}");
        let opened = |value, number, stamp| Watched { key, parse, value, number, stamp, read_last: None, told: None };
        let number = files::accepted_number(key).map_err(|err| named(unreadable(&err)))?;
        let in_force = files::accepted(key).map_err(|err| named(unreadable(&err)))?;
        match in_force.map(|content| parse(&content, None)) {
            // What the file says now is not known: the instance before this one may have failed with a change of it.
            Some(Ok(value)) => return Ok(opened(value, number, None)),
            Some(Err(reason)) if number > 0 => return Err(named(reason)),
            _ => {}
        }
        // Before the content: a change in between is found at the next look.
        let stamp = files::stamp(key).ok();
        let content = files::read(key).map_err(|err| named(unreadable(&err)))?;
        let (value, number) = understand(key, parse, &content, None).map_err(named)?;
        Ok(opened(value, number, stamp))
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

    /// Reads the file if it has changed, and puts it in force for all instances. Looks have to be a second or so apart, as
    /// ticks are: what has not changed from one to the next counts as written.
    ///
    /// # Errors
    ///
    /// [`Unusable`] if the file cannot be read or understood.
    pub fn look(&mut self) -> Result<Looked, Unusable> {
        self.follow();
        let key = self.key;
        let stamp = files::stamp(key).ok();
        if stamp.is_some() && stamp == self.stamp {
            return Ok(Looked::Same);
        }
        let content = match files::read(key) {
            Ok(content) => content,
            Err(err) => {
                // Tried again at the next look: what fails may be other than the file.
                (self.stamp, self.read_last) = (None, None);
                let reason = unreadable(&err);
                let is_told = self.told.as_ref() == Some(&reason);
                return if is_told { Ok(Looked::Same) } else { Err(self.unusable(reason)) };
            }
        };
        // To accept it again would have all instances read it again, at each start of one.
        if self.told.is_none() && files::accepted(key).is_ok_and(|accepted| accepted.as_ref() == Some(&content)) {
            self.stamp = stamp;
            return Ok(Looked::Same);
        }
        if self.stamp.is_none() && self.read_last.replace(hash(&content)) != Some(hash(&content)) {
            return Ok(Looked::Same);
        }
        (self.stamp, self.read_last) = (stamp, None);
        let understood = understand(key, self.parse, &content, Some(&self.value));
        (self.value, self.number) = understood.map_err(|reason| self.unusable(reason))?;
        self.told = None;
        Ok(Looked::Changed)
    }

    fn unusable(&mut self, reason: String) -> Unusable {
        self.told = Some(reason.clone());
        Unusable { key: self.key, reason }
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

/// By which one content is told from another without keeping it: a file may take much of the plugin's memory.
fn hash(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
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
        assert_eq!(
            (*fresh.follow(), fresh.look(), *fresh.follow()),
            (1, Ok(Looked::Same), 1),
            "it may be half-written"
        );
        assert_eq!((fresh.look(), *fresh.follow()), (Ok(Looked::Changed), 2));
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
        assert!(!looking.look_and_log(u32::to_string), "it may be half-written");
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
        assert_eq!([look(None), look(None), look(None)], [Ok(Looked::Same), Ok(Looked::Changed), Ok(Looked::Same)]);
        assert_eq!(file.follow(), &2);
    }

    /// Has a file that is being written looked at after each piece: its stamp is another one once it is whole.
    fn look_at_pieces(file: &mut Watched<u32>, in_force: u32) {
        for piece in ["3", "33", "", "333"] {
            files::stand_in_half_written(KEY, piece.as_bytes());
            assert_eq!((file.look(), *file.follow()), (Ok(Looked::Same), in_force), "{piece:?}");
        }
        assert_eq!((file.look(), *file.follow()), (Ok(Looked::Changed), 333), "two looks have found the same");
        // It has not changed since, whenever the broker sees that.
        write("333");
        assert_eq!((file.look(), files::accepted_number(KEY)), (Ok(Looked::Same), Ok(2)));
    }

    #[test]
    fn what_is_written_in_pieces_after_it_was_gone_is_taken_when_two_looks_agree() {
        write("1");
        let mut file = Watched::open(KEY, number).expect("a number");
        files::stand_in(KEY, Err(FileError::Failed("gone".to_owned())));
        assert!(file.look().is_err());
        look_at_pieces(&mut file, 1);
    }

    #[test]
    fn what_is_written_in_pieces_while_an_instance_starts_is_taken_when_two_looks_agree() {
        write("1");
        drop(Watched::open(KEY, number).expect("a number"));
        files::stand_in_half_written(KEY, b"");
        look_at_pieces(&mut Watched::open(KEY, number).expect("a number"), 1);
    }

    #[test]
    fn what_is_put_back_as_it_was_is_in_force_again() {
        write("1");
        let mut file = Watched::open(KEY, number).expect("a number");
        files::stand_in(KEY, Err(FileError::Failed("gone".to_owned())));
        assert!(file.look().is_err());
        write("1");
        assert_eq!([file.look(), file.look(), file.look()], [Ok(Looked::Same), Ok(Looked::Changed), Ok(Looked::Same)]);
        write("1");
        assert_eq!(file.look(), Ok(Looked::Same), "it was put there again, and nobody was told of anything else");
    }

    #[test]
    fn what_was_in_force_before_a_reload_is_so_until_two_looks_agree_on_another() {
        let rising = |content: &[u8], in_force: Option<&u32>| match number(content, None)? {
            value if in_force.is_some_and(|before| value < *before) => Err(format!("less than {in_force:?}")),
            value => Ok(value),
        };
        write("2");
        drop(Watched::open(KEY, rising).expect("is the first"));
        // Whatever becomes of the file, also for a second instance and a second reload.
        for content in [Ok(b"1".to_vec()), Ok(Vec::new()), Err(FileError::Failed("gone".to_owned()))] {
            files::load_again(KEY);
            files::stand_in(KEY, content);
            let open = || Watched::open(KEY, rising).expect("2 is understood");
            let (mut file, mut another) = (open(), open());
            let problems = [file.look(), file.look(), file.look()].into_iter().filter(Result::is_err).count();
            assert_eq!((*file.follow(), *another.follow(), problems), (2, 2, 1));
        }
        write("3");
        let mut file = Watched::open(KEY, rising).expect("2 is understood");
        assert_eq!([file.look(), file.look(), file.look()], [Ok(Looked::Same), Ok(Looked::Changed), Ok(Looked::Same)]);
        assert_eq!((*file.follow(), files::accepted_number(KEY)), (3, Ok(1)));
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
