//! nanprobe: why is my classifier's accuracy stuck at 50%?
//!
//! A datum walks one way: data -> train and probe -> evidence -> checks -> experiment -> rank ->
//! report. Only `diagnose` knows the whole way.

pub mod architecture;
pub mod diagnosis;
