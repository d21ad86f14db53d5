//! Where a node comes from: its module and the user's line, out of the metadata that torch keeps as text.

use std::collections::HashMap;

use crate::graph::SourceLine;

/// What torch writes for nodes that it inserted itself.
const NO_MODULE: &str = "_empty_nn_module_stack_from_metadata_hook";

/// What stands around the user's model without being theirs: torch's own checks, and the Python package that exports it.
const WRAPPERS: [&str; 2] = ["torch/fx/passes/runtime_assert.py", "nanprobe/_export.py"];

/// Path and class of the innermost module: the last of `nn_module_stack`'s entries `key,path,class;...`.
pub(super) fn module(metadata: &HashMap<String, String>) -> (String, String) {
    let stack = metadata.get("nn_module_stack").map_or("", String::as_str);
    let last = stack.rsplit(';').next().unwrap_or_default();
    let mut parts = last.splitn(3, ',').skip(1);
    let (path, class) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if class == NO_MODULE { (String::new(), String::new()) } else { (path.to_owned(), class.to_owned()) }
}

/// The last frame of a stack trace that is the user's own and not an installed package's.
pub(super) fn place(metadata: &HashMap<String, String>) -> Option<SourceLine> {
    let frames = metadata.get("stack_trace")?.lines().filter_map(|line| {
        let (file, rest) = line.trim().strip_prefix("File \"")?.split_once("\", line ")?;
        let line = rest.split(',').next()?.parse().ok()?;
        Some(SourceLine { file: file.to_owned(), line })
    });
    let frames: Vec<SourceLine> = frames.filter(|frame| !WRAPPERS.iter().any(|wrapper| frame.file.ends_with(wrapper))).collect();
    let own = |frame: &&SourceLine| !["site-packages/", "dist-packages/"].iter().any(|installed| frame.file.contains(installed));
    // A model out of a package has no line of the user's: then its own. torch's lines help nobody: in an `nn.Sequential` there are no others.
    let models = |frame: &&SourceLine| !frame.file.contains("/torch/");
    frames.iter().rev().find(own).or_else(|| frames.iter().rev().find(models)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(key: &str, value: &str) -> HashMap<String, String> {
        HashMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_node_belongs_to_the_users_innermost_line() {
        let trace = "File \"train.py\", line 40, in forward\n    x = self.body(x)\n  File \"/home/me/model.py\", line 9, in forward\n    x=torch.relu(x)\n  File \"/venv/lib/python3.11/site-packages/torch/nn/modules/conv.py\", line 565, in forward\n    return f";
        assert_eq!(place(&metadata("stack_trace", trace)), Some(SourceLine { file: "/home/me/model.py".to_owned(), line: 9 }));
        let package = "File \"/venv/lib/python3.11/site-packages/timm/models/vit.py\", line 3, in forward\n  File \"/venv/lib/python3.11/site-packages/torch/nn/modules/conv.py\", line 5, in forward";
        assert_eq!(place(&metadata("stack_trace", package)).map(|source| source.line), Some(3));
        let torch = "File \"/venv/lib/python3.11/site-packages/torch/nn/modules/activation.py\", line 1821, in forward";
        assert_eq!(place(&metadata("stack_trace", torch)), None);
        let package = "File \"/home/me/nanprobe/_export.py\", line 81, in run";
        assert_eq!(place(&metadata("stack_trace", package)), None);
        assert_eq!(place(&metadata("stack_trace", "nothing like it")), None);
    }

    #[test]
    fn the_innermost_module_is_the_last_of_its_stack() {
        let stack = "L__self__,,__main__.Net;L__self__layer1_0_conv1,layer1.0.conv1,torch.nn.modules.conv.Conv2d";
        assert_eq!(module(&metadata("nn_module_stack", stack)), ("layer1.0.conv1".to_owned(), "torch.nn.modules.conv.Conv2d".to_owned()));
        let hidden = "L__self__,,__main__.Net;L__self___conv_stem,_conv_stem,__main__._Conv";
        assert_eq!(module(&metadata("nn_module_stack", hidden)), ("_conv_stem".to_owned(), "__main__._Conv".to_owned()));
        let inserted = [NO_MODULE; 3].join(",");
        assert_eq!(module(&metadata("nn_module_stack", &inserted)), (String::new(), String::new()));
        assert_eq!(module(&HashMap::new()), (String::new(), String::new()));
    }
}
