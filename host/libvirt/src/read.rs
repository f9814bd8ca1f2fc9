//! What is asked of a host, one file per subject. Everything in here runs on a connection's own threads and may wait.

pub(crate) mod domain;
mod glimpse;
pub(crate) mod host;
pub(crate) mod load;
pub(crate) mod storage;

pub(crate) use glimpse::Glimpse;
