//! Wire shapes of what Waypost tells programs, versioned.
