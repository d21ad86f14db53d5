//! Files that could not be decoded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Decode failures among the files that were tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnreadableFiles {
    /// Files that were tried.
    pub tried: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The first failures (at most 20).
    pub examples: Vec<FileError>,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileError {
    /// The file.
    pub path: String,
    /// Why it could not be decoded.
    pub reason: String,
}
