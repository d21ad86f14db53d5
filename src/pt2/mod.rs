//! Reads what `torch.export.save` writes, without PyTorch and without executing anything.
//!
//! A `.pt2` file is a zip archive with one top folder: `models/model.json` holds the graph, `data/weights` and
//! `data/constants` raw little-endian bytes with a JSON index each; that is the layout of torch 2.8 and later. torch 2.5 to 2.7 wrote
//! `serialized_exported_program.json`, and tensors as `torch.save` does, which [`crate::pth`] reads; other pickled entries are never
//! opened. Everything in the file is hostile until parsed: sizes are checked against the archive before anything is allocated, and no
//! path in it is ever used on disk.

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
use crate::pth::{self, Extent};

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
    let old = archive.has(OLD_GRAPH);
    let program: Program = archive.json(if old { OLD_GRAPH } else { "models/model.json" })?.ok_or_else(|| no_model(&archive))?;
    if !schema::MAJORS.contains(&program.schema_version.major) {
        let found = format!("schema {}.{}", program.schema_version.major, program.schema_version.minor);
        let problem = format!(
            "it has {found}, and {}.x to {}.x are read: export it with another torch",
            schema::MAJORS.start(),
            schema::MAJORS.end()
        );
        return Err(Pt2Error::content(&archive, problem));
    }
    let (weights, constants) = if old {
        (pickled(&mut archive, "serialized_state_dict.pt")?, pickled(&mut archive, "serialized_constants.pt")?)
    } else {
        let weights = folder::read(&mut archive, "data/weights", "model_weights_config.json")?;
        (weights, folder::read(&mut archive, "data/constants", "model_constants_config.json")?)
    };
    Ok(Exported { program, weights, constants })
}

/// The tensors of an entry that torch before 2.8 wrote with `torch.save`.
fn pickled(archive: &mut Archive, entry: &'static str) -> Result<BTreeMap<String, Stored>, Pt2Error> {
    let tensors = match archive.nested(entry) {
        Ok(Some(mut inner)) => pth::read_archive(&mut inner, Extent::Top).map(|state| state.tensors),
        Ok(None) => Ok(BTreeMap::new()),
        Err(error) => Err(error.into()),
    };
    tensors.map_err(|error| Pt2Error::Pickled { path: archive.path().to_owned(), entry, problem: error.problem() })
}

/// That the graph is missing, and why that may be.
fn no_model(archive: &Archive) -> Pt2Error {
    let problem = if archive.has("data.pkl") {
        "it is a pickled checkpoint or a TorchScript file; export the model with `torch.export.save`"
    } else {
        "it has no `models/model.json`"
    };
    Pt2Error::content(archive, problem.to_owned())
}
