//! Starts real fleets, breaks them and measures them.
