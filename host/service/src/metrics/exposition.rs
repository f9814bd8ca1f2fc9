//! The two forms of the text: OpenMetrics 1.0, and the older one of Prometheus for everybody else.
//!
//! The library writes OpenMetrics. The older form differs in three things only: a counter's description bears the name with
//! its `_total`, there is no type `info`, and there are no units and no end mark.

use std::collections::BTreeMap;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::problem::{Code, Failed};

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    OpenMetrics,
    Plain,
}

impl Form {
    /// What a client takes most gladly, by its `Accept` headers; who says nothing gets the plain form.
    pub(super) fn wanted<'a>(accepts: impl Iterator<Item = &'a str>) -> Self {
        let (mut open, mut plain) = (0, 0);
        for range in accepts.flat_map(|accept| accept.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut weight, mut version) = (1000, None);
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => weight = milli(value),
                    "version" => version = Some(value.trim().trim_matches('"').to_owned()),
                    _ => {}
                }
            }
            match media.as_str() {
                "application/openmetrics-text" if version.as_deref().is_none_or(|version| version == "1.0.0") => {
                    open = weight.max(open);
                }
                "text/plain" | "text/*" | "*/*" => plain = weight.max(plain),
                _ => {}
            }
        }
        if open > 0 && open >= plain { Self::OpenMetrics } else { Self::Plain }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A weight of `0` to `1` in thousandths; what can't be read weighs nothing.
fn milli(weight: &str) -> u32 {
    match weight.trim().parse::<f64>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1000.0).round() as u32,
        _ => 0,
    }
}

/// Everything that is registered, in that form.
pub(super) fn text(registry: &Registry, form: Form) -> Result<String, Failed> {
    let mut open = String::new();
    encode(&mut open, registry).map_err(|_| Failed::new(Code::Defect, "a figure can't be written down"))?;
    Ok(match form {
        Form::OpenMetrics => open,
        Form::Plain => plain(&open),
    })
}

fn plain(open: &str) -> String {
    let typed = open.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: BTreeMap<&str, &str> = typed.collect();
    let mut text = String::with_capacity(open.len());
    for line in open.lines() {
        let described = line.strip_prefix("# ").and_then(|rest| {
            let (what, rest) = rest.split_once(' ')?;
            let (name, rest) = rest.split_once(' ')?;
            Some((what, name, rest))
        });
        match described {
            _ if line == "# EOF" => {}
            Some(("UNIT", ..)) => {}
            Some((what, name, rest)) => {
                let (suffix, kind) = match types.get(name) {
                    Some(&"counter") => ("_total", "counter"),
                    Some(&"info") => ("_info", "gauge"),
                    Some(kind) => ("", *kind),
                    None => ("", "untyped"),
                };
                let rest = if what == "TYPE" { kind } else { rest };
                text.push_str(&format!("# {what} {name}{suffix} {rest}\n"));
            }
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> Form {
        Form::wanted([accept].into_iter())
    }

    #[test]
    fn the_form_is_what_the_client_takes_most_gladly() {
        assert_eq!(Form::wanted(std::iter::empty()), Form::Plain);
        for accept in
            ["*/*", "text/plain", "text/html, */*;q=0.8", "application/openmetrics-text;q=0, */*", "nonsense;;=,"]
        {
            assert_eq!(wanted(accept), Form::Plain, "{accept}");
        }
        // As Prometheus 2 and 3 ask.
        for accept in [
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text",
        ] {
            assert_eq!(wanted(accept), Form::OpenMetrics, "{accept}");
        }
        assert_eq!(wanted("application/openmetrics-text;version=2.0.0, text/plain;q=0.1"), Form::Plain);
    }

    #[test]
    fn the_plain_form_has_what_older_readers_know() {
        let open = "# HELP waypost_build The program.\n# TYPE waypost_build info\nwaypost_build_info{version=\"1\"} 1\n\
                    # HELP waypost_x_bytes Bytes.\n# TYPE waypost_x_bytes counter\n# UNIT waypost_x_bytes bytes\n\
                    waypost_x_bytes_total{a=\"# TYPE\"} 3\n# EOF\n";
        let expected = "# HELP waypost_build_info The program.\n# TYPE waypost_build_info gauge\n\
                        waypost_build_info{version=\"1\"} 1\n# HELP waypost_x_bytes_total Bytes.\n\
                        # TYPE waypost_x_bytes_total counter\nwaypost_x_bytes_total{a=\"# TYPE\"} 3\n";
        assert_eq!(plain(open), expected);
    }
}
