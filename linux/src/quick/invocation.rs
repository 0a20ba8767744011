//! A command line to run.
use std::fmt;

/// A program, its arguments, and what it reads from standard input. Never holds a secret: arguments can be seen by
/// everyone on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The program, looked up in PATH.
    pub program: &'static str,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What it reads.
    pub input: Option<String>,
}

impl Invocation {
    /// `program` with `arguments`, which white space separates.
    #[must_use]
    pub fn new(program: &'static str, arguments: &str) -> Self {
        Self { program, arguments: arguments.split_whitespace().map(str::to_owned).collect(), input: None }
    }

    /// The same, with `input` to read.
    #[must_use]
    pub fn reading(self, input: String) -> Self {
        Self { input: Some(input), ..self }
    }
}

/// As one would type it into a shell.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program)?;
        for argument in &self.arguments {
            write!(f, " {argument}")?;
        }
        match &self.input {
            Some(input) => write!(f, " <<'END'\n{}\nEND", input.trim_end()),
            None => Ok(()),
        }
    }
}
