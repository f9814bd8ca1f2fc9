//! What to do about an error that ends a command.

use waypost::EngineError;
use waypost::core::ports::Fault;
use waypost::remedy;

/// Advice for an error's most telling part.
pub fn on(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref::<EngineError>() {
        Some(error) => error.remedy(),
        None => error.downcast_ref::<Fault>().and_then(remedy::of),
    }
}
