//! The operator's guide.
