//! `[service.traces]`: where a trace of each migration is sent.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use waypost_service::Traces;

use super::ConfigError;

/// The table as a person writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenTraces {
    endpoint: String,
    headers_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    service_name: Option<String>,
}

impl WrittenTraces {
    pub(super) fn resolve(
        self,
        folder: &Path,
        wrong: &impl Fn(String, String) -> ConfigError,
    ) -> Result<Traces, ConfigError> {
        let is_secure = self.endpoint.starts_with("https://");
        if !is_secure && !self.endpoint.starts_with("http://") {
            let why = format!("{:?} begins with neither https:// nor http://", self.endpoint);
            return Err(wrong("service.traces.endpoint".into(), why));
        }
        if self.ca_file.is_some() && !is_secure {
            let why = "nobody has to vouch for a collector that is not asked over https";
            return Err(wrong("service.traces.ca_file".into(), why.into()));
        }
        let service_name = self.service_name.unwrap_or_else(|| "waypost".to_owned());
        if service_name.is_empty() {
            return Err(wrong("service.traces.service_name".into(), "the name is empty".into()));
        }
        Ok(Traces {
            endpoint: self.endpoint,
            headers_file: self.headers_file.map(|file| folder.join(file)),
            ca_file: self.ca_file.map(|file| folder.join(file)),
            service_name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn read(text: &str) -> Result<Option<Traces>, String> {
        let read = Config::parse(text, Path::new("/etc/waypost/waypost.toml"));
        read.map(|config| config.traces).map_err(|error| error.to_string())
    }

    #[test]
    fn traces_are_sent_where_a_collector_is_named_and_nowhere_else() {
        assert_eq!(read("[service]\n").unwrap(), None);
        let written = "[service.traces]\nendpoint = 'https://otel.example:4318/v1/traces'\nheaders_file = 'otlp'\n";
        let traces = Traces {
            endpoint: "https://otel.example:4318/v1/traces".into(),
            headers_file: Some("/etc/waypost/otlp".into()),
            ca_file: None,
            service_name: "waypost".into(),
        };
        assert_eq!(read(written).unwrap(), Some(traces));
        for (text, said) in [
            ("headers_file = 'x'", "endpoint"),
            ("endpoint = 'otel.example:4318'", "begins with neither https:// nor http://"),
            ("endpoint = 'http://localhost/'\nca_file = 'ca.pem'", "service.traces.ca_file: nobody has to vouch"),
            ("endpoint = 'http://localhost/'\nservice_name = ''", "service.traces.service_name: the name is empty"),
            ("endpoint = 'http://localhost/'\nheader_file = 'x'", "header_file"),
        ] {
            let error = read(&format!("[service.traces]\n{text}\n")).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
