//! nanprobe: why is my classifier's accuracy stuck at 50%?
//!
//! A datum walks one way: data -> train and probe -> evidence -> checks -> experiment -> rank ->
//! report. Only `diagnose` knows the whole way.

pub mod architecture;
pub mod cli;
pub mod config;
pub mod data;
pub mod diagnosis;
pub mod exit;
#[cfg(feature = "engine")]
pub mod graph;
#[cfg(feature = "engine")]
pub mod model;
#[cfg(feature = "engine")]
pub mod probe;
pub mod report;
#[cfg(feature = "engine")]
pub mod train;
#[cfg(feature = "engine")]
pub mod zoo;
