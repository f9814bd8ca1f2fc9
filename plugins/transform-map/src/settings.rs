//! What a site may set; the table is in the crate's first paragraph.
//!
//! Settings are objects and texts and nothing else, so they are read here: a JSON library would make the policy half as
//! large again as a shipped policy may be.

use std::iter::Peekable;
use std::str::Chars;

/// Names here and there.
pub type Names = Vec<(String, String)>;

/// What is called otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    pub bridges: Names,
    pub networks: Names,
    pub paths: Names,
    pub emulators: Names,
    pub loaders: Names,
    /// The address of a console follows the host.
    pub console: bool,
    pub title: Option<String>,
    pub metadata: Names,
    /// CPUs here and there, of pins.
    pub cpus: Names,
    /// NUMA nodes here and there, of the memory.
    pub nodes: Names,
    pub on_crash: Option<String>,
    /// The same for one destination each; those have none of their own.
    pub destinations: Vec<(String, Rules)>,
}

enum Value {
    Text(String),
    Object(Vec<(String, Value)>),
}

impl Rules {
    /// Reads the settings, or says what is wrong with them.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        let mut reader = Reader { left: text.chars().peekable() };
        let value = reader.value()?;
        reader.blanks();
        match (value, reader.left.next()) {
            (Value::Object(keys), None) => Self::of(keys, true),
            _ => Err("settings must be one JSON object".to_owned()),
        }
    }

    fn of(keys: Vec<(String, Value)>, outermost: bool) -> Result<Self, String> {
        let mut rules = Self::default();
        for (key, value) in keys {
            match (key.as_str(), value) {
                ("bridges", value) => rules.bridges = names(&key, value)?,
                ("networks", value) => rules.networks = names(&key, value)?,
                ("paths", value) => rules.paths = folders(names(&key, value)?)?,
                ("emulators", value) => rules.emulators = names(&key, value)?,
                ("loaders", value) => rules.loaders = names(&key, value)?,
                ("metadata", value) => rules.metadata = names(&key, value)?,
                ("cpus", value) => rules.cpus = names(&key, value)?,
                ("nodes", value) => rules.nodes = names(&key, value)?,
                ("on_crash", Value::Text(word)) => rules.on_crash = Some(word),
                ("console", Value::Text(word)) if word == "address" => rules.console = true,
                ("console", _) => return Err("console: the only word is \"address\"".to_owned()),
                ("title", Value::Text(title)) => rules.title = Some(title),
                ("destinations", Value::Object(hosts)) if outermost => {
                    for (host, value) in hosts {
                        let Value::Object(keys) = value else {
                            return Err(format!("destinations.{host}: not a table"));
                        };
                        rules.destinations.push((host, Self::of(keys, false)?));
                    }
                }
                _ => return Err(format!("{key}: there is no such setting here, or it is of another kind")),
            }
        }
        Ok(rules)
    }
}

fn names(key: &str, value: Value) -> Result<Names, String> {
    let Value::Object(pairs) = value else { return Err(format!("{key}: not a table of names")) };
    let text = |(name, value)| match value {
        Value::Text(text) => Ok((name, text)),
        Value::Object(_) => Err(format!("{key}.{name}: not a text")),
    };
    pairs.into_iter().map(text).collect()
}

fn folders(paths: Names) -> Result<Names, String> {
    for (from, to) in &paths {
        if [from, to].iter().any(|folder| !folder.starts_with('/') || folder.ends_with('/')) {
            return Err(format!("paths: {from} and {to} must begin with a / and not end with one"));
        }
    }
    Ok(paths)
}

struct Reader<'a> {
    left: Peekable<Chars<'a>>,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        while self.left.next_if(|c| c.is_ascii_whitespace()).is_some() {}
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        self.blanks();
        match self.left.next() {
            Some(c) if c == wanted => Ok(()),
            _ => Err(format!("the settings hold something else where a {wanted} should be")),
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        self.blanks();
        match self.left.peek() {
            Some('"') => self.text().map(Value::Text),
            Some('{') => self.object().map(Value::Object),
            _ => Err("the settings hold something that is neither a text nor a table".to_owned()),
        }
    }

    fn object(&mut self) -> Result<Vec<(String, Value)>, String> {
        self.expect('{')?;
        let mut pairs: Vec<(String, Value)> = Vec::new();
        self.blanks();
        if self.left.next_if_eq(&'}').is_some() {
            return Ok(pairs);
        }
        loop {
            self.blanks();
            let key = self.text()?;
            self.expect(':')?;
            pairs.push((key, self.value()?));
            self.blanks();
            if self.left.next_if_eq(&',').is_none() {
                self.expect('}')?;
                return Ok(pairs);
            }
        }
    }

    fn text(&mut self) -> Result<String, String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.left.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(c) => text.push(c),
                None => return Err("the settings end within a text".to_owned()),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let unreadable = || "the settings hold an escape that can't be read".to_owned();
        Ok(match self.left.next().ok_or_else(unreadable)? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let first = self.unit().ok_or_else(unreadable)?;
                let second = match first {
                    0xd800..0xdc00 => {
                        let pair = (self.left.next(), self.left.next());
                        if pair != (Some('\\'), Some('u')) {
                            return Err(unreadable());
                        }
                        self.unit()
                    }
                    _ => None,
                };
                let units = std::iter::once(first).chain(second);
                let decoded = char::decode_utf16(units).next();
                decoded.and_then(Result::ok).ok_or_else(unreadable)?
            }
            c @ ('"' | '\\' | '/') => c,
            _ => return Err(unreadable()),
        })
    }

    fn unit(&mut self) -> Option<u16> {
        let mut unit = 0_u16;
        for _ in 0..4 {
            unit = unit << 4 | u16::try_from(self.left.next()?.to_digit(16)?).ok()?;
        }
        Some(unit)
    }
}
