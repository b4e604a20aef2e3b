//! The JSON Schema for editors.

use super::super::setting::{Form, Keys};
use super::*;

#[test]
fn the_schema_that_ships_is_fresh() {
    let shipped = include_str!("../../../config.schema.json");
    assert!(shipped == json_schema(), "run: cargo run -- config --schema > host/config.schema.json");
}

#[test]
fn every_key_of_every_table_is_in_the_schema_and_described() {
    fn check(keys: &Keys, schema: &Json, path: &str) {
        for setting in keys.settings() {
            let property = &schema["properties"][setting.key];
            let path = format!("{path}.{}", setting.key);
            let description = property["description"].as_str().unwrap_or_default();
            assert!(description.starts_with(setting.about) && setting.about.ends_with('.'), "{path}: {property}");
            match setting.form {
                Form::Section(keys) => check(keys, property, &path),
                Form::Listeners(keys) => check(keys, &property["additionalProperties"], &path),
                _ => {}
            }
        }
    }
    let schema: Json = serde_json::from_str(&json_schema()).expect("is JSON");
    check(&crate::config::root::KEYS, &schema, "");
    assert_eq!(schema["properties"]["max-qos"]["default"], 2);
    assert_eq!(schema["properties"]["auth"]["additionalProperties"], false);
    assert_eq!(
        schema["properties"]["limits"]["patternProperties"]["^(?!inflight-max$)inflight[-_]max$"]["anyOf"][0]["maximum"],
        65_535
    );
}

/// A setting that people are not told of is one that they do not have.
#[test]
fn every_key_of_every_table_is_in_the_readme() {
    fn check(keys: &Keys, readme: &str) {
        for setting in keys.settings() {
            let key = setting.key;
            let told = [format!("`{key}`"), format!(".{key}`"), format!("`{key}:"), format!("`{key}.")];
            assert!(told.iter().any(|told| readme.contains(told)), "`{key}` is not in README.md");
            match setting.form {
                Form::Section(keys) | Form::Listeners(keys) => check(keys, readme),
                _ => {}
            }
        }
    }
    check(&crate::config::root::KEYS, include_str!("../../../../README.md"));
}
