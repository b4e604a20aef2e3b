use std::collections::HashMap;

use super::error::{Place, Problem, Value};

/// Errors, and warnings, that are kept: looking for equal ones takes time.
const FINDINGS_MAX: usize = 1_000;

/// What was found wrong so far: checking goes on after an error, so that one run tells all of them.
#[derive(Debug, Default)]
pub(super) struct Report {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    places: HashMap<String, Place>,
    plugins_are_whole: bool,
}

/// All that is wrong with a file, in the order of its lines.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// Where plugins, their `sha256` and listeners stand, by name.
    pub(super) places: HashMap<String, Place>,
    /// Whether plugins have all the settings that the file has for them.
    pub(super) plugins_are_whole: bool,
}

impl Report {
    /// Something because of which the broker must not start.
    pub(super) fn error(&mut self, at: Option<Place>, message: String, hint: Option<String>) {
        push(&mut self.errors, problem(at, message, hint));
    }

    /// Something that people should know of.
    pub(super) fn warning(&mut self, at: Option<Place>, message: String, hint: Option<String>) {
        push(&mut self.warnings, problem(at, message, hint));
    }

    /// A value that is not what its key wants; `found` is fit for a message.
    pub(super) fn wrong_value(&mut self, at: Place, path: &str, found: String, wanted: &str, hint: Option<String>) {
        let subject = match path {
            "" => "the file".to_owned(),
            path => format!("key `{path}`"),
        };
        let mut problem = problem(Some(at), format!("{subject}: found {found}, wanted {wanted}"), hint);
        problem.value = Some(Value { key: path.to_owned(), found, wanted: wanted.to_owned() });
        // One thing at a time about each place.
        if self.errors.iter().all(|error| error.place != Some(at)) {
            push(&mut self.errors, problem);
        }
    }

    /// Keeps where a plugin, its `sha256` or a listener stands, for what a start would find wrong with it.
    pub(super) fn keep_place(&mut self, name: &str, place: Place) {
        self.places.entry(name.to_owned()).or_insert(place);
    }

    /// How many errors there are so far.
    pub(super) fn errors_len(&self) -> usize {
        self.errors.len()
    }

    /// No error is about what plugins are set to.
    pub(super) fn plugins_are_whole(&mut self) {
        self.plugins_are_whole = true;
    }

    /// Everything, sorted: what is about the whole file comes last.
    pub(super) fn finish(self, file: &str) -> Findings {
        let sorted = |mut problems: Vec<Problem>| {
            problems.sort_by_key(|problem| (problem.place.is_none(), problem.place));
            problems.iter_mut().for_each(|problem| file.clone_into(&mut problem.file));
            problems
        };
        let Self { places, plugins_are_whole, .. } = self;
        Findings { errors: sorted(self.errors), warnings: sorted(self.warnings), places, plugins_are_whole }
    }
}

/// The name of the file is known in the end.
fn problem(place: Option<Place>, message: String, hint: Option<String>) -> Problem {
    Problem { place, hint, ..Problem::about_file("", message) }
}

/// Several listeners may inherit one mistake.
fn push(problems: &mut Vec<Problem>, problem: Problem) {
    if problems.len() < FINDINGS_MAX && !problems.contains(&problem) {
        problems.push(problem);
    }
}
