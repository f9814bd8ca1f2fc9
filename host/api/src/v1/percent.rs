//! How far something is.

use std::fmt;

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A percentage to the tenth: a number from 0 to 100, written without a fraction where it is whole. It is kept in tenths, so that
/// two of them compare as they were counted, and what was read back is what was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u16);

impl Percent {
    /// Of so many thousandths; more than all of them is all.
    pub const fn of_permille(permille: u16) -> Self {
        Self(if permille > 1000 { 1000 } else { permille })
    }

    /// In thousandths.
    pub const fn permille(self) -> u16 {
        self.0
    }

    /// The whole ones. Rounded down: what is not over is not 100.
    pub const fn whole(self) -> u16 {
        self.0 / 10
    }
}

/// With its tenth, always: `75.0`.
impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % 10 {
            0 => serializer.serialize_u16(self.0 / 10),
            // The nearest number to a tenth is written as that tenth.
            _ => serializer.serialize_f64(f64::from(self.0) / 10.0),
        }
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let percent = f64::deserialize(deserializer)?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(D::Error::invalid_value(Unexpected::Float(percent), &"a percentage from 0 to 100"));
        }
        Ok(Self((percent * 10.0).round() as u16))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_tenth_is_a_plain_number_and_comes_back() {
        let mut before = -1.0;
        for permille in 0..=1000 {
            let percent = Percent::of_permille(permille);
            let text = serde_json::to_string(&percent).unwrap();
            let tenth = percent.to_string();
            assert_eq!(text, tenth.strip_suffix(".0").unwrap_or(&tenth));
            let read: Percent = serde_json::from_str(&text).unwrap();
            assert_eq!((read, read.permille()), (percent, permille), "{text}");
            let number = serde_json::from_str::<f64>(&text).unwrap();
            assert!(number > before, "{number} after {before}");
            before = number;
        }
    }

    #[test]
    fn all_of_it_is_a_hundred_and_less_is_not() {
        assert_eq!(serde_json::to_value(Percent::of_permille(1000)).unwrap(), json!(100));
        assert_eq!(serde_json::to_value(Percent::of_permille(1500)).unwrap(), json!(100));
        assert_eq!(serde_json::to_value(Percent::of_permille(755)).unwrap(), json!(75.5));
        assert_eq!(Percent::of_permille(999).whole(), 99);
        for wrong in ["-1", "100.1", "\"50\"", "null"] {
            assert!(serde_json::from_str::<Percent>(wrong).is_err(), "{wrong}");
        }
    }
}
