//! The library on the JVM: the program of `Cost.kt` in tests/kotlin, which is told on a line what to play.
use anyhow::{Context as _, Result, ensure};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use underpass_interop::phone::classpath;

/// A running program; it sleeps while it is not asked. Ends when dropped.
pub struct Jvm {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Jvm {
    /// Starts it with a build of the library, and with boringtun's where there is one.
    pub fn start(library: &Path, boringtun: Option<&Path>) -> Result<Self> {
        let mut command = Command::new("java");
        command.args(["-Xms64m", "-Xmx64m", "-XX:+UseSerialGC", "-cp", &classpath()?]);
        command.arg(format!("-Duniffi.component.underpass.libraryOverride={}", library.display()));
        command.arg("org.underpass.tunnel.internal.CostKt").args(boringtun);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("starting java")?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("it has an output")?);
        Ok(Self { child, orders, answers })
    }

    /// Nanoseconds of sealing and of opening, or whatever else the question asks for.
    pub fn ask(&mut self, question: &str) -> Result<[f64; 2]> {
        writeln!(self.orders.as_mut().context("it listens")?, "{question}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let figures: Vec<f64> = answer.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        ensure!(figures.len() == 2, "the program on the JVM was asked {question:?} and said {answer:?}");
        Ok([figures[0], figures[1]])
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        // It ends when nobody asks any more.
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
