//! What an application adds: stores and middleware.
