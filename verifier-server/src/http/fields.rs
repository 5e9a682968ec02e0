//! What a client posts: a JSON object or a form, of which some fields are known and each of these is there at most once.

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// Reads a body of at most so many bytes, in all within `timeout`.
pub(super) async fn read(body: Incoming, bytes_max: usize, timeout: Duration) -> Option<Bytes> {
    let limited = Limited::new(body, bytes_max).collect();
    let collected = tokio::time::timeout(timeout, limited).await.ok()?;
    Some(collected.ok()?.to_bytes())
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Form,
}

/// A field that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Field {
    /// It is not there, or `null`.
    #[default]
    Missing,
    Text(String),
    /// It is there, and no text.
    Other,
}

impl Field {
    /// Its text, where it is one.
    pub(super) fn text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Its text, empty where it is missing; `None` where it is something else.
    pub(super) fn text_or_empty(self) -> Option<String> {
        match self {
            Self::Missing => Some(String::new()),
            Self::Text(text) => Some(text),
            Self::Other => None,
        }
    }
}

impl Format {
    /// The format that the one `Content-Type` names.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut types = headers.get_all(CONTENT_TYPE).into_iter();
        let (Some(value), None) = (types.next(), types.next()) else { return None };
        let essence = value.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            _ => None,
        }
    }

    /// The fields called so; others are ignored. `None` for a body that is not well-formed, or that has one of them twice.
    pub(super) fn fields<const N: usize>(self, bytes: &[u8], names: [&str; N]) -> Option<[Field; N]> {
        match self {
            Self::Json => {
                let mut deserializer = serde_json::Deserializer::from_slice(bytes);
                // A map and nothing else: not even a list in its place.
                let fields = deserializer.deserialize_map(Object(&names)).ok()?;
                deserializer.end().ok().map(|()| fields)
            }
            Self::Form => {
                let mut fields = std::array::from_fn(|_| Field::Missing);
                for (name, value) in form_urlencoded::parse(bytes) {
                    let Some(place) = names.iter().position(|known| *known == name) else { continue };
                    if std::mem::replace(&mut fields[place], Field::Text(value.into_owned())) != Field::Missing {
                        return None;
                    }
                }
                Some(fields)
            }
        }
    }
}

struct Object<'n, const N: usize>(&'n [&'n str; N]);

impl<'de, const N: usize> Visitor<'de> for Object<'_, N> {
    type Value = [Field; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = std::array::from_fn(|_| Field::Missing);
        let mut seen = [false; N];
        while let Some(known) = map.next_key_seed(Name(self.0))? {
            let Some(place) = known else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if std::mem::replace(&mut seen[place], true) {
                return Err(A::Error::custom("a field is there twice"));
            }
            fields[place] = match map.next_value()? {
                Value::Null => Field::Missing,
                Value::String(text) => Field::Text(text),
                _ => Field::Other,
            };
        }
        Ok(fields)
    }
}

/// The place of a field's name among those that are known.
struct Name<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Ok(self.0.iter().position(|known| *known == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, body: &str) -> Option<[Field; 2]> {
        format.fields(body.as_bytes(), ["a", "b"])
    }

    #[test]
    fn duplicates_are_refused_and_unknown_fields_are_ignored() {
        let both = Some([Field::Text("1".to_owned()), Field::Text("2".to_owned())]);
        assert_eq!(read(Format::Json, r#" {"b":"2","x":{"a":[1]},"a":"1"} "#), both);
        assert_eq!(read(Format::Json, r#"{"\u0061":"1","b":"2"}"#), both);
        assert_eq!(read(Format::Form, "x=1&a=1&b=2&x=2"), both);
        assert_eq!(read(Format::Json, r#"{"a":"1","a":"1","b":"2"}"#), None);
        assert_eq!(read(Format::Json, r#"{"a":null,"a":"1","b":"2"}"#), None);
        assert_eq!(read(Format::Form, "a=1&b=2&a=1"), None);
    }

    #[test]
    fn what_is_missing_and_what_is_no_text_are_told_apart() {
        assert_eq!(read(Format::Json, r#"{"a":null}"#), Some([Field::Missing, Field::Missing]));
        assert_eq!(read(Format::Json, r#"{"a":1,"b":{"c":"d"}}"#), Some([Field::Other, Field::Other]));
        assert_eq!(read(Format::Form, ""), Some([Field::Missing, Field::Missing]));
        assert_eq!(read(Format::Form, "a="), Some([Field::Text(String::new()), Field::Missing]));
        for broken in ["", "null", "[]", r#"["1","2"]"#, "{\"a\":\"1\"", "{} {}", "\u{feff}{}", "{\"a\":\"\\ud800\"}"] {
            assert_eq!(read(Format::Json, broken), None, "{broken}");
        }
    }
}
