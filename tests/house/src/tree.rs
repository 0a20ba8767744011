//! The files of the project: what git tracks, and what it would if it were added.
use crate::Source;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tree of the project.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    /// Paths from the root, with `/`, sorted.
    pub paths: Vec<String>,
}

impl Tree {
    /// The tree this package is part of.
    ///
    /// # Panics
    /// When git cannot list it.
    #[must_use]
    pub fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root of the project");
        let listed = Command::new("git")
            .args(["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(&root)
            .output()
            .expect("git is installed");
        assert!(listed.status.success(), "git: {}", String::from_utf8_lossy(&listed.stderr));
        let mut paths: Vec<String> = String::from_utf8(listed.stdout)
            .expect("paths are UTF-8")
            .lines()
            // A symbolic link is a second name of a file that has its own place.
            .filter(|path| root.join(path).is_file() && !root.join(path).is_symlink())
            .map(str::to_owned)
            .collect();
        paths.sort();
        paths.dedup();
        Self { root, paths }
    }

    /// The root folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The text of a file; `None` when it is not UTF-8 (vectors, corpora, pictures).
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = std::fs::read(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        String::from_utf8(bytes).ok()
    }

    /// The Rust sources below `folder` (empty: all), parsed.
    ///
    /// # Panics
    /// When one does not parse.
    #[must_use]
    pub fn rust(&self, folder: &str) -> Vec<Source> {
        let wanted = |path: &&String| path.starts_with(folder) && path.ends_with(".rs");
        self.paths.iter().filter(wanted).filter_map(|path| Some(Source::new(path, &self.text(path)?))).collect()
    }
}
