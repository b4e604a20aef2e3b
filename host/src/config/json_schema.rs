//! The JSON Schema of the configuration, for editors: made of the tables that read it.

use serde_json::{Map, Value as Json, json};

use super::known;
use super::root;
use super::setting::{Form, Keys, Preset, Setting, Unknown};
use super::yaml;

/// The JSON Schema (draft 7, which editors know) of a configuration file, as text.
pub fn json_schema() -> String {
    let mut schema = section(&root::KEYS);
    let head = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of the MQTT broker amqtt",
        "required": ["listeners"],
        "definitions": {
            "reference": {
                "description": "A variable of the environment.",
                "type": "string",
                "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}",
            },
            "switch": { "anyOf": [
                { "type": "boolean" },
                { "type": "string", "pattern": any_case(&["true", "false", "on", "off", "yes", "no"]) },
                reference(),
            ] },
            "topics": { "type": "array", "items": text() },
            "plugins": plugins(),
        },
    });
    if let (Json::Object(schema), Json::Object(head)) = (&mut schema, head) {
        schema.extend(head);
    }
    format!("{schema:#}\n")
}

fn section(keys: &Keys) -> Json {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    for setting in keys.settings() {
        properties.insert(setting.key.to_owned(), described(setting));
        if setting.key.contains('-') {
            // Not among the properties, so that editors offer one spelling.
            let (key, any) = (setting.key, setting.key.replace('-', "[-_]"));
            patterns.insert(format!("^(?!{key}$){any}$"), value(setting.form));
        }
    }
    let mut schema = json!({ "type": ["object", "null"], "properties": properties });
    if !patterns.is_empty() {
        schema["patternProperties"] = patterns.into();
    }
    if keys.unknown == Unknown::Error {
        schema["additionalProperties"] = false.into();
    }
    schema
}

fn described(setting: &Setting) -> Json {
    let mut schema = value(setting.form);
    // Draft 7 ignores what stands beside a `$ref`.
    if schema.get("$ref").is_some() {
        schema = json!({ "allOf": [schema] });
    }
    match setting.default {
        Preset::Value(value) => schema["default"] = plain(value),
        Preset::Meaning(meaning) => {
            schema["description"] = format!("{} Default: {meaning}.", setting.about).into();
            return schema;
        }
        Preset::None => {}
    }
    schema["description"] = setting.about.into();
    schema
}

fn value(form: Form) -> Json {
    match form {
        Form::Switch => json!({ "$ref": "#/definitions/switch" }),
        Form::Integer { min, max } => {
            let mut integer = json!({ "type": "integer", "minimum": min });
            if max != i64::MAX {
                integer["maximum"] = max.into();
            }
            json!({ "anyOf": [integer, { "type": "string", "pattern": "^[-+]?[0-9]+$" }, reference()] })
        }
        Form::Word(words) => {
            json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": any_case(words) }, reference()] })
        }
        Form::Quantity(quantity) => {
            json!({ "anyOf": [{ "type": "string", "pattern": quantity.pattern() }, reference()] })
        }
        Form::Bind => json!({ "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 65_535 }, text()] }),
        Form::File | Form::Text(_) | Form::Secret(_) => text(),
        Form::Files | Form::Texts(_) => json!({ "type": "array", "items": text() }),
        Form::Topics => json!({ "$ref": "#/definitions/topics" }),
        Form::TopicsOfUsers => {
            json!({ "type": "object", "additionalProperties": { "$ref": "#/definitions/topics" } })
        }
        Form::Sha256 => json!({ "anyOf": [{ "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" }, reference()] }),
        Form::Plugins => json!({ "$ref": "#/definitions/plugins" }),
        Form::Section(keys) => section(keys),
        Form::Listeners(keys) => json!({ "type": "object", "minProperties": 1, "additionalProperties": section(keys) }),
        Form::Any => json!({}),
    }
}

/// A list of names, each with settings or without, or a mapping of names to settings.
fn plugins() -> Json {
    let names: Vec<&str> = known::all().iter().map(|known| known.name).collect();
    let settings: Map<String, Json> =
        known::all().iter().map(|known| (known.name.to_owned(), section(&known.keys))).collect();
    let named = json!({ "type": "object", "properties": settings, "additionalProperties": section(&known::FOREIGN) });
    let mut one = named.clone();
    one["minProperties"] = 1.into();
    one["maxProperties"] = 1.into();
    json!({ "anyOf": [
        { "type": "array", "items": { "anyOf": [{ "enum": names }, text(), one] } },
        named,
    ] })
}

fn text() -> Json {
    json!({ "type": "string", "minLength": 1 })
}

fn reference() -> Json {
    json!({ "$ref": "#/definitions/reference" })
}

/// One of these words in any case: patterns have no flag for that.
fn any_case(words: &[&str]) -> String {
    let letter = |c: char| format!("[{}{c}]", c.to_ascii_uppercase());
    let words: Vec<String> = words.iter().map(|word| word.chars().map(letter).collect()).collect();
    format!("^({})$", words.join("|"))
}

/// A value of a table as an editor would write it.
fn plain(value: &str) -> Json {
    match yaml::parse(value).map(|node| node.value) {
        Ok(yaml::Value::Bool(value)) => value.into(),
        Ok(yaml::Value::Integer(value)) => i64::try_from(value).map_or(Json::Null, Json::from),
        _ => value.into(),
    }
}
