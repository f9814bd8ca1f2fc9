//! The policies that the configuration names to be the one that is asked. A misspelt name there would be found only when a
//! transfer is to be steered or has failed, which is when nobody can mend it: so it is an error before anything begins.

use std::path::PathBuf;

use waypost_core::ids::PluginName;
use waypost_policy::{Hook, PluginState, PluginStatus};

use crate::config::{Config, ConfigError};

/// The first name that can't be meant; none: all can.
pub(super) fn check(config: &Config, there: &[PluginStatus]) -> Result<(), ConfigError> {
    wrong(config, there).into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
}

/// Every name that can't be meant, each with the error that says why.
pub fn wrong(config: &Config, there: &[PluginStatus]) -> Vec<(PluginName, ConfigError)> {
    let policies = &config.policies;
    let named = [(Hook::Recovery, &policies.recovery), (Hook::Convergence, &policies.convergence)];
    let mut wrong = Vec::new();
    for (hook, name) in named {
        let Some(name) = name else { continue };
        if let Some(why) = why_not(hook, name, there) {
            let path = config.file.clone().unwrap_or_else(|| PathBuf::from("the configuration"));
            let error = ConfigError::Value { path, key: format!("plugins.{hook}"), message: why };
            wrong.push((name.clone(), error));
        }
    }
    wrong
}

fn why_not(hook: Hook, name: &PluginName, there: &[PluginStatus]) -> Option<String> {
    let has_hook = |status: &PluginStatus| status.loaded.as_ref().is_some_and(|loaded| loaded.hooks.contains(&hook));
    let why = match there.iter().find(|status| status.name == *name) {
        None => "no plugin folder holds it".to_owned(),
        Some(status) if status.state == PluginState::Ignored => {
            format!("[plugin.{name}] presence = \"never\" switches it off")
        }
        // What it is can't be told; that it is broken is told wherever it is asked.
        Some(PluginStatus { loaded: None, .. }) => return None,
        Some(status) if !has_hook(status) => {
            let hooks = status.loaded.iter().flat_map(|loaded| loaded.hooks.iter().map(|hook| hook.as_str()));
            format!("it is a policy for {}", hooks.collect::<Vec<_>>().join(", "))
        }
        Some(_) => return None,
    };
    let known: Vec<&str> = there.iter().filter(|status| has_hook(status)).map(|status| status.name.as_str()).collect();
    let meant = nearest(name.as_str(), &known).map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Some(format!("{:?} can't be asked about {hook}: {why}; there are: {known}{meant}", name.as_str()))
}

/// The word that differs least, if it differs little: no more than a third of its letters.
pub(super) fn nearest<'w>(word: &str, among: &[&'w str]) -> Option<&'w str> {
    let (distance, nearest) = among.iter().map(|other| (distance(word, other), *other)).min()?;
    (distance * 3 <= nearest.chars().count()).then_some(nearest)
}

/// Letters to be put in, left out or changed to make one word of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_has_a_nearest_name_and_another_word_has_none() {
        let there = ["convergence-adaptive", "convergence-nova", "convergence-ovirt"];
        for (word, meant) in [
            ("convergence-adaptve", Some("convergence-adaptive")),
            ("convergence-nvoa", Some("convergence-nova")),
            ("convergenceovirt", Some("convergence-ovirt")),
            ("mine", None),
        ] {
            assert_eq!(nearest(word, &there), meant, "{word}");
        }
        assert_eq!(nearest("mine", &[]), None);
    }

    #[test]
    fn the_distance_is_that_of_levenshtein() {
        for (a, b, letters) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("nova", "nvoa", 2), ("a", "a", 0)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (letters, letters), "{a} {b}");
        }
    }
}
