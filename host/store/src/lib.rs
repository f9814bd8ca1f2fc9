//! Journal, tasks and decision records on SQLite.
