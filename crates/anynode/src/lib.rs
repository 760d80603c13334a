//! What an application adds: stores and middleware.

pub mod codec;
#[cfg(feature = "encryption")]
pub mod crypt;
