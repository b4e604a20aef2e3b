use super::error::{ConfigError, Problem};
use super::yaml::{self, At};

/// Errors that are told at once. Beyond them a file is wrong as a whole, and each place costs a reading of the file.
const ERRORS_MAX: usize = 20;

/// Warnings that are told at once.
const WARNINGS_MAX: usize = 50;

/// Errors, and warnings, that are kept to be sorted: looking for equal ones takes time.
const FINDINGS_MAX: usize = 1_000;

/// What was found wrong so far: checking goes on after an error, so that one run tells all of them.
#[derive(Debug, Default)]
pub(super) struct Report {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
}

#[derive(Debug, PartialEq, Eq)]
struct Finding {
    at: Option<At>,
    message: String,
    hint: Option<String>,
}

impl Report {
    /// Something because of which the broker must not start.
    pub(super) fn error(&mut self, at: Option<At>, message: String, hint: Option<String>) {
        push(&mut self.errors, Finding { at, message, hint });
    }

    /// Something that people should know of.
    pub(super) fn warning(&mut self, at: Option<At>, message: String, hint: Option<String>) {
        push(&mut self.warnings, Finding { at, message, hint });
    }

    /// Gives the warnings if there is no error.
    pub(super) fn finish(self, text: &str, file: &str) -> Result<Vec<String>, ConfigError> {
        let (warnings, more) = located(self.warnings, WARNINGS_MAX, text, file);
        let (problems, more_errors) = located(self.errors, ERRORS_MAX, text, file);
        if !problems.is_empty() {
            return Err(ConfigError::Invalid { problems, more: more_errors });
        }
        let mut lines: Vec<String> = warnings.iter().map(Problem::on_one_line).collect();
        if more > 0 {
            lines.push(format!("{file}: and {more} more warnings"));
        }
        Ok(lines)
    }
}

/// Several listeners may inherit one mistake.
fn push(findings: &mut Vec<Finding>, finding: Finding) {
    if findings.len() < FINDINGS_MAX && !findings.contains(&finding) {
        findings.push(finding);
    }
}

fn located(mut findings: Vec<Finding>, max: usize, text: &str, file: &str) -> (Vec<Problem>, usize) {
    // What is about the whole file comes last.
    findings.sort_by_key(|finding| (finding.at.is_none(), finding.at));
    let more = findings.len().saturating_sub(max);
    findings.truncate(max);
    let problems = findings.into_iter().map(|finding| Problem {
        file: file.to_owned(),
        place: finding.at.and_then(|at| yaml::place(text, at)),
        message: finding.message,
        hint: finding.hint,
    });
    (problems.collect(), more)
}
