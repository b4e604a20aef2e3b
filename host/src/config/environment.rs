//! `${NAME}` and `${NAME:-default}` in values, for what should not stand in a file.
//!
//! Filled in after the text was read, so that whatever a variable holds stays one text. Other uses of `$` mean nothing:
//! password hashes and topics are full of them. `$${` is a plain `${`.

use std::ffi::OsString;

use super::report::Report;
use super::yaml::{Node, Value};

/// Fills in the variables of every value.
pub(super) fn fill_in(node: &mut Node, environment: fn(&str) -> Option<OsString>, report: &mut Report) {
    match &mut node.value {
        Value::Text(text) if text.contains("${") => match expand(text, environment) {
            Ok(Expanded { text: value, has_variables }) => {
                let written = std::mem::replace(text, value);
                node.written = has_variables.then(|| written.into());
            }
            Err(Bad { message, hint }) => report.error(Some(node.place), message, Some(hint)),
        },
        Value::List(items) => items.iter_mut().for_each(|item| fill_in(item, environment, report)),
        Value::Mapping(entries) => {
            entries.iter_mut().for_each(|entry| fill_in(&mut entry.value, environment, report));
        }
        _ => {}
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Expanded {
    text: String,
    has_variables: bool,
}

/// A reference that leads nowhere.
#[derive(Debug, PartialEq, Eq)]
struct Bad {
    message: String,
    hint: String,
}

fn expand(text: &str, environment: fn(&str) -> Option<OsString>) -> Result<Expanded, Bad> {
    let (mut expanded, mut has_variables, mut rest) = (String::new(), false, text);
    while let Some(start) = rest.find("${") {
        let before = &rest[..start];
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        expanded.push_str(before);
        let (reference, after) = rest[start + 2..].split_once('}').ok_or_else(|| Bad {
            message: "`${` without a `}`".to_owned(),
            hint: "write `${NAME}` for a variable of the environment, `$${` for a plain `${`".to_owned(),
        })?;
        expanded.push_str(&value(reference, environment)?);
        has_variables = true;
        rest = after;
    }
    expanded.push_str(rest);
    Ok(Expanded { text: expanded, has_variables })
}

/// What a reference stands for; as in a shell, an empty variable is as good as none where there is a default.
fn value(reference: &str, environment: fn(&str) -> Option<OsString>) -> Result<String, Bad> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(Bad {
            message: format!("`${{{}}}` names no variable of the environment", reference.escape_debug()),
            hint: "write `${NAME}` or `${NAME:-default}`; `$${` is a plain `${`".to_owned(),
        });
    }
    match (environment(name), default) {
        (None, None) => Err(Bad {
            message: format!("the environment variable `{name}` is not set"),
            hint: format!("set it, or write a default: `${{{name}:-default}}`"),
        }),
        (None, Some(default)) => Ok(default.to_owned()),
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => value.into_string().map_err(|_| Bad {
            message: format!("the environment variable `{name}` is not UTF-8 text"),
            hint: "give it another value".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<OsString> {
        match name {
            "PORT" => Some("1883".into()),
            "EMPTY" => Some("".into()),
            "YAML" => Some("a: [b]\n- ${PORT}".into()),
            "BYTES" => Some(std::os::unix::ffi::OsStringExt::from_vec(vec![0xff])),
            _ => None,
        }
    }

    #[test]
    fn variables_are_filled_in_once() {
        let check = |text: &str, expected: &str, has_variables: bool| {
            let expected = Expanded { text: expected.to_owned(), has_variables };
            assert_eq!(expand(text, environment), Ok(expected), "{text}");
        };
        check("${PORT}", "1883", true);
        check("127.0.0.1:${PORT}/${PORT:-1}", "127.0.0.1:1883/1883", true);
        check("${ABSENT:-a:-b}${ABSENT:-}", "a:-b", true);
        check("<${EMPTY}><${EMPTY:-x}>", "<><x>", true);
        check("${YAML}", "a: [b]\n- ${PORT}", true);
        // What is no reference.
        check("$6$rounds=5000$salt$hash", "$6$rounds=5000$salt$hash", false);
        check("$$6$$ $PORT $SYS/# $", "$$6$$ $PORT $SYS/# $", false);
        check("$${PORT} $$${PORT}", "${PORT} $${PORT}", false);
        check("$${PORT} is ${PORT}", "${PORT} is 1883", true);
    }

    #[test]
    fn what_leads_nowhere_is_an_error() {
        let check = |text: &str, message: &str| {
            let bad = expand(text, environment).expect_err(text);
            assert_eq!(bad.message, message, "{text}");
        };
        check("${ABSENT}", "the environment variable `ABSENT` is not set");
        check("a ${PORT", "`${` without a `}`");
        check("${}", "`${}` names no variable of the environment");
        check("${1A}", "`${1A}` names no variable of the environment");
        check("${a-b}", "`${a-b}` names no variable of the environment");
        check("${PORT:default}", "`${PORT:default}` names no variable of the environment");
        check("${BYTES}", "the environment variable `BYTES` is not UTF-8 text");
    }
}
