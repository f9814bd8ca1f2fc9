//! Reads what `GET /metrics` answers, strictly: whatever the two formats don't allow fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// A label set.
pub type Labels = BTreeMap<String, String>;

/// All families, by name.
#[derive(Debug)]
pub struct Exposition {
    pub families: BTreeMap<String, Family>,
}

/// One family.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub help: String,
    pub unit: Option<String>,
    pub samples: Vec<(String, Labels, f64)>,
}

/// Which of the formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    OpenMetrics,
    Plain,
}

impl Exposition {
    pub fn parse(text: &str, format: Format) -> Self {
        let body = match format {
            Format::OpenMetrics => text.strip_suffix("# EOF\n").expect("it ends with the mark of its end"),
            Format::Plain => text,
        };
        assert!(body.ends_with('\n') && !body.contains('\r'), "lines end with a line feed");
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut current: Option<String> = None;
        for line in body.lines() {
            if let Some(described) = line.strip_prefix("# ") {
                let mut parts = described.splitn(3, ' ');
                let mut part = || parts.next().unwrap_or_else(|| panic!("{line}"));
                let (what, name, rest) = (part(), part(), part());
                assert!(is_name(name), "{line}");
                if current.as_deref() != Some(name) {
                    assert!(!families.contains_key(name), "{name} is in two places");
                    families.insert(name.to_owned(), Family::default());
                    current = Some(name.to_owned());
                }
                let family = families.get_mut(name).unwrap();
                assert!(family.samples.is_empty(), "{line} comes after its figures");
                let before = match what {
                    "TYPE" => std::mem::replace(&mut family.kind, rest.to_owned()),
                    "HELP" => std::mem::replace(&mut family.help, rest.to_owned()),
                    "UNIT" if format == Format::OpenMetrics => {
                        assert!(name.ends_with(&format!("_{rest}")), "{line}");
                        family.unit.replace(rest.to_owned()).unwrap_or_default()
                    }
                    _ => panic!("{line}"),
                };
                assert!(before.is_empty() && !rest.is_empty(), "{line}");
            } else {
                let (name, labels, value) = sample(line);
                let current = current.as_ref().unwrap_or_else(|| panic!("{line} belongs to nothing"));
                let family = families.get_mut(current).unwrap();
                let suffix = name.strip_prefix(current.as_str()).unwrap_or_else(|| panic!("{line} is no {current}"));
                let suffixes: &[&str] = match (family.kind.as_str(), format) {
                    ("counter", Format::OpenMetrics) => &["_total"],
                    ("info", Format::OpenMetrics) => &["_info"],
                    ("counter" | "gauge", _) => &[""],
                    ("histogram", _) => &["_bucket", "_sum", "_count"],
                    (kind, _) => panic!("{current} is of type {kind:?}"),
                };
                assert!(suffixes.contains(&suffix), "{line}");
                family.samples.push((name, labels, value));
            }
        }
        for (name, family) in &families {
            family.check(name, format);
        }
        Self { families }
    }

    /// The one figure of that name and just these labels.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: Labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let found = |(sample, with, _): &&(String, Labels, f64)| sample == name && *with == wanted;
        self.families.values().flat_map(|family| &family.samples).find(found).map(|(.., value)| *value)
    }

    /// The same, which must be there.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.get(name, labels).unwrap_or_else(|| panic!("there is no {name} with {labels:?}"))
    }

    /// The sum of all figures of that name.
    pub fn sum(&self, name: &str) -> f64 {
        let all = self.families.values().flat_map(|family| &family.samples);
        all.filter(|(sample, ..)| sample == name).map(|(.., value)| value).sum()
    }
}

impl Family {
    fn check(&self, name: &str, format: Format) {
        assert!(!self.help.is_empty() && !self.samples.is_empty(), "{name}: {self:?}");
        if format == Format::Plain {
            assert_eq!(self.kind == "counter", name.ends_with("_total"), "{name}");
        }
        let mut seen = BTreeSet::new();
        for (sample, labels, value) in &self.samples {
            assert!(seen.insert((sample, labels)), "{sample} {labels:?} twice");
            match self.kind.as_str() {
                "counter" | "histogram" => assert!(*value >= 0.0, "{sample} {labels:?} {value}"),
                "info" => assert_eq!(*value, 1.0),
                _ => assert!(value.is_finite(), "{sample} {labels:?} {value}"),
            }
        }
        if self.kind == "histogram" {
            self.check_buckets(name);
        }
    }

    fn check_buckets(&self, name: &str) {
        let without = |labels: &Labels| {
            labels.iter().filter(|(key, _)| *key != "le").map(|(k, v)| (k.clone(), v.clone())).collect::<Labels>()
        };
        let sets: BTreeSet<Labels> = self.samples.iter().map(|(_, labels, _)| without(labels)).collect();
        for set in &sets {
            let of = |suffix: &str| -> Vec<&(String, Labels, f64)> {
                let name = format!("{name}{suffix}");
                let all = self.samples.iter();
                all.filter(|(sample, labels, _)| *sample == name && without(labels) == *set).collect()
            };
            let (count, buckets) = (of("_count"), of("_bucket"));
            assert_eq!((count.len(), of("_sum").len()), (1, 1), "{name}");
            let bounds: Vec<f64> = buckets.iter().map(|(_, labels, _)| number(&labels["le"])).collect();
            assert!(bounds.is_sorted_by(|a, b| a < b) && bounds.last() == Some(&f64::INFINITY), "{name}: {bounds:?}");
            assert!(buckets.is_sorted_by(|a, b| a.2 <= b.2) && buckets.last().unwrap().2 == count[0].2, "{name}");
        }
    }
}

fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (key, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(key) && !key.contains(':'), "{line}");
            let (value, after) = quoted(after, line);
            assert!(labels.insert(key.to_owned(), value).is_none(), "{key} twice in {line}");
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => {
                    rest = after.strip_prefix('}').unwrap_or_else(|| panic!("{line}"));
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    (name.to_owned(), labels, number(value))
}

/// A label's value up to its closing quote, and what comes after it.
fn quoted<'t>(text: &'t str, line: &str) -> (String, &'t str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match chars.next() {
                Some((_, 'n')) => '\n',
                Some((_, c @ ('\\' | '"'))) => c,
                _ => panic!("{line}"),
            }),
            c => value.push(c),
        }
    }
    panic!("{line}")
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        text => {
            assert!(text.starts_with(|c: char| c.is_ascii_digit() || c == '-'), "{text:?}");
            text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
        }
    }
}

fn is_name(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(rest)
}
