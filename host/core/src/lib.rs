//! Values and pure functions of a migration: no I/O, no clock, no serialisation, no runtime.
