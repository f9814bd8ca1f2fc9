//! What a policy author needs.
