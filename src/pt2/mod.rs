//! Reads what `torch.export.save` writes, without PyTorch and without executing anything.
//!
//! A `.pt2` file is a zip archive with one top folder: `models/model.json` holds the graph, `data/weights` and
//! `data/constants` raw little-endian bytes with a JSON index each. Pickled entries are never opened. Everything in the
//! file is hostile until parsed: sizes are checked against the archive before anything is allocated, and no path in it is
//! ever used on disk. The layout is that of torch 2.8 and later.

use std::collections::BTreeMap;
use std::path::Path;

mod error;
mod folder;
mod schema;

pub use error::Pt2Error;
pub use schema::{
    Argument, Device, Graph, GraphArgument, InputSpec, NamedArgument, Node, OptionalTensor, OutputSpec, Program, Signature, SymInt,
    TensorMeta, TensorName,
};

use crate::archive::{Archive, Stored};

/// The graph, where torch before 2.8 wrote it.
pub const OLD_GRAPH: &str = "serialized_exported_program.json";

/// A model as the file has it.
pub struct Exported {
    /// The graph and what its inputs and outputs are.
    pub program: Program,
    /// Values of parameters and persistent buffers, by name.
    pub weights: BTreeMap<String, Stored>,
    /// Values of lifted tensors and buffers that are not saved with the parameters, by name.
    pub constants: BTreeMap<String, Stored>,
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Exported, Pt2Error> {
    let mut archive = Archive::open(path)?;
    if archive.big_endian()? {
        return Err(Pt2Error::content(&archive, "its numbers are big-endian, which is not read".to_owned()));
    }
    let program: Program = archive.json("models/model.json")?.ok_or_else(|| no_model(&archive))?;
    if program.schema_version.major != schema::MAJOR {
        let found = format!("schema {}.{}", program.schema_version.major, program.schema_version.minor);
        let problem = format!("it has {found}, and {}.x is read: export it again with a newer torch", schema::MAJOR);
        return Err(Pt2Error::content(&archive, problem));
    }
    let weights = folder::read(&mut archive, "data/weights", "model_weights_config.json")?;
    let constants = folder::read(&mut archive, "data/constants", "model_constants_config.json")?;
    Ok(Exported { program, weights, constants })
}

/// That the graph is missing, and why that may be.
fn no_model(archive: &Archive) -> Pt2Error {
    let problem = if archive.has(OLD_GRAPH) {
        "it was written by a torch before 2.8, which pickles the weights; export it again with torch 2.8 or later"
    } else if archive.has("data.pkl") {
        "it is a pickled checkpoint or a TorchScript file; export the model with `torch.export.save`"
    } else {
        "it has no `models/model.json`"
    };
    Pt2Error::content(archive, problem.to_owned())
}
