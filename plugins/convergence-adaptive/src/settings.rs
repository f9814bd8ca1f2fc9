//! What a site may set; the table is in the crate's first paragraph.

use serde::Deserialize;

/// What may force the end of a transfer.
const RESORTS: [&str; 2] = ["post-copy", "suspend"];

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub window_s: u64,
    pub margin_percent: u64,
    pub newest_percent: u64,
    pub switchover_s: u64,
    pub own_time_s: u64,
    pub reserve_s: u64,
    pub last_resort: Vec<String>,
    pub abort_after_s: u64,
    pub throttle: bool,
    pub throttle_initial_percent: Option<u32>,
    pub throttle_increment_percent: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window_s: 20,
            margin_percent: 4,
            newest_percent: 40,
            switchover_s: 20,
            own_time_s: 60,
            reserve_s: 5,
            last_resort: RESORTS.map(str::to_owned).into(),
            abort_after_s: 0,
            throttle: true,
            throttle_initial_percent: None,
            throttle_increment_percent: None,
        }
    }
}

impl Settings {
    /// Reads them, or says what is wrong with them.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        // serde would take a list for a struct's fields in their order.
        if !text.trim_start().starts_with('{') {
            return Err("settings must be a JSON object".to_owned());
        }
        let settings: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let percent = |value: Option<u32>| value.map_or(1, u64::from);
        for (name, value, least, most) in [
            ("window_s", settings.window_s, 2, 60),
            ("margin_percent", settings.margin_percent, 0, 50),
            ("newest_percent", settings.newest_percent, 1, 100),
            ("switchover_s", settings.switchover_s, 0, 60),
            ("own_time_s", settings.own_time_s, 0, 86_400),
            ("reserve_s", settings.reserve_s, 1, 600),
            ("abort_after_s", settings.abort_after_s, 0, 86_400),
            ("throttle_initial_percent", percent(settings.throttle_initial_percent), 1, 99),
            ("throttle_increment_percent", percent(settings.throttle_increment_percent), 1, 99),
        ] {
            if value < least || value > most {
                return Err(format!("{name} is {value}; it must be from {least} to {most}"));
            }
        }
        for (at, word) in settings.last_resort.iter().enumerate() {
            if !RESORTS.contains(&word.as_str()) {
                return Err(format!("last_resort has {word:?}; it may have {}", RESORTS.join(", ")));
            }
            if settings.last_resort[..at].contains(word) {
                return Err(format!("last_resort has {word} twice"));
            }
        }
        Ok(settings)
    }
}
