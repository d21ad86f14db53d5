//! nanprobe: why is my classifier's accuracy stuck at 50%?
//!
//! A datum walks one way: data -> train and probe -> evidence -> checks -> experiment -> rank ->
//! report. Only `diagnose` knows the whole way.

pub mod accept;
pub mod architecture;
pub mod archive;
pub mod cli;
pub mod config;
pub mod data;
pub mod demo;
#[cfg(feature = "engine")]
pub mod design;
pub mod diagnose;
pub mod diagnosis;
pub mod diff;
pub mod exit;
pub mod experiment;
#[cfg(feature = "engine")]
pub mod graph;
pub mod headline;
pub mod init;
#[cfg(feature = "engine")]
pub mod inspect;
#[cfg(feature = "engine")]
pub mod model;
pub mod panel;
pub mod plugin;
#[cfg(feature = "engine")]
pub mod probe;
pub mod pt2;
pub mod pth;
mod quote;
pub mod rank;
pub mod report;
#[cfg(feature = "engine")]
pub mod sampler;
#[cfg(feature = "engine")]
pub mod samples;
pub mod schema;
pub mod script;
#[cfg(feature = "engine")]
pub mod train;
pub mod worker;
#[cfg(feature = "engine")]
pub mod zoo;
