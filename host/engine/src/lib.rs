//! Drives one migration from request to outcome through ports.
