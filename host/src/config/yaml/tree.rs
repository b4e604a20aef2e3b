use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::super::error::Place;
use super::{Entry, Node, SyntaxError, Value, scalar};

/// Keys and values of one text. Aliases count where they are used, so that a small text cannot become a huge tree.
const NODES_MAX: usize = 1_000_000;

/// Lists and mappings within each other: trees are walked recursively.
const DEPTH_MAX: usize = 64;

/// Reads a text with one document.
pub(in super::super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    // The mark that some editors write first is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse_characters(text)?;
    let parser = Parser::new_from_str(text);
    let mut reader = Reader { text, parser, anchors: HashMap::new(), nodes: 0, open: Vec::new() };
    let mut root = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => return Ok(root.unwrap_or_else(|| node(Place { line: 1, column: 1 }, Value::Null))),
            _ if root.is_some() => return Err(error(span.start, "a second document: there is one in a configuration")),
            event => root = Some(reader.node(event, span)?),
        }
    }
}

/// Control characters are no YAML, and some readers take the others as ends of lines: what stands behind one would be a
/// comment to one reader and a key to the next.
fn refuse_characters(text: &str) -> Result<(), SyntaxError> {
    let is_refused = |c: char| match c {
        '\t' | '\n' | '\r' => false,
        c => c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'),
    };
    let Some((index, found)) = text.char_indices().find(|(_, c)| is_refused(*c)) else { return Ok(()) };
    let before = &text[..index];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let code = format!("{:04X}", u32::from(found));
    let hint = match found {
        '\0' => "save the file as UTF-8 text".to_owned(),
        _ => format!("remove it, or write it as `\\u{code}` in double quotes"),
    };
    Err(SyntaxError {
        place: Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 },
        message: format!("the character U+{code} may not stand in YAML"),
        hint: Some(hint),
        general_hint: None,
    })
}

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// What `&name` marks and how many nodes that is; nothing while it is being read.
    anchors: HashMap<usize, Option<(Node, usize)>>,
    nodes: usize,
    /// Where the lists and mappings begin that are being read, the innermost last.
    open: Vec<Marker>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        match self.parser.next_event() {
            Some(event) => event.map_err(|scan: ScanError| SyntaxError {
                general_hint: Some(self.general_hint(scan.info())),
                ..error(*scan.marker(), scan.info())
            }),
            // After the end there is nothing: the one who asks has seen it.
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// What to look at where the parser has given up: what is wrong stands before that place.
    fn general_hint(&self, message: &str) -> String {
        let bracket = |at: &Marker| self.text.chars().nth(at.index()).filter(|c| matches!(c, '[' | '{'));
        if let Some((bracket, Place { line, column })) =
            self.open.last().and_then(|at| Some((bracket(at)?, place(*at))))
        {
            return format!(
                "the `{bracket}` of line {line}, column {column} is not closed before this: look for a bracket, a `,` or a quote \
                 that is missing"
            );
        }
        let of_columns = ["expected key", "expected '-' indicator", "<document start>", "indentation"];
        if of_columns.iter().any(|part| message.contains(part)) && !message.contains("quoted") {
            return "look at the spaces before this line and those above: what belongs to one list or mapping begins in one \
                    column"
                .to_owned();
        }
        "look for an open `[`, `{` or quote, or for indentation that differs, in the lines before".to_owned()
    }

    /// The node that begins with an event.
    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, SyntaxError> {
        let nodes_before = self.nodes;
        self.count(1, span.start)?;
        let mut spelled = None;
        let (anchor, value) = match event {
            Event::Alias(anchor) => return self.alias(anchor, span.start),
            Event::Scalar(text, style, anchor, tag) => {
                let value = leaf(&text, style, tag.as_deref(), span.start)?;
                spelled = matches!(value, Value::Integer(_) | Value::Float(_)).then(|| Box::from(&*text));
                (anchor, value)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", span.start)?;
                (anchor, self.within(anchor, span.start, Self::list)?)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", span.start)?;
                (anchor, self.within(anchor, span.start, Self::mapping)?)
            }
            _ => return Err(error(span.start, "a value is missing")),
        };
        let node = Node { spelled, ..node(place(span.start), value) };
        if anchor != 0 {
            self.anchors.insert(anchor, Some((node.clone(), self.nodes - nodes_before)));
        }
        Ok(node)
    }

    fn within(
        &mut self,
        anchor: usize,
        start: Marker,
        read: fn(&mut Self) -> Result<Value, SyntaxError>,
    ) -> Result<Value, SyntaxError> {
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(start);
        if self.open.len() > DEPTH_MAX {
            return Err(error(start, format!("more than {DEPTH_MAX} lists and mappings within each other")));
        }
        let value = read(self)?;
        self.open.pop();
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, SyntaxError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Value, SyntaxError> {
        let (mut entries, mut merged) = (Vec::new(), None);
        loop {
            let (key, style, start) = match self.next()? {
                (Event::MappingEnd, _) => break,
                // As it is spelled: user names such as `0x10` or `true` are text.
                (Event::Scalar(key, style, _, _), span) => (key.into_owned(), style, span.start),
                (_, span) => return Err(error(span.start, "a key has to be text on one line")),
            };
            self.count(1, start)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            if key == "<<" && style == ScalarStyle::Plain {
                // Readers of YAML differ in which of two would count.
                if let Some((_, before)) = merged.replace((value, start)) {
                    let message = format!("key `<<` is repeated: it stands in line {} already", before.line());
                    let hint = "name several mappings in one list: `<<: [*one, *two]`".to_owned();
                    return Err(SyntaxError { hint: Some(hint), ..error(start, message) });
                }
            } else {
                entries.push(Entry { key, place: place(start), value });
            }
        }
        if let Some((node, start)) = merged {
            merge(&mut entries, node, start)?;
        }
        Ok(Value::Mapping(entries))
    }

    /// A copy of what an anchor marks: it keeps the places where its values are written.
    fn alias(&mut self, anchor: usize, start: Marker) -> Result<Node, SyntaxError> {
        let Some(Some((_, nodes))) = self.anchors.get(&anchor) else {
            return Err(error(start, "an alias within what it stands for"));
        };
        self.count(*nodes, start)?;
        match self.anchors.get(&anchor) {
            Some(Some((node, _))) => Ok(node.clone()),
            _ => Err(error(start, "an alias of nothing")),
        }
    }

    fn count(&mut self, nodes: usize, at: Marker) -> Result<(), SyntaxError> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            return Err(error(at, format!("more than {NODES_MAX} keys and values")));
        }
        Ok(())
    }
}

/// Adds what `<<` names to the entries that the mapping has itself: those go first.
fn merge(entries: &mut Vec<Entry>, node: Node, at: Marker) -> Result<(), SyntaxError> {
    match node.value {
        Value::Mapping(more) => {
            let known: std::collections::HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
            entries.extend(more.into_iter().filter(|entry| !known.contains(&entry.key)));
            Ok(())
        }
        Value::List(nodes) => nodes.into_iter().try_for_each(|node| merge(entries, node, at)),
        _ => Err(error(at, "`<<` wants a mapping or a list of mappings")),
    }
}

fn leaf(text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Marker) -> Result<Value, SyntaxError> {
    let is_text = match tag {
        // `! text` is text as well.
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => true,
        Some(tag) if tag.is_yaml_core_schema() => match tag.suffix.as_str() {
            "str" => true,
            "null" | "bool" | "int" | "float" => return Ok(scalar::resolve(text)),
            _ => return Err(unknown_tag(tag, at)),
        },
        Some(tag) => return Err(unknown_tag(tag, at)),
        None => style != ScalarStyle::Plain,
    };
    Ok(if is_text { Value::Text(text.to_owned()) } else { scalar::resolve(text) })
}

fn check_tag(tag: Option<&Tag>, kind: &str, at: Marker) -> Result<(), SyntaxError> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == kind) => Err(unknown_tag(tag, at)),
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, at: Marker) -> SyntaxError {
    error(at, format!("the tag `{tag}` has no meaning here"))
}

fn node(place: Place, value: Value) -> Node {
    Node { place, value, written: None, spelled: None }
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

fn error(at: Marker, message: impl Into<String>) -> SyntaxError {
    SyntaxError { place: place(at), message: message.into(), hint: None, general_hint: None }
}
