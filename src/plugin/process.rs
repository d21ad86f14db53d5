//! A program of somebody else's, run within bounds: of time, of what it may write, and with all its descendants.

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

/// How often a running program is looked at.
const TICK: Duration = Duration::from_millis(2);
/// How long to wait for the pipes of a program that is gone. Only a descendant that left the process group can hold them open.
const GRACE: Duration = Duration::from_millis(500);
/// Bytes kept of the end of what it writes to standard error.
const TAIL: usize = 2048;
/// Letters of it that are shown.
const SHOWN: usize = 300;

/// What a program may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From start to end.
    pub time: Duration,
    /// On standard output.
    pub bytes: u64,
}

/// Why there is no output.
#[derive(Debug, Error)]
pub enum Failure {
    /// It cannot be started.
    #[error("cannot be started ({0}): see that `command` names a program in PATH, or a path relative to nanprobe.toml")]
    Start(#[source] std::io::Error),
    /// It did not end.
    #[error("took longer than {} s and was stopped: raise its `timeout`, or make it faster", .0.as_secs_f64())]
    Slow(Duration),
    /// It wrote too much.
    #[error("wrote more than {} MB to standard output and was stopped: an answer is one JSON object of verdicts", .0 >> 20)]
    Large(u64),
    /// It failed.
    #[error("{0}")]
    Status(String),
    /// It is gone, but something it started holds its standard output.
    #[error("left something running that holds its standard output open")]
    Left,
}

/// What a program wrote to standard output, or why it did not.
pub type Output = Result<Vec<u8>, Failure>;

/// Runs a program on `input`. Beside its output, the end of what it wrote to standard error.
pub fn run(command: &mut Command, input: Arc<[u8]>, bounds: Bounds) -> (Output, String) {
    own_group(command);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return (Err(Failure::Start(error)), String::new()),
    };
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input may still answer.
        thread::spawn(move || stdin.write_all(&input));
    }
    let stdout = child.stdout.take().map(|pipe| in_background(move || bounded(pipe, bounds.bytes)));
    let stderr = child.stderr.take().map(|pipe| in_background(move || tail(pipe)));
    let ended = wait(&mut child, stdout.as_ref(), bounds);
    let said = stderr.and_then(|pipe| pipe.recv_timeout(GRACE).ok()).unwrap_or_default();
    let output = match (ended, stdout) {
        (Err(failure), _) => Err(failure),
        (Ok((Some(written), status)), _) => written.and_then(|written| succeeded(status).map(|()| written)),
        (Ok((None, status)), Some(pipe)) => match pipe.recv_timeout(GRACE) {
            Ok(written) => written.and_then(|written| succeeded(status).map(|()| written)),
            Err(_) => Err(Failure::Left),
        },
        (Ok((None, _)), None) => Err(Failure::Left),
    };
    (output, shown(&said))
}

/// Waits until the program ends, writes too much or runs out of time; then nothing of its group is left.
fn wait(child: &mut Child, stdout: Option<&Receiver<Output>>, bounds: Bounds) -> Result<(Option<Output>, ExitStatus), Failure> {
    let start = Instant::now();
    let mut written = None;
    let stopped = loop {
        if written.is_none() {
            match stdout.map_or(Err(TryRecvError::Empty), Receiver::try_recv) {
                Ok(Err(failure)) => break Some(failure),
                Ok(output) => written = Some(output),
                Err(_) => {}
            }
        }
        if ended(child) {
            break None;
        }
        if start.elapsed() >= bounds.time {
            break Some(Failure::Slow(bounds.time));
        }
        thread::sleep(TICK);
    };
    end_group(child);
    let status = child.wait().map_err(|error| Failure::Status(format!("cannot be waited for ({error})")))?;
    stopped.map_or(Ok((written, status)), Err)
}

fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver
}

fn bounded(pipe: impl Read, most: u64) -> Output {
    let mut written = Vec::new();
    match pipe.take(most + 1).read_to_end(&mut written) {
        Ok(read) if read as u64 > most => Err(Failure::Large(most)),
        Ok(_) => Ok(written),
        Err(error) => Err(Failure::Status(format!("its output cannot be read ({error})"))),
    }
}

fn tail(mut pipe: impl Read) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; TAIL]);
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                kept.extend_from_slice(&buffer[..read]);
                kept.drain(..kept.len().saturating_sub(TAIL));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The end of a text on one line.
fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().rev().nth(SHOWN - 1) {
        Some((start, _)) if start > 0 => format!("...{}", &line[start..]),
        _ => line,
    }
}

fn succeeded(status: ExitStatus) -> Result<(), Failure> {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Err(Failure::Status(format!("died of signal {signal}")));
    }
    let code = status.code().unwrap_or_default();
    if code == 0 { Ok(()) } else { Err(Failure::Status(format!("ended with exit code {code}"))) }
}

/// In a process group of its own, so that what it starts ends with it.
#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Whether it has ended. It is not reaped: its id, and so its group's, stays its own until the group has been ended.
#[cfg(unix)]
fn ended(child: &mut Child) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = |pid| waitid(WaitId::Pid(pid), options);
    Pid::from_raw(child.id() as i32).is_none_or(|pid| !matches!(status(pid), Ok(None)))
}

#[cfg(unix)]
fn end_group(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = Pid::from_raw(child.id() as i32) {
        // Nobody may be left in it.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

#[cfg(not(unix))]
fn ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

#[cfg(not(unix))]
fn end_group(child: &mut Child) {
    let _ = child.kill();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { time: Duration::from_secs(20), bytes: 1 << 20 };

    fn shell(script: &str, input: &str, bounds: Bounds) -> (Output, String) {
        run(Command::new("sh").args(["-c", script]), input.as_bytes().into(), bounds)
    }

    #[test]
    fn what_it_reads_and_writes_passes_through() {
        let input = "a line\n".repeat(100_000);
        let (output, said) = shell("wc -l; echo done >&2", &input, BOUNDS);
        assert_eq!((String::from_utf8(output.unwrap()).unwrap().trim(), said.as_str()), ("100000", "done"));
    }

    #[test]
    fn input_that_nobody_reads_is_no_failure() {
        let input = "x".repeat(1 << 20);
        for script in ["echo answer", "exec 0<&-; echo answer; sleep 0.05"] {
            assert_eq!(shell(script, &input, BOUNDS).0.unwrap(), b"answer\n", "{script}");
        }
    }

    #[test]
    fn time_is_kept_and_children_end_too() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        // The child would leave its mark well after the time is over.
        let script = format!("(sleep 1; touch '{}') & sleep 60", mark.display());
        let start = Instant::now();
        let (output, _) = shell(&script, "", Bounds { time: Duration::from_millis(200), ..BOUNDS });
        assert!(matches!(output, Err(Failure::Slow(_))), "{output:?}");
        assert!(start.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(1500));
        assert!(!mark.exists(), "the child lives on");
    }

    #[test]
    fn what_is_left_in_the_background_ends_with_the_program() {
        let (output, _) = shell("sleep 60 & echo answer", "", BOUNDS);
        assert_eq!(output.unwrap(), b"answer\n");
    }

    #[test]
    fn endless_output_is_cut_off() {
        let (output, _) = shell("yes", "", BOUNDS);
        assert!(matches!(output, Err(Failure::Large(_))), "{output:?}");
        let (output, said) = shell("yes >&2 & yes | head -c 9000 >&2; kill $!; echo last words >&2", "", BOUNDS);
        assert!(output.is_ok() && said.starts_with("...") && said.len() < 400, "{said}");
    }

    #[test]
    fn failures_are_told_apart_and_last_words_kept() {
        let message = |script: &str| shell(script, "", BOUNDS).0.unwrap_err().to_string();
        assert_eq!(message("echo answer; exit 3"), "ended with exit code 3");
        assert_eq!(message("kill -SEGV $$"), "died of signal 11");
        let (missing, _) = run(&mut Command::new("no-such-program"), Arc::from(&b""[..]), BOUNDS);
        assert!(missing.unwrap_err().to_string().starts_with("cannot be started"));
        assert_eq!(shell("echo first; echo 'why  it\nfailed' >&2; exit 1", "", BOUNDS).1, "why it failed");
    }
}
