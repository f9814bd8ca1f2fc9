//! An error with everything that is behind it, on one line: no error repeats its source in its own words, so whoever shows one
//! puts them together.

/// The error and its sources, from what was attempted to what was in the way, with colons between.
pub fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Said(&'static str, Option<Box<Said>>);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Said {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as &(dyn Error + 'static))
        }
    }

    #[test]
    fn what_was_attempted_comes_before_what_was_in_the_way() {
        let alone = Said("it is gone", None);
        assert_eq!(told(&alone), "it is gone");
        assert_eq!(told(&Said("can't read the file", Some(Box::new(alone)))), "can't read the file: it is gone");
    }
}
