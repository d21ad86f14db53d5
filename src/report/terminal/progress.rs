//! What is being done, on standard error, while a person waits.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One line on standard error that is rewritten as the work goes on, and gone at its end. Invisible where
/// standard error is not a terminal, or where quiet was asked for.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A line without a stage yet.
    pub fn new(quiet: bool) -> Self {
        let hidden = quiet || !stderr().is_terminal();
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style("{spinner:.cyan} {elapsed:>4} {msg}"));
        if !hidden {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar }
    }

    /// Begins a stage whose length is not known.
    pub fn stage(&self, text: impl Into<String>) {
        self.bar.unset_length();
        self.bar.set_style(style("{spinner:.cyan} {elapsed:>4} {msg}"));
        self.bar.set_message(text.into());
    }

    /// How far the stage is.
    pub fn tick(&self, done: u64, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            self.bar.set_style(style("{spinner:.cyan} {elapsed:>4} {msg} {bar:24.cyan/black.bright} {pos}/{len}"));
        }
        self.bar.set_position(done);
    }

    /// Takes the line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A style; a template that cannot be read gives the default one, for progress is never worth a failure.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━━╌").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_valid() {
        for template in ["{spinner:.cyan} {elapsed:>4} {msg}", "{spinner:.cyan} {elapsed:>4} {msg} {bar:24.cyan/black.bright} {pos}/{len}"]
        {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }

    #[test]
    fn a_stage_follows_another_without_its_length() {
        let progress = Progress::new(true);
        progress.stage("train");
        progress.tick(3, 60);
        assert_eq!((progress.bar.position(), progress.bar.length()), (3, Some(60)));
        progress.stage("sweep");
        assert_eq!(progress.bar.length(), None);
        progress.finish();
    }
}
