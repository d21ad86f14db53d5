//! `nanprobe measure`.

use std::path::Path;

use anyhow::Result;
use nanprobe::cli::Measure;

/// Evidence to standard output, progress to standard error.
#[cfg(feature = "engine")]
struct Stream(nanprobe::report::terminal::Progress);

#[cfg(feature = "engine")]
impl nanprobe::probe::Sink for Stream {
    fn record(&mut self, record: nanprobe_checks::evidence::Record) -> Result<(), nanprobe::probe::ProbeError> {
        use std::io::Write;
        let write = |error: String| nanprobe::probe::ProbeError::Write(error);
        let line = serde_json::to_string(&record).map_err(|error| write(error.to_string()))?;
        writeln!(std::io::stdout(), "{line}").map_err(|error| write(error.to_string()))
    }

    fn stage(&mut self, text: &str) {
        self.0.stage(text);
    }
}

#[cfg(feature = "engine")]
pub fn run(args: &Measure, cwd: &Path) -> Result<u8> {
    if args.worker {
        nanprobe::probe::serve(std::io::stdin().lock(), std::io::stdout().lock())?;
        return Ok(nanprobe::exit::CLEAN);
    }
    let settings = nanprobe::config::Settings::resolve(&args.job, None, cwd)?;
    let mut stream = Stream(nanprobe::report::terminal::Progress::new(false));
    let lab = nanprobe::probe::measure(&settings, &mut stream)?;
    nanprobe::probe::controls(&lab, &mut stream)?;
    Ok(nanprobe::exit::CLEAN)
}

#[cfg(not(feature = "engine"))]
pub fn run(_: &Measure, _: &Path) -> Result<u8> {
    anyhow::bail!("this nanprobe was built without its engine and cannot measure; build it with `cargo build --release`")
}
